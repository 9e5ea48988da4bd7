"""The fit of a profile, on loads that are typed in: what it finds, and what it refuses."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.proof.profile import Cost, Load, Unfit, fit_service, fit_workers

CLIENTS = (500, 1_000, 1_500, 2_000)
IDLE = 1_000


def loads(
    *,
    base: float = 4e7,
    request: float = 1e4,
    idle: float = 8e3,
    cpu_s: float = 1e-4,
    awake: float = 0.01,
    processes: int = 1,
    shared: int = 0,
) -> list[Load]:
    """Loads that cost exactly so much: four steps, and the last again with idle clients beside."""
    found = []
    for clients, silent in [*((count, 0) for count in CLIENTS), (CLIENTS[-1], IDLE)]:
        size = processes * base + clients * request + silent * idle
        found.append(
            Load(
                clients=clients,
                idle=silent,
                answers=clients,
                seconds=5.0,
                processes={"workers": processes, "upstream": 2},
                bytes={"workers": round(size), "upstream": round(2e7 + 1_500 * clients)},
                cpu_s={"workers": 5.0 * awake + cpu_s * clients, "upstream": 5e-5 * clients},
                descriptors=processes * 20 + clients * 2 + silent + processes * shared,
            )
        )
    return found


def fitted(seen: list[Load]) -> Cost:
    return fit_workers(seen, open_before=20 * seen[0].processes["workers"], ends=2.0)


def shifted(seen: list[Load], *by: int) -> list[Load]:
    """The loads with so many bytes more in the workers, one after the other."""
    return [
        msgspec.structs.replace(load, bytes={**load.bytes, "workers": load.bytes["workers"] + more})
        for load, more in zip(seen, (*by, *[0] * (len(seen) - len(by))), strict=True)
    ]


@given(
    base=st.floats(1e6, 1e9),
    request=st.floats(100, 1e6),
    idle=st.floats(0, 1e5),
    processes=st.integers(1, 8),
)
def test_what_lies_on_a_line_is_found(
    base: float, request: float, idle: float, processes: int
) -> None:
    """Base of one process, bytes of a request and of an idle client come out as they went in."""
    cost = fitted(loads(base=base, request=request, idle=idle, processes=processes))
    assert cost.base_bytes == pytest.approx(base, rel=1e-3)
    assert cost.request_bytes == pytest.approx(request, rel=1e-3)
    assert cost.idle_bytes == pytest.approx(idle, rel=1e-2, abs=0.1)
    assert cost.request_bytes_off < 1


def test_time_that_does_not_grow_with_the_rate_is_no_requests() -> None:
    """A process that is awake for 1 % of a core anyway adds nothing to what a request costs."""
    assert fitted(loads(cpu_s=1e-4, awake=0.01)).request_cpu_s == pytest.approx(1e-4)


def test_a_line_that_starts_below_zero_is_not_used_for_time() -> None:
    """Then a request costs all processor seconds over all answers."""
    seen = loads(cpu_s=1e-4, awake=-0.005)
    cost = fitted(seen)
    total = sum(load.cpu_s["workers"] for load in seen) / sum(load.answers for load in seen)
    assert cost.request_cpu_s == pytest.approx(total)


def test_descriptors_that_are_no_requests_are_shared() -> None:
    """What is open beyond two a request and one an idle client belongs to all requests."""
    cost = fitted(loads(shared=7, processes=3))
    assert (cost.own_descriptors, cost.shared_descriptors) == (27, 7)


def test_a_service_costs_by_its_calls() -> None:
    """A request that holds half a call and makes two: a call costs twice, and half, as much."""
    cost = fit_service(loads(), "upstream", calls_held=0.5, calls_made=2.0)
    assert cost.base_bytes == pytest.approx(1e7, rel=1e-3)
    assert cost.request_bytes == pytest.approx(3_000, rel=1e-3)
    assert cost.request_cpu_s == pytest.approx(2.5e-5)


def test_a_service_that_seems_to_shrink_costs_nothing() -> None:
    """Noise below 0 is no cost, so that the file is one that can be read again."""
    seen = [
        msgspec.structs.replace(load, bytes={**load.bytes, "upstream": 3_000_000 - load.clients})
        for load in loads()
    ]
    assert fit_service(seen, "upstream", calls_held=1.0, calls_made=1.0).request_bytes == 0


def test_the_doubt_grows_with_the_residuals() -> None:
    """Noise twice as large leaves twice the doubt, and the residuals are kept."""
    some, more = (fitted(shifted(loads(), n, -n, -n, n)) for n in (100_000, 200_000))
    assert some.residual_bytes == pytest.approx((100_000, -100_000, -100_000, 100_000), abs=1)
    assert more.request_bytes_off == pytest.approx(2 * some.request_bytes_off, rel=1e-3)
    assert some.request_bytes == pytest.approx(1e4, rel=1e-3)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (loads(request=-100.0), "-100 bytes"),
        (loads(request=0.0), "0 bytes"),
        (loads(base=-1e6), "a process -1,000,000"),
        (shifted(loads(), 4_000_000, -4_000_000), "give or take"),
        ([msgspec.structs.replace(x, answers=19) for x in loads()], "95 answers"),
        (loads()[:2], "2 loads"),
        ([loads()[0]] * 4, "4 loads"),
    ],
)
def test_what_predicts_nothing_is_refused(seen: list[Load], told: str) -> None:
    """A line that falls, that nothing lies on, too few answers or loads: void, with the reason."""
    with pytest.raises(Unfit) as refused:
        fitted(seen)
    assert told in refused.value.fault
    assert refused.value.hint
    assert refused.value.exit_code == 3
