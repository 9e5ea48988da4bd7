"""From a plan to a verdict: sizes for N and the clients above it, runs the trial, judges."""

from __future__ import annotations

import msgspec

from holdfast.cli import say, show
from holdfast.cli.context import Options, Planned, plan_path
from holdfast.cli.live import show_result
from holdfast.cli.rates import Rate, proof_of
from holdfast.cli.reporting import check_report, write_report
from holdfast.cli.spoken import check_spoken
from holdfast.cli.trial import Trial, run_trial
from holdfast.proof.plan import surplus
from holdfast.proof.result import EXIT_CODES, Result, check_place, write_result

HOLD_MEAN_TIMES = 3
"""A hold lasts at least so many mean times, so that every client was answered and asked again."""


def prove_app(
    options: Options,
    hold_s: float | None,
    out: str | None,
    *,
    as_json: bool,
    report: str | None = None,
    by_rate: Rate | None = None,
    ca: str = "",
) -> int:
    """Size, start, hold, judge; the exit code is the verdict's."""
    if out is not None:
        check_place(out)
    check_report(report)
    planned = plan_with_surplus(options)
    check_spoken(planned.project.edge.tls, options.streams, ca)
    if not as_json:
        show.show_plan(planned)
        say.text()
    seconds = hold_s or HOLD_MEAN_TIMES * planned.mean_time.number
    trial = Trial(
        planned,
        options.in_flight,
        seconds,
        grace_s=10.0,
        quiet=say.is_quiet(as_json),
        proof=proof_of(by_rate),
        by_rate=by_rate,
        ca=ca,
    )
    result = run_trial(trial)
    return finish(result, planned.memory_bytes, out, as_json=as_json, report=report)


def plan_with_surplus(options: Options) -> Planned:
    """The plan for N and the clients opened above it, which depend on the rate that it implies."""
    first = plan_path(options)
    more = surplus(options.in_flight, first.demand.rate)
    return plan_path(msgspec.structs.replace(options, surplus=more))


def finish(
    result: Result,
    planned_bytes: int | None,
    out: str | None,
    *,
    as_json: bool,
    report: str | None = None,
) -> int:
    """Write the result and its report, show it, and give the verdict's exit code."""
    if out is not None:
        write_result(result, out)
    if as_json:
        say.data(result)
    else:
        show_result(result, planned_bytes)
        if out is not None:
            say.say(f"written to {out}")
    if report is not None:
        write_report(result, report)
    return EXIT_CODES[result.verdict]
