"""Profiles on the command line: takes one beside a proof, and gives a plan the numbers of one.

Decides the loads and what of a profile is used; must not know how a line is fitted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.cli import say, show
from holdfast.cli.context import Options, Planned
from holdfast.cli.engines import packages_of
from holdfast.cli.reporting import check_report
from holdfast.cli.trial import Trial, run_trial
from holdfast.cli.verdict import HOLD_MEAN_TIMES, finish, plan_with_surplus
from holdfast.model.errors import BadInput
from holdfast.model.units import format_bytes, format_seconds
from holdfast.programs.kernel import socket_ends, units_at_once, units_made
from holdfast.proof.climb import Climb
from holdfast.proof.files import check_writable
from holdfast.proof.plan import ProofPlan
from holdfast.proof.profile import Cost, Unfit, fit_service, fit_workers
from holdfast.proof.profile_file import KIND, VERSION, Taken, versions_here, write_profile
from holdfast.proof.result import EXIT_CODES
from holdfast.proof.summary import describe
from holdfast.proof.watch import WORKERS

LEAST = 200
"""Below this a step of the climb differs from the next by less than a process's memory moves."""
MEAN_TIME_S = 6.0
"""Short, so that steps are soon over and many are answered; long enough for 1 ms of processor."""
GRACE_S = 10.0
"""What requests in flight at the end are given to finish."""
IDLE_SHARE = 2
"""One idle client beside so many in flight, where nothing is said."""


def profile_app(
    options: Options,
    hold_s: float | None,
    out: str | None,
    profile_out: str,
    *,
    as_json: bool,
    report: str | None = None,
) -> int:
    """Prove as `prove` does, with the clients in steps, and write what a request costs.

    The exit code is the verdict's; 3 as well where no line fits, and then nothing is written.
    """
    _check(options, out, profile_out)
    check_report(report)
    planned = plan_with_surplus(
        msgspec.structs.replace(
            options,
            idle=options.idle or options.in_flight // IDLE_SHARE,
            usual_time_s=MEAN_TIME_S,
        )
    )
    if not as_json:
        show.show_plan(planned)
        say.text()
    seconds = hold_s or HOLD_MEAN_TIMES * planned.mean_time.number
    climbs: list[Climb] = []

    def climb(plan: ProofPlan, **given: Any) -> Climb:
        climbs.append(Climb(plan, **given))
        return climbs[-1]

    trial = Trial(
        planned,
        options.in_flight,
        seconds,
        GRACE_S,
        quiet=say.is_quiet(as_json),
        proof=climb,
        apart=True,
    )
    result = run_trial(trial)
    code = finish(result, planned.memory_bytes, out, as_json=as_json, report=report)
    if code != EXIT_CODES["held"]:
        say.say("no profile is written: the load was not held")
        return code
    try:
        taken = take(planned, climbs[-1])
    except Unfit as unfit:
        unfit.place = profile_out
        raise
    write_profile(taken, profile_out)
    _show(taken)
    say.say(f"written to {profile_out}")
    return code


def _check(options: Options, out: str | None, profile_out: str) -> None:
    """Raise now what would be raised at the end: a place that is not writable, too few requests."""
    for path, what in ((out, "result"), (profile_out, "profile")):
        if path is not None:
            check_writable(path, what)
    if options.in_flight < LEAST:
        fault = f"{options.in_flight} in flight are too few for a profile"
        raise BadInput(fault, place="--in-flight", hint=f"hold {LEAST} or more; 2k is usual")


def take(planned: Planned, proof: Climb) -> Taken:
    """What was measured and what fits it; raises Unfit where nothing does."""
    demand, workers = planned.demand, planned.path.hop(WORKERS)
    ends = socket_ends(workers, planned.path, demand).request
    programs = {WORKERS: fit_workers(proof.loads, open_before=proof.open_before, ends=ends)}
    for name, row in planned.project.services.items():
        hop = planned.path.hop(name)
        if row.command and (held := units_at_once(hop, demand)):
            made = units_made(hop, demand)
            programs[name] = fit_service(proof.loads, name, calls_held=held, calls_made=made)
    return Taken(
        kind=KIND,
        version=VERSION,
        app=planned.options.app or planned.project.app,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        in_flight=planned.options.in_flight,
        mean_time_s=planned.mean_time.number,
        versions=versions_here(packages_of(planned.options.engine)),
        engine=planned.options.engine,
        machine=describe(),
        programs=programs,
        loads=tuple(proof.loads),
    )


def _show(taken: Taken) -> None:
    """The fit for people, to stderr, each number with its doubt."""
    for name, cost in taken.programs.items():
        say.say(f"{name}: {_words(cost)}")


def _words(cost: Cost) -> str:
    return (
        f"{format_bytes(cost.base_bytes)} a process, {cost.request_bytes:,.0f} bytes a request "
        f"(give or take {cost.request_bytes_off:,.0f}), {cost.idle_bytes:,.0f} an idle client, "
        f"{format_seconds(cost.request_cpu_s)} of processor a request"
    )
