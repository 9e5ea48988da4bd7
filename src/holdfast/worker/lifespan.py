"""Notices that an app's startup raised, which the engine's `auto` takes for "no lifespan".

Only an app that has taken `lifespan.startup` and then raised has failed; one that raises before
does not speak the protocol, and is served without it, as the ASGI specification asks.
"""

from __future__ import annotations

from holdfast.worker.failure import Failure, raised
from holdfast.worker.line import App, Message, Receive, Send


class Startup:
    """Wraps an app: passes everything through, and keeps the `failure` of its startup."""

    __slots__ = ("_app", "_app_dir", "_begun", "_over", "failure")

    def __init__(self, app: App, app_dir: str) -> None:
        self._app = app
        self._app_dir = app_dir
        self._begun = self._over = False
        self.failure: Failure | None = None

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """Run the app's lifespan; a startup that raises is reported as failed."""

        async def noting_receive() -> Message:
            message = await receive()
            self._begun = True
            return message

        async def noting_send(message: Message) -> None:
            self._over = True
            if message["type"] == "lifespan.startup.failed":
                said = str(message.get("message", "")).strip()
                self.failure = Failure(
                    "the app's startup failed",
                    hint="correct the app's startup",
                    trace="\n".join(said.splitlines()[-20:]),
                )
            await send(message)

        try:
            await self._app(scope, noting_receive, noting_send)
        except BaseException as error:
            if self._begun and (not self._over or self.failure):
                self.failure = failure = raised("the app's startup", error, self._app_dir)
                if not self._over:
                    await send({"type": "lifespan.startup.failed", "message": failure.trace})
            raise
