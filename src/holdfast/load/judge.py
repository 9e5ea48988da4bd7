"""Whether a complete answer is the one that was asked for: status, length and nonce.

Pure. Must not know how the answer came, or what happens to the client next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.load.http import Answer
from holdfast.load.plan import LoadPlan

if TYPE_CHECKING:  # plain clients do without what HTTP/2 needs
    from holdfast.load.frames import StreamAnswer

    Judged = Answer | StreamAnswer

NO_PLACE_STATUS: Final = 503
NO_PLACE: Final = "no place"
"""No fault of the server's: it refused the request in good order (RFC 9110, 15.6.4)."""


def fault_in(answer: Judged, plan: LoadPlan, number: int) -> tuple[str, str] | None:
    """What is wrong with the answer to the request of this nonce: a fault's name, and why."""
    if answer.excess:
        return "bad length", f"{answer.excess} bytes follow the end of the answer"
    nonce = answer.nonce
    if plan.nonce != "off" and nonce is not None and nonce != b"%016x" % number:
        return "bad nonce", f"the answer's nonce is {nonce[:32]!r}, not {number:016x}"
    if answer.status == NO_PLACE_STATUS != plan.status and answer.says_when:
        return NO_PLACE, "the server had no place, and said when to ask again"
    if answer.status != plan.status:
        return "bad status", f"the answer's status is {answer.status}, not {plan.status}"
    if plan.length is not None and answer.body_length != plan.length:
        return "bad length", f"the body has {answer.body_length} bytes, not {plan.length}"
    if nonce is None and plan.nonce == "require":
        return "bad nonce", "the answer has no nonce"
    return None
