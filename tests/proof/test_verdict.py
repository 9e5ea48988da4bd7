"""The verdict from plain values: each rule and each witness changes it alone. Runs no program."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.proof.moment import Witnesses
from holdfast.proof.verdict import ByRate, Evidence, Generator, judge

HELD = Evidence(
    asked=2000,
    idle_asked=200,
    hold_asked_s=60.0,
    began=True,
    hold_s=60.0,
    opened_s=2.0,
    run_s=63.0,
    least=Witnesses(2.0, client=2040, app=2010, kernel=2041),
    idle=200,
    answered=6000,
    failed=0,
    errors={},
    first_error=None,
    counters={},
    generator=Generator(processes=2, lag_s_max=0.04, lag_lost_s=0.05, cpu_share_max=0.6),
    mean_time_s=20.0,
)


def but(**changes: Any) -> Evidence:
    return msgspec.structs.replace(HELD, **changes)


def with_least(**counts: int | None) -> Evidence:
    return but(least=msgspec.structs.replace(HELD.least, **counts))


def with_generator(**changes: Any) -> Evidence:
    return but(generator=msgspec.structs.replace(HELD.generator, **changes))


def test_enough_of_everything_is_held() -> None:
    """Three witnesses at or over what was asked, no failure and the whole hold are held."""
    assert judge(HELD) == ("held", [])


def test_exactly_what_was_asked_is_held() -> None:
    """The number itself is enough for every witness."""
    assert judge(with_least(client=2000, app=2000, kernel=2000)) == ("held", [])


@pytest.mark.parametrize("name", ["client", "app", "kernel"])
def test_one_witness_is_enough_to_contradict(name: str) -> None:
    """One witness below what was asked is not held, and is named with its number."""
    expected = f"the {name} counted 1,999 in flight at the least, 2,000 were asked"
    assert judge(with_least(**{name: 1999})) == ("not held", [expected])


def test_too_few_connections_for_their_streams_contradict() -> None:
    """The kernel counts connections: where they cannot carry what was asked, it says so."""
    seen = msgspec.structs.replace(with_least(kernel=1975), streams=25)
    expected = (
        "the kernel counted connections of 25 streams, for 1,975 in flight at the least, "
        "2,000 were asked"
    )
    assert judge(seen) == ("not held", [expected])


@pytest.mark.parametrize("name", ["app", "kernel"])
def test_one_of_the_servers_witnesses_may_be_missing(name: str) -> None:
    """Where the app or the kernel cannot be asked, two witnesses that agree are enough."""
    assert judge(with_least(**{name: None}))[0] == "held"


def test_the_client_alone_proves_nothing() -> None:
    """Without a witness on the server's side the run is void."""
    verdict, reasons = judge(with_least(app=None, kernel=None))
    assert (verdict, reasons) == ("void", ["nobody but the client counted"])


SHORT: tuple[tuple[dict[str, Any], str], ...] = (
    ({"failed": 1}, "1 requests failed"),
    ({"failed": 3, "first_error": "reset: gone"}, "3 requests failed, the first: reset: gone"),
    ({"idle": 199}, "199 idle clients at the least, 200 were asked"),
    ({"hold_s": 12.0, "stop": "interrupted"}, "interrupted after a hold of 12 s of 60 s"),
    (
        {"began": False, "hold_s": 0.0, "stop": "interrupted"},
        "interrupted after 2 s, before the hold began",
    ),
    (
        {"began": False, "hold_s": 0.0, "stop": "ceiling", "opened_s": 9.0},
        "the hold never began: after 9 s the time to open was over",
    ),
    (
        {"began": False, "hold_s": 0.0, "stop": "stalled", "opened_s": 40.0},
        "the hold never began: after 40 s no count rose any more",
    ),
    ({"answered": 0}, "nobody was answered in 63 s"),
    ({"answered": 0, "mean_time_s": None}, "nobody was answered in 63 s"),
)


@pytest.mark.parametrize(("changes", "reason"), SHORT)
def test_each_shortfall_alone_is_not_held(changes: dict[str, Any], reason: str) -> None:
    """Each thing that fell short is enough for "not held", and says so in one line."""
    assert judge(but(**changes)) == ("not held", [reason])


def test_no_answer_is_expected_before_the_mean_time() -> None:
    """A run shorter than the mean time of a request may see no answer and still hold."""
    assert judge(but(answered=0, mean_time_s=90.0)) == ("held", [])


def test_the_counters_that_moved_are_named_with_a_shortfall() -> None:
    """A shortfall quotes the kernel counters that moved; a hold is not marred by them."""
    moved = {"ListenOverflows": 12, "TCPTimeouts": 3}
    assert judge(but(counters=moved)) == ("held", [])
    reasons = judge(but(counters=moved, failed=1))[1]
    assert reasons[-1] == "meanwhile the kernel counted ListenOverflows +12, TCPTimeouts +3"


def test_cores_that_had_nothing_left_are_named_with_a_shortfall() -> None:
    """What fell short on full cores says so, and what helps; a hold is not marred by them."""
    assert judge(but(busy=0.99)) == ("held", [])
    verdict, reasons = judge(but(busy=0.99, failed=1))
    expected = (
        "all cores were busy for 99% of the time; a longer mean time (`--mean-time`) asks less "
        "of them"
    )
    assert (verdict, reasons[1]) == ("not held", expected)
    by_rate = judge(but(busy=0.99, failed=1, by_rate=ByRate(9, 0, 0, 0.0)))[1]
    assert by_rate[1].endswith("; a lower rate asks less of them")
    assert judge(but(busy=0.9, failed=1))[1] == ["1 requests failed"]


