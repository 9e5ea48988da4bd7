"""What lasts until its worker leaves: websockets and event streams. They never finish by
themselves, so in a drain their clients are asked to come back. Knows no interface and no engine."""

from __future__ import annotations

import math
from typing import Final, Protocol

from holdfast.wire import UPGRADED

RESTART: Final = 1012
"""The close code of a websocket whose server restarts (IANA's registry): it may come back."""
NOTICE_S: Final = 5.0
"""What a client and an app are given to take notice; then what is left of it is ended."""
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
_EVENT_STREAM: Final = "text/event-stream"


def is_event_stream(content_type: str) -> bool:
    """Whether an answer of this type is one of server-sent events."""
    return content_type.partition(";")[0].strip().lower() == _EVENT_STREAM


def ends_an_event(sent: bytes) -> bool:
    """Whether a stream that ends after these bytes ends between two events: nothing is lost."""
    return sent.endswith(_ENDS)


class Ending(Protocol):
    """One of what lasts."""

    def end(self) -> None:
        """Ask its client to come back, and end it."""


class Lasting:
    """Those of one kind in one worker: added as they begin and removed when they are over."""

    __slots__ = ("_told", "_untold")

    def __init__(self) -> None:
        self._untold: dict[Ending, None] = {}
        self._told: dict[Ending, None] = {}

    def __len__(self) -> int:
        return len(self._untold) + len(self._told)

    def add(self, one: Ending) -> None:
        """One begins."""
        self._untold[one] = None

    def remove(self, one: Ending) -> None:
        """It is over."""
        self._untold.pop(one, None)
        self._told.pop(one, None)

    def tell(self, share: float) -> None:
        """Have this share of them told to end, those that were told before among it."""
        untold = list(self._untold)
        count = math.ceil(share * len(self)) - len(self._told)
        for one in untold[: max(0, count)]:
            self._told[one] = self._untold.pop(one, None)
            one.end()


class Websockets(Lasting):
    """Websockets, whose number is a word of the worker's row of the gauge."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        super().__init__()
        self._words = words

    def add(self, one: Ending) -> None:
        """One is asked for: from now on it is counted."""
        super().add(one)
        self._words[UPGRADED] = len(self)

    def remove(self, one: Ending) -> None:
        """It is over."""
        super().remove(one)
        self._words[UPGRADED] = len(self)
