"""What a worker holds, whichever interface counts it: a row of the gauge, and whether it drains."""

from __future__ import annotations

import json

from holdfast.wire import FINISHED, STARTED, WAITING
from holdfast.worker.lasting import Lasting, Websockets


class Held:
    """Requests of this worker: `words` are its row of the gauge, `identity` who answers a probe.

    While `draining`, each answer tells its client to close. `websockets` and `streams` of events
    are in flight, and end only if they are told to.
    """

    __slots__ = ("_identity", "_words", "draining", "streams", "websockets")

    def __init__(self, words: memoryview, identity: dict[str, object]) -> None:
        self._words = words
        self._identity = identity
        self.draining = False
        self.websockets = Websockets(words)
        self.streams = Lasting()

    @property
    def in_flight(self) -> int:
        """Requests started and not finished."""
        return int(self._words[STARTED] - self._words[FINISHED])

    @property
    def unfinished(self) -> int:
        """Requests in flight, and those that wait for a place: all that a drain has to serve."""
        return self.in_flight + int(self._words[WAITING])

    def probed(self) -> bytes:
        """The body of an answer to the supervisor's probe: who this is, and the count in flight."""
        return json.dumps({**self._identity, "in_flight": self.in_flight}).encode()