VOID: tuple[tuple[Evidence, str], ...] = (
    (with_generator(dead=1), "1 of 2 generator processes died"),
    (with_generator(stopped=1), "1 of 2 generator processes were stopped"),
    (with_generator(lag_s_max=1.01), "was 1.01 s late"),
    (with_generator(lag_lost_s=3.01), "lost 3.01 s of 60 s in lags over 50 ms"),
    (with_generator(cpu_share_max=0.91), "used 91% of a core"),
    (but(errors={"EMFILE": 4}), "the generator itself ran short: EMFILE 4 times"),
    (but(errors={"EADDRNOTAVAIL": 1}), "EADDRNOTAVAIL 1 times"),
    (but(errors={"idle EMFILE": 2}), "EMFILE 2 times"),
    (
        but(errors={"connect timeout": 2}, counters={"softnet_drops": 9}),
        "2 timed out while the machine itself dropped 9 packets",
    ),
)


@pytest.mark.parametrize(("evidence", "reason"), VOID)
def test_each_fault_of_the_generator_alone_is_void(evidence: Evidence, reason: str) -> None:
    """Each way in which the generator or the machine was the bottleneck is enough for void."""
    verdict, reasons = judge(evidence)
    assert verdict == "void"
    assert len(reasons) == 1
    assert reason in reasons[0]


@pytest.mark.parametrize(
    "evidence",
    [
        with_generator(lag_s_max=1.0),
        with_generator(lag_lost_s=3.0),
        with_generator(cpu_share_max=0.9),
        but(counters={"softnet_drops": 9}),
    ],
)
def test_the_limits_of_void_are_inclusive(evidence: Evidence) -> None:
    """What is exactly at a limit, or a drop that hurt nobody, does not void."""
    assert judge(evidence) == ("held", [])


FOREIGN = "other programs and the host took 35% of all cores; over 20% a run that fell short"
SLOW = (
    {"least": Witnesses(2.0, client=2040, app=1500, kernel=2041)},
    {"began": False, "hold_s": 0.0, "stop": "ceiling"},
    {"began": False, "hold_s": 0.0, "stop": "stalled"},
    {"by_rate": ByRate(intended=100, unsent=7, unfinished=0, late_s_p99=0.0)},
    {"refused": 7},
)


@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_run_beside_other_programs_is_void(slow: dict[str, Any]) -> None:
    """A run that was only slow while others took the processors says nothing; else it fell."""
    verdict, reasons = judge(but(foreign_share=0.35, **slow))
    assert verdict == "void"
    assert reasons[0].startswith(FOREIGN)
    assert len(reasons) == 2
    for share in (None, 0.0, 0.2):
        assert judge(but(foreign_share=share, **slow)) == ("not held", reasons[1:])


@pytest.mark.parametrize(
    "fell",
    [
        {"failed": 1},
        {"failed": 1, "least": Witnesses(2.0, client=2040, app=1500, kernel=2041)},
        {"idle": 199},
        {"answered": 0},
        {"hold_s": 12.0, "stop": "interrupted"},
    ],
)
def test_other_programs_excuse_slowness_only(fell: dict[str, Any]) -> None:
    """Failures, closed clients, silence and an interruption are no other program's doing."""
    assert judge(but(foreign_share=0.35, **fell))[0] == "not held"


def test_a_run_that_held_beside_other_programs_is_held() -> None:
    """Who holds while others take the processors has proved it all the more."""
    assert judge(but(foreign_share=0.6)) == ("held", [])


def test_void_beats_not_held_and_keeps_its_reasons() -> None:
    """A run that fell short and was the generator's fault is void, its own fault said first."""
    evidence = but(failed=7, generator=Generator(processes=2, dead=1))
    verdict, reasons = judge(evidence)
    assert verdict == "void"
    assert reasons == ["1 of 2 generator processes died", "7 requests failed"]


def test_lag_is_weighed_against_the_opening_where_no_hold_began() -> None:
    """A generator that was starved while it opened voids a run that never got to its hold."""
    own = Generator(lag_lost_s=1.5)
    evidence = but(began=False, hold_s=0.0, stop="stalled", opened_s=20.0, generator=own)
    assert judge(evidence)[0] == "void"
    assert judge(msgspec.structs.replace(evidence, opened_s=40.0))[0] == "not held"


def test_what_a_rate_leaves_over_is_not_held() -> None:
    """Requests that were due and not sent, or not answered, each make it not held."""
    paced = ByRate(intended=100, unsent=0, unfinished=0, late_s_p99=0.001)
    assert judge(but(by_rate=paced)) == ("held", [])
    for name, words in (
        ("unsent", "7 requests were due and not sent: no connection was free"),
        ("unfinished", "7 requests were not answered in the grace time"),
    ):
        changed = msgspec.structs.replace(paced, **{name: 7})
        assert judge(but(by_rate=changed)) == ("not held", [words])


def test_a_generator_that_sends_late_proves_nothing() -> None:
    """By rate, requests that go late although a connection was free make the run void."""
    paced = ByRate(intended=100, unsent=0, unfinished=0, late_s_p99=0.051)
    verdict, reasons = judge(but(by_rate=paced))
    assert verdict == "void"
    assert reasons == ["1 % of requests went 51 ms late or more; over 50 ms it proves nothing"]


def test_refused_requests_are_not_held() -> None:
    """Requests told 503 with Retry-After are a reason of their own, beside those that failed."""
    said = "7 requests were refused: 503 with Retry-After"
    assert judge(but(refused=7)) == ("not held", [said])
    assert judge(but(refused=7, failed=1))[1][-1] == said
