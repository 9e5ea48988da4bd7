"""How many slots are chosen, for loads typed in and drawn: they fit, settle and do not flap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.scale import Scale
from holdfast.policy.scaling import Chosen, Look, Serving, changed, choose

UP, DOWN = 5, 20
"""Looks of the two windows; the looks of these tests are a second apart."""
SCALE = Scale(most=8, up_after=float(UP), down_after=float(DOWN))
EACH = 100
LONG = 4 * DOWN

counts = st.integers(1, 64)
eaches = st.integers(50, 5_000)


class Change(NamedTuple):
    """At which look how many slots became how many, and why."""

    at: int
    before: int
    after: int
    why: str

    @property
    def is_up(self) -> bool:
        return self.after > self.before


def played(
    scale: Scale,
    looks: Iterable[Look],
    slots: int,
    each: float = EACH,
    *,
    apart_s: float = 1.0,
    stood_s: float = 0.0,
) -> list[Change]:
    """What is chosen, so long after each other, where each choice comes to pass at once.

    Before the look `LONG` nobody looks for `stood_s` more.
    """
    serving, seen, found = Serving(slots, 0.0), [], []
    for at, look in enumerate(looks):
        now_s = at * apart_s + stood_s * (at >= LONG)
        seen.append(msgspec.structs.replace(look, at_s=now_s))
        chosen = choose(scale, each, serving, seen, now_s)
        if not chosen.why:
            assert chosen == Chosen(serving.slots)
            continue
        assert chosen.slots != serving.slots
        found.append(Change(at, serving.slots, chosen.slots, chosen.why))
        serving = changed(serving, chosen, now_s + 0.5)
    return found


def loads(*numbers: int) -> list[Look]:
    return [Look(0.0, number) for number in numbers]


def ends_with(changes: list[Change], slots: int) -> int:
    return changes[-1].after if changes else slots


@given(st.lists(st.integers(0, 2_000), max_size=LONG), counts, counts, st.integers(1, 80), counts)
def test_there_are_never_more_or_fewer_than_may_be(
    numbers: list[int], one: int, other: int, slots: int, step: int
) -> None:
    """Whatever the load, and whatever serves at first, what is chosen lies within the bounds."""
    fewest, most = sorted((one, other))
    scale = msgspec.structs.replace(SCALE, fewest=fewest, most=most, step=step)
    for change in played(scale, loads(*numbers), slots):
        assert fewest <= change.after <= most


@given(st.integers(0, 2_000), st.integers(1, 8))
def test_a_constant_load_settles_in_one_change(load: int, slots: int) -> None:
    """At most one change, by the end of the longer window, and none after it."""
    changes = played(SCALE, loads(*[load] * LONG), slots)
    assert len(changes) <= 1
    assert all(change.at <= DOWN + 1 for change in changes)


@given(st.integers(0, 2_000), st.integers(1, 8), st.integers(1, 3))
def test_steps_lead_to_where_a_constant_load_settles(load: int, slots: int, step: int) -> None:
    """However small the steps, they all go one way, none is larger, and they end."""
    scale = msgspec.structs.replace(SCALE, step=step)
    changes = played(scale, loads(*[load] * 10 * DOWN), slots)
    assert len({change.is_up for change in changes}) <= 1
    assert all(abs(change.after - change.before) <= step for change in changes)
    assert len(changes) <= SCALE.most  # type: ignore[operator]
    assert played(scale, loads(*[load] * LONG), ends_with(changes, slots)) == []


@given(st.integers(2, 64), eaches)
def test_a_tide_goes_up_once_and_comes_down_once(most: int, each: int) -> None:
    """10 %, 90 % and 10 % of the most: up within a window after it rose, down within one after."""
    scale = msgspec.structs.replace(SCALE, most=most)
    low, high = (round(most * each * share) for share in (0.1, 0.9))
    settled = ends_with(played(scale, loads(*[low] * LONG), 1, each), 1)
    tide = loads(*[low] * LONG, *[high] * LONG, *[low] * LONG)
    up, down = played(scale, tide, settled, each)
    assert up.is_up
    assert LONG < up.at <= LONG + UP
    assert not down.is_up
    assert 2 * LONG < down.at <= 2 * LONG + DOWN + 1
    assert settled <= down.after < most


@given(
    st.integers(200, 4_000),
    st.integers(1, 8),
    st.lists(st.floats(0.9, 1.1), min_size=LONG, max_size=LONG),
    st.sampled_from([None, 1]),
)
def test_noise_does_not_flap(load: int, slots: int, noise: list[float], step: int | None) -> None:
    """A load that is 10 % more or less from look to look never goes up and down."""
    scale = msgspec.structs.replace(SCALE, step=step)
    changes = played(scale, loads(*(round(load * each) for each in noise)), slots)
    assert len({change.is_up for change in changes}) <= 1


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=3 * DOWN), st.integers(1, 8))
def test_what_is_left_holds_what_there_was(numbers: list[int], slots: int) -> None:
    """None is let go for whom any look of the window had use: `low` is filled at most."""
    for change in played(SCALE, loads(*numbers), slots):
        if not change.is_up:
            window = numbers[max(0, change.at - DOWN) : change.at + 1]
            assert max(window) <= SCALE.low * EACH * change.after


def test_one_late_look_asks_for_nothing() -> None:
    """A pause of one second, of load or of loops, is not a window."""
    calm = Look(0.0, 50)
    late = Look(0.0, 5_000, lag_s=9.0)
    assert played(SCALE, [*[calm] * DOWN, late, *[calm] * DOWN], 1) == []


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(1, 8), st.integers(2, 10 * DOWN))
def test_a_window_begins_again_after_a_standstill(
    before: int, after: int, slots: int, stood_s: int
) -> None:
    """Whatever there was before it, it takes a window of looks after it to ask for more."""
    looks = loads(*[before] * LONG, *[after] * LONG)
    settled = ends_with(played(SCALE, looks[:LONG], slots), slots)
    changes = played(SCALE, looks, slots, stood_s=stood_s)
    later = [change for change in changes if change.at >= LONG]
    assert not any(change.is_up and change.at < LONG + UP for change in later)
    if after > SCALE.high * EACH * settled < SCALE.high * EACH * 8:
        assert [(change.at, change.is_up) for change in later] == [(LONG + UP, True)]


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(1, 8))
def test_nobody_is_let_go_by_what_was_seen_before_a_standstill(
    before: int, after: int, slots: int
) -> None:
    """Where nobody looked for the longer window, it takes a whole one after it."""
    looks = loads(*[before] * LONG, *[after] * LONG)
    changes = played(SCALE, looks, slots, stood_s=float(DOWN))
    assert not any(LONG <= change.at < LONG + DOWN and not change.is_up for change in changes)


def test_looks_that_always_come_late_still_scale() -> None:
    """A supervisor that gets a turn every other second only has a window too, and it is as long."""
    (change,) = played(SCALE, loads(*[700] * LONG), 1, apart_s=2.0)
    assert (change.at, change.after) == (math.ceil(UP / 2), 8)


def test_a_late_loop_asks_for_one_more_at_a_time() -> None:
    """As long as loops are late, one more each window, up to the most."""
    late = Look(0.0, 50, lag_s=0.3)
    changes = played(SCALE, [late] * LONG, 1)
    assert [change.after for change in changes] == list(range(2, 9))
    assert "late" in changes[0].why


def test_nobody_is_added_for_a_late_loop_that_serves_nobody() -> None:
    """A machine that is busy with something else keeps no request waiting here."""
    assert played(SCALE, [Look(0.0, 0, lag_s=0.3)] * LONG, 1) == []


def test_a_worker_that_cured_a_late_loop_stays() -> None:
    """That loops are in time with one more is no reason to let it go while the load is there."""
    serving, seen, slots = Serving(1, 0.0), [], []
    for at in range(10 * DOWN):
        load = 50 if at < 8 * DOWN else 20
        seen.append(Look(float(at), load, lag_s=0.3 if serving.slots == 1 and load == 50 else 0.0))
        chosen = choose(SCALE, EACH, serving, seen, float(at))
        if chosen.why:
            slots.append((at < 8 * DOWN, chosen.slots))
            serving = changed(serving, chosen, at + 0.5)
    assert slots == [(True, 2), (False, 1)]


def test_a_long_wait_for_a_place_asks_for_one_more() -> None:
    """Those that wait, over the answers of a second, is how long they do."""
    waits = Look(0.0, 50, waiting=20, answered=10)
    quick = Look(0.0, 50, waiting=20, answered=100)
    (change, *_) = played(SCALE, [waits] * (UP + 1), 1)
    assert (change.after, change.why) == (2, "requests wait 2 s for a place, or longer")
    assert played(SCALE, [quick] * LONG, 1) == []
    (stuck, *_) = played(SCALE, [Look(0.0, 50, waiting=20)] * (UP + 1), 1)
    assert stuck.after == 2


def test_those_that_wait_are_load() -> None:
    """Where places are full, the requests that have none count too."""
    (change,) = played(SCALE, [Look(0.0, 100, waiting=200, answered=10_000)] * LONG, 1)
    assert (change.after, change.why[:12]) == (5, "300 requests")


def test_somebody_elses_number_is_brought_back_within() -> None:
    """More than may be, or fewer, are so at once, whatever the load."""
    scale = msgspec.structs.replace(SCALE, fewest=2)
    for slots, wanted in ((1, 2), (20, 8)):
        chosen = choose(scale, EACH, Serving(slots, 0.0), [], 0.0)
        assert (chosen.slots, chosen.why) == (wanted, "`[scale]` has 2 to 8")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [({"low": 0.8}, "`low`"), ({"low": 0.9}, "`low`"), ({"fewest": 9, "most": 8}, "`max`")],
)
def test_marks_that_would_flap_are_refused(fields: dict[str, float], fault: str) -> None:
    """Workers are let go below a lower mark than they are added past."""
    with pytest.raises(ValueError, match=fault):
        Scale(**fields)  # type: ignore[arg-type]
