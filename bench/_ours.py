"""An app as `holdfast up` runs it, on any engine behind any edge, for benches that only load it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from holdfast.cli.context import Options, plan_path
from holdfast.cli.up import stack_config
from holdfast.stack.process import StackProcess

Server = tuple[int, dict[str, tuple[int, ...]]]
"""The port that clients dial, and the processes of the edge and of the workers."""
USUAL: Final = 20_000
IN_FLIGHT: Final = {"gthread": 2_000, "sync": 2_000}
"""A stack is sized for so many: two workers. One of few requests in a process has eight."""


def sized_for(engine: str) -> int:
    """Requests in flight that a stack of the engine is sized for."""
    return IN_FLIGHT.get(engine, USUAL)


@contextmanager
def ours(
    engine: str, edge: str, app: str, folder: Path, *, slots: int = 0, **env: str
) -> Iterator[Server]:
    """The stack, with as many workers as its plan has, or `slots` of them.

    sync is planned as gthread is: of more than a request in each worker its plan is never sure.
    """
    planned_as = "gthread" if engine == "sync" else engine
    options = Options(app, str(folder), None, sized_for(engine), edge=edge, engine=planned_as)
    config = stack_config(plan_path(options), address="127.0.0.1", port=0, grace_s=10.0, env=env)
    config = msgspec.structs.replace(config, slots=slots or config.slots)
    if engine == "sync":
        config = msgspec.structs.replace(config, engine=engine, cap=0, connections=0)
    with StackProcess(config) as process:
        process.start()
        process.wait_until_ready(120)
        workers = tuple(worker.pid for worker in process.workers())
        groups = {"workers": workers, "edge": process.edge_pids()}
        yield process.port, {name: pids for name, pids in groups.items() if pids}
