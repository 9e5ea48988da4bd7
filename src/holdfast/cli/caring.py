"""What a stack does by itself: the tables `[care]` and `[scale]`, with what the plan says of them.

Starts nothing; what is done, `policy` decides.
"""

from __future__ import annotations

import msgspec

from holdfast.cli.context import Planned
from holdfast.model.errors import BadInput
from holdfast.stack.config import StackConfig


def cared(planned: Planned, config: StackConfig, max_workers: int | None = None) -> StackConfig:
    """The stack, which looks after its workers and scales as its project says.

    Raises BadInput where there may not be as many workers as `--max-workers` or `[scale]` says.
    """
    if not config.slots:
        return config
    care, scale = planned.project.care, planned.project.scale
    if max_workers is not None:
        _check_most(max_workers, "`--max-workers`", "--max-workers", config)
        if max_workers < config.slots:
            fault = f"`--max-workers` is {max_workers:,}, and {config.slots:,} are planned"
            raise BadInput(fault, place="--max-workers", hint=f"write {config.slots:,} or more")
    if scale.most is not None:
        _check_most(scale.most, "`max` of `[scale]`", "[scale]", config)
    care = msgspec.structs.replace(care, memory=int(planned.worker_memory().number))
    return msgspec.structs.replace(config, care=care, scale=scale)


def _check_most(asked: int, name: str, place: str, config: StackConfig) -> None:
    most = config.most_slots
    if asked > most:
        fault = f"{name} is {asked:,}, and {most:,} workers fit"
        raise BadInput(fault, place=place, hint=f"write {most:,}: {config.most_why}")
