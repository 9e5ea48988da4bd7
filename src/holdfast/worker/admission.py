"""What a request is told that gets no place, whichever interface it came by. Decides nothing."""

from __future__ import annotations

from typing import Final

STATUS: Final = 503
REASON: Final = "Service Unavailable"
BODY: Final = b"no place is free: ask again later\n"


def refusal(retry_after_s: int) -> list[tuple[str, str]]:
    """The headers of the whole answer, whose body is BODY."""
    return [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(BODY))),
        ("retry-after", str(retry_after_s)),
    ]
