"""The posts without a framework, in front of the documented application: the same handler, a fraction of the cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from weighbridge.serve.http.door import Door, Receive, Reply, Scope

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class InFront:
    """An ASGI application that answers the door's posts itself and leaves everything else to the one behind it."""

    def __init__(self, door: Door, behind: Application) -> None:
        self._door, self._behind = door, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._door.posts:
            await send_reply(await self._door.post(scope, receive), send)
        else:
            await self._behind(scope, receive, send)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send an answer as ASGI messages."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.content})
