"""One trial: services, stack, load and proof of a sized path, started and stopped together."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

import msgspec

from holdfast.cli import say
from holdfast.cli.context import Planned
from holdfast.cli.live import live_line, starting
from holdfast.cli.rates import Rate
from holdfast.cli.services import Services, free_ports
from holdfast.cli.up import stack_config
from holdfast.load.plan import LoadPlan
from holdfast.model.units import plural
from holdfast.proof.machine import Machine
from holdfast.proof.plan import ProofPlan
from holdfast.proof.planned import planned_path
from holdfast.proof.result import Result
from holdfast.proof.run import Proof
from holdfast.stack.config import StackConfig
from holdfast.stack.process import StackProcess
from holdfast.stack.warden import Brood

OPEN_CEILING_S = 400.0


class Trial(msgspec.Struct, frozen=True):
    """What a trial needs besides the plan.

    `proof` makes the proof; `apart`: each service is counted by itself, by its name.
    """

    planned: Planned
    asked: int
    hold_s: float
    grace_s: float
    port: int = 0
    quiet: bool = False
    proof: Callable[..., Proof] = Proof
    apart: bool = False
    by_rate: Rate | None = None
    ca: str = ""


def run_trial(trial: Trial) -> Result:
    """Start everything, hold, let go, stop everything; the verdict is in the result.

    An interrupt at any moment stops it all; what was measured is in the result, if load had begun.
    """
    started = Machine.read()
    with ExitStack() as afterwards, ExitStack() as cleanup:
        brood = cleanup.enter_context(Brood())
        services = Services(trial.planned, brood)
        cleanup.callback(services.stop)
        with starting(trial.quiet) as step:
            services.start(step)
        config = stack_config(
            trial.planned,
            address="127.0.0.1",
            port=trial.port or free_ports(1)[0],
            grace_s=trial.grace_s,
            env=services.env,
        )
        stack = cleanup.enter_context(StackProcess(config))
        workers = plural(config.slots, "worker")
        with starting(trial.quiet) as step:
            step(f"starting {workers}")
            stack.start()
            stack.wait_until_ready(on_ready=lambda n: step(f"starting {workers}", f"{n:,} ready"))
        if not trial.quiet:
            scheme = "http" if trial.planned.project.edge.tls is None else "https"
            say.say(f"{workers} at {scheme}://{stack.address}:{stack.port}")
        result = _prove(trial, config, stack, services, started)
        # Stopping is bounded in time; a second Ctrl-C meanwhile must not cost the result.
        afterwards.enter_context(stop_on_signal(lambda: None))
        return result


def _prove(
    trial: Trial, config: StackConfig, stack: StackProcess, services: Services, started: Machine
) -> Result:
    planned, demand = trial.planned, trial.planned.demand
    row = planned.project.demand
    tls = planned.project.edge.tls
    names = tls.hostnames if tls is not None and trial.ca else ()
    load = LoadPlan(
        address=stack.address,
        port=stack.port,
        host=f"{names[0] if names else stack.address}:{stack.port}",
        path=row.path,
        ids=row.ids,
        clients=demand.in_flight,
        idle=demand.idle,
        idle_path=row.idle_path,
        processes=planned.path.hop("clients").processes,
        nonce="require",
        tls=tls is not None,
        ca=trial.ca,
        streams=planned.options.streams,
    )
    plan = ProofPlan(
        asked=trial.asked,
        clients=demand.in_flight,
        idle=demand.idle,
        hold_s=trial.hold_s,
        load=load,
        open_rate=planned.open_rate,
        open_ceiling_s=OPEN_CEILING_S,
        backlog_total=None,
        mean_time_s=planned.mean_time.number,
        grace_s=trial.grace_s,
        slots_room=None if config.edge is None else config.slots * stack.serving.backlog,
    )
    if trial.by_rate is not None:
        plan = trial.by_rate.proof_plan(plan)
    if not trial.quiet:
        clients = plural(plan.clients + plan.idle, "client")
        say.say(f"{clients} to open, in {plural(plan.load.processes, 'generator process')}")
    with live_line(trial.quiet, plan) as on_moment:
        proof = trial.proof(
            plan,
            in_flight=stack.gauge.in_flight,
            groups=lambda: {
                "workers": [worker.pid for worker in stack.workers()],
                **({"edge": list(stack.edge_pids())} if config.edge is not None else {}),
                **services.groups(apart=trial.apart),
                "supervisor": [stack.supervisor_pid],
            },
            on_moment=on_moment,
            started=started,
            planned=planned_path(demand, planned.walls, planned.memory_by_hop()),
            ports=services.ports,
        )
        with stop_on_signal(proof.stop):
            return proof.run()


class stop_on_signal:  # noqa: N801 - reads as a context at its use
    """SIGINT and SIGTERM call `stop` instead of raising, while the context lasts."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
