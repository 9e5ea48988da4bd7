"""What a stack does by itself: the tables `[care]` and `[scale]`, with what the plan says of them.

Starts nothing; what is done, `policy` decides.
"""

from __future__ import annotations

import msgspec

from holdfast.cli.context import Planned
from holdfast.model.errors import BadInput
from holdfast.stack.config import StackConfig


def cared(planned: Planned, config: StackConfig) -> StackConfig:
    """The stack, which looks after its workers and scales as its project says.

    Raises BadInput where there may not be as many workers as `[scale]` says.
    """
    if not config.slots:
        return config
    care, scale = planned.project.care, planned.project.scale
    if scale.most is not None and scale.most > config.most_slots:
        fault = f"`max` of `[scale]` is {scale.most:,}, and {config.most_slots:,} workers fit"
        hint = f"write {config.most_slots:,}: {config.most_why}"
        raise BadInput(fault, place="[scale]", hint=hint)
    care = msgspec.structs.replace(care, memory=int(planned.worker_memory().number))
    return msgspec.structs.replace(config, care=care, scale=scale)
