"""A stack that scales by itself: up with its load, down after it, once each, and nothing lost."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.scale import Scale
from holdfast.stack.config import StackEvent
from holdfast.stack.process import StackProcess
from tests.edges import INSTALLED
from tests.helpers import wait_until
from tests.stack.driving import Log, answered, crowd, running, wait_for_in_flight
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

EACH, MOST = 500, 4
LOW, HIGH = EACH * MOST // 10, EACH * MOST * 9 // 10
SCALE = Scale(most=MOST, up_after=4.0, down_after=5.0, lag=0.0)
"""Without looking at loops, which are late where a machine is busy with something else."""


def told(stack: StackProcess, kind: str) -> list[StackEvent]:
    return [event for event in stack.stack_events() if event.kind == kind]


def wait_for_scaled(stack: StackProcess, count: int) -> list[int]:
    """To how many workers it has scaled, once it has so often."""
    wait_until(lambda: len(told(stack, "scaled")) >= count, what=f"scaled {count} times")
    return [event.slots for event in told(stack, "scaled")]


@pytest.mark.parametrize("edge", ["", *INSTALLED])
def test_a_tide_scales_up_once_and_down_once(edge: str) -> None:
    """10 %, 90 % and 10 % of the most: four workers and one again, and every request answered."""
    if edge and not INSTALLED[edge]:
        pytest.skip(f"{edge} is not installed")
    fields: dict[str, Any] = behind(edge) if edge else {}  # type: ignore[arg-type]
    fields |= {"slots": 1, "most": MOST, "in_flight": EACH, "scale": SCALE}
    with running(**fields) as stack, crowd(stack.port, LOW) as few:
        wait_for_in_flight(stack, LOW)
        log = Log(stack)
        with crowd(stack.port, HIGH - LOW) as many:
            assert wait_for_scaled(stack, 1) == [MOST]
            with crowd(stack.port, LOW) as later:
                wait_for_in_flight(stack, HIGH + LOW)
                assert answered(later) == LOW
            assert answered(many) == HIGH - LOW
        wait_until(lambda: len(told(stack, "chosen")) == 2, what="chosen fewer")
        assert answered(few) == LOW
        assert wait_for_scaled(stack, 2) == [MOST, 1]
        up, down = told(stack, "chosen")
        assert up.text.endswith(" of what is planned for 1 worker")
        assert down.text == f"{LOW} requests at most in 5 s need 1 worker"
        assert log.of("died") == log.of("cut") == []


def test_somebody_elses_number_is_brought_back_within() -> None:
    """Scaled past its bounds by hand, a stack goes back to them."""
    with running(slots=1, most=MOST, in_flight=EACH, scale=Scale(most=2)) as stack:
        stack.scale(3)
        assert wait_for_scaled(stack, 2) == [3, 2]
        (chosen,) = told(stack, "chosen")
        assert chosen.text == "`[scale]` has 1 to 2"


@pytest.mark.parametrize("fields", [{"in_flight": EACH}, {"most": MOST}])
def test_what_cannot_be_scaled_is_refused(fields: dict[str, int]) -> None:
    """More workers than there are slots, or workers of which nobody knows what they hold."""
    with pytest.raises(BadInput), running(slots=1, scale=SCALE, **fields):
        pass
