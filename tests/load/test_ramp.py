"""How fast clients are opened, with time as a plain number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.ramp import QUEUE_SHARE, Ramp

STEPS = st.lists(
    st.tuples(
        st.floats(0, 5),
        st.integers(0, 2_000),
        st.integers(0, 2_000),
        st.none() | st.integers(0, 500),
    ),
    max_size=40,
)


def opened_in(ramp: Ramp, seconds: float, queued: int = 0, start_s: float = 0.0) -> int:
    """Step each 10 ms with a server that accepts at once and has `queued` of 400 in its queue."""
    allowed = 0
    for step in range(int(seconds * 100) + 1):
        allowed = ramp.step(start_s + step / 100, allowed, 0, queued, 400)
    return allowed


@given(STEPS, st.integers(0, 3_000), st.floats(1, 5_000), st.integers(0, 500))
def test_a_ramp_never_falls_and_never_exceeds(
    steps: list[tuple[float, int, int, int | None]], target: int, rate: float, window: int
) -> None:
    """Whatever it sees, it allows no fewer than before, no more than the target or the rate."""
    ramp, before, now_s = Ramp(target, rate, window), 0, 0.0
    ramp.step(now_s, 0, 0, None, None)
    for passed_s, opened, opening, queued in steps:
        now_s += passed_s
        allowed = ramp.step(now_s, opened, opening, queued, 400)
        assert before <= allowed <= min(target, rate * now_s + 1)
        before = allowed


@given(STEPS, st.integers(1, 3_000))
def test_a_ramp_stands_still_while_the_server_is_behind(
    steps: list[tuple[float, int, int, int | None]], window: int
) -> None:
    """It does not advance while the queue is over its share, or too many connects are open."""
    ramp, now_s = Ramp(100_000, 1_000.0, window), 1.0
    allowed = opened_in(ramp, 1.0)
    for passed_s, opened, more, _ in steps:
        now_s += passed_s + 1
        assert ramp.step(now_s, opened + 1_000, 0, 400 // QUEUE_SHARE + 1, 400) == allowed
        now_s += passed_s + 1
        assert ramp.step(now_s, opened + 1_000, window + 1 + more, 0, 400) == allowed


def test_a_ramp_keeps_its_rate() -> None:
    """A server that accepts at once sees `rate` clients a second, until all are there."""
    assert abs(opened_in(Ramp(10_000, 1_000.0, 100), 2.0) - 2_000) <= 1
    assert opened_in(Ramp(1_500, 1_000.0, 100), 2.0) == 1_500


def test_a_ramp_backs_off_and_speeds_up_again() -> None:
    """A full queue slows the ramp down; once it is empty the pace grows back to the rate."""
    ramp = Ramp(100_000, 1_000.0, 100)
    before = opened_in(ramp, 1.0)
    assert opened_in(ramp, 0.5, queued=400, start_s=1.0) == before
    slow = ramp.pace
    assert slow <= 1_000.0 / 8
    opened_in(ramp, 3.0, start_s=1.5)
    assert ramp.pace == 1_000.0


def test_a_ramp_waits_for_those_that_it_allowed() -> None:
    """Clients that do not get in keep it from allowing more than the window beyond."""
    ramp = Ramp(10_000, 1_000.0, 50)
    allowed = [ramp.step(step / 10, 30, 0, None, None) for step in range(20)]
    assert allowed[-1] == 80
