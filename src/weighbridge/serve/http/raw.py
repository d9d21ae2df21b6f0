"""The posts without a framework, in front of the documented application: the same handler, a fraction of the cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from weighbridge.serve.http.call import Scope
from weighbridge.serve.http.door import Door, Receive, Reply

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class InFront:
    """An ASGI application that lets requests in, answers the door's posts itself, and leaves the rest to another."""

    def __init__(self, door: Door, behind: Application) -> None:
        self._door, self._behind = door, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        reply = self._door.enter(scope)
        if reply is None and scope["method"] == "POST" and scope["path"] in self._door.posts:
            reply = await self._door.post(scope, receive)
        if reply is None:
            await self._pass_on(scope, receive, send)
        else:
            await send_reply(reply, send)
            self._door.leave(scope, reply.status)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._behind(scope, receive, noted)
        finally:
            self._door.leave(scope, status)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send an answer as ASGI messages."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.content})
