"""What is written in one turn of the loop leaves at once, and a caller that hung up meanwhile is no fault."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from weighbridge.serve.server import _Together


class Transport:
    """Keeps what is written to it; refuses once it is closed, as uvloop's does."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if self.closed:
            raise RuntimeError("unable to perform operation on a closed transport")
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Hasty(_Together):
    """The negative control: writes without asking whether anybody is there."""

    def _send(self) -> None:
        self._transport.write(b"".join(self._parts))
        self._parts = []


def turn(kind: type[_Together], *, hung_up: bool = False, close: bool = False) -> tuple[list[bytes], list[str]]:
    """Write a head and a body in one turn of a loop; return what arrived, and the faults the loop was told."""

    async def answer() -> tuple[list[bytes], list[str]]:
        loop, faults = asyncio.get_running_loop(), list[str]()
        loop.set_exception_handler(lambda _, context: faults.append(str(context.get("exception"))))
        under: Any = Transport()
        transport = kind(under, loop)
        transport.write(b"head ")
        transport.write(b"body")
        if close:
            transport.close()
        under.closed |= hung_up
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return under.written, faults

    return asyncio.run(answer())


@pytest.mark.parametrize("close", [False, True])
def test_an_answer_is_one_write(close: bool) -> None:
    assert turn(_Together, close=close) == ([b"head body"], [])


def test_a_caller_that_hung_up_is_no_fault() -> None:
    assert turn(_Together, hung_up=True) == ([], [])
    assert turn(Hasty, hung_up=True)[1]  # the control: it would be seen
