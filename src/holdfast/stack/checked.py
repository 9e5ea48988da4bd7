"""Whether a stack's config can be meant: refused before anything starts. Looks at the disk only."""

from __future__ import annotations

import os

from holdfast.model.errors import BadInput
from holdfast.stack.config import StackConfig


def check(config: StackConfig) -> None:
    """Raise BadInput for a config that no stack can be made of."""
    module, _, attribute = config.app.partition(":")
    if not module or not attribute:
        hint = "write it as `module:attribute`, like `shop:app`"
        raise BadInput(f"`{config.app}` names no app", hint=hint)
    if not os.path.isdir(config.app_dir):
        hint = "name the folder that holds the app's module"
        raise BadInput(f"there is no folder `{config.app_dir}`", place=config.app_dir, hint=hint)
    if config.slots < 1:
        raise BadInput(f"{config.slots} slots serve nothing", hint="use 1 slot or more")
    if config.edge is not None and config.listen != "slots":
        raise BadInput("an edge dials slots, not a port", hint='use `listen` "slots"')
