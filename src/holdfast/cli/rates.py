"""`prove --rate`: its options, and how they turn a proof of N into one by rate. Starts nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click
import msgspec

from holdfast.cli.opening import BY_STREAMS, GENERATOR, OVER_TLS, generator_row
from holdfast.cli.options import COUNT, SECONDS, Command
from holdfast.load.plan import Arrivals
from holdfast.model.errors import BadInput
from holdfast.proof.plan import ProofPlan
from holdfast.proof.rate import RateProof, warm_connections
from holdfast.proof.run import Proof

USUAL_FOR_S = 30.0
USUAL_TIME_S = 1.0
"""Where no mean time is known there are connections for a second's requests."""
RATES_OF_ONE = {GENERATOR: 40_000, OVER_TLS: 20_000, BY_STREAMS: 6_000}
"""Requests a second of one process: half of what it can do, by what it speaks
(`scripts/bench generator`, `scripts/bench generator_profile`)."""


class Rate(msgspec.Struct, frozen=True):
    """What was asked of a run by rate."""

    rate: int
    arrivals: Arrivals
    for_s: float
    connections: int | None

    def in_flight(self, mean_time_s: float | None) -> int:
        """Requests at once to provide for: as told, or rate x mean time (one second if unknown)."""
        return self.connections or math.ceil(self.rate * (mean_time_s or USUAL_TIME_S))

    def proof_plan(self, plan: ProofPlan) -> ProofPlan:
        """The plan for N in flight, made one by rate."""
        most = self.connections or plan.load.clients
        row = generator_row(tls=plan.load.tls, streams=plan.load.streams)
        processes = math.ceil(self.rate / RATES_OF_ONE[row])
        processes = min(max(plan.load.processes, processes), most)
        load = msgspec.structs.replace(
            plan.load,
            rate=float(self.rate),
            arrivals=self.arrivals,
            for_s=self.for_s,
            clients=most,
            processes=processes,
        )
        warm = warm_connections(self.rate, most, processes)
        return msgspec.structs.replace(
            plan, asked=0, clients=warm, hold_s=self.for_s, load=load, mean_time_s=None
        )


def proof_of(by_rate: Rate | None) -> type[Proof]:
    """What carries the proof out."""
    return Proof if by_rate is None else RateProof


def rate_options(command: Command) -> Command:
    """`--rate` and what goes with it."""
    options: list[Callable[[Command], Command]] = [
        click.option("--rate", type=COUNT, default=None, help="Requests a second to send instead."),
        click.option(
            "--arrivals",
            type=click.Choice(["constant", "poisson"]),
            default=None,
            help="How they arrive, by rate.  [default: constant]",
        ),
        click.option(
            "--for", "for_s", type=SECONDS, default=None, help="How long, by rate. [30 s]"
        ),
        click.option(
            "--connections",
            type=COUNT,
            default=None,
            help="Most connections, by rate.  [default: rate x mean time, or x 1 s]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def take_rate(given: dict[str, Any]) -> Rate | None:
    """Take the options of `--rate` out of what was given. Raises BadInput where they contradict."""
    rate, arrivals, for_s, connections = (
        given.pop(name) for name in ("rate", "arrivals", "for_s", "connections")
    )
    if rate is None:
        for name, value in (("--arrivals", arrivals), ("--for", for_s)):
            if value is not None:
                raise BadInput(f"`{name}` is for a run by rate", place=name, hint="add `--rate 2k`")
        if connections is not None:
            hint = "add `--rate 2k`, or ask for `--in-flight`"
            raise BadInput("`--connections` is for a run by rate", place="--connections", hint=hint)
        if given["in_flight"] is None:
            hint = "add `--in-flight 2k` to hold so many at once, or `--rate 2k` to send so many/s"
            raise BadInput("nothing is asked for", place="--in-flight", hint=hint)
        return None
    for name, option, hint in (
        ("in_flight", "--in-flight", "leave one out; `--connections` bounds a run by rate"),
        ("hold_s", "--hold", "say `--for 30s`: a rate is kept, not held"),
    ):
        if given[name] is not None:
            raise BadInput(f"`{option}` contradicts `--rate`", place=option, hint=hint)
    return Rate(rate, arrivals or "constant", for_s or USUAL_FOR_S, connections)
