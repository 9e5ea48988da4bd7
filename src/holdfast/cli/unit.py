"""`holdfast up --print-unit`: the same command line as a unit of systemd's. Starts nothing."""

from __future__ import annotations

import os
import pwd
import re
import sys

from holdfast.cli.context import Planned
from holdfast.model.errors import BadInput
from holdfast.model.units import format_seconds
from holdfast.model.values import derived
from holdfast.policy.decide import LAST_CALL_S
from holdfast.sizing import service
from holdfast.stack.config import StackConfig
from holdfast.stack.process import MARGIN_S
from holdfast.writers import systemd_unit

PRINT = "--print-unit"


def unit_text(planned: Planned, config: StackConfig, words: tuple[str, ...]) -> str:
    """The unit that runs `holdfast up WORDS` in this folder, as who asks for it; root as nobody."""
    if config.run_dir:
        hint = "leave it out: systemd makes one, and removes it"
        raise BadInput("the unit has a run folder of its own", place="--run-dir", hint=hint)
    path, at_once = planned.path, config.most_slots + (config.drains or config.most_slots)
    edge = config.front.tls
    stop_s = config.grace_s + LAST_CALL_S + MARGIN_S
    why = f"{format_seconds(config.grace_s)} to finish requests + {LAST_CALL_S + MARGIN_S:g} s to "
    values = (
        service.files(path, at_once),
        service.tasks(path, at_once),
        derived("stop_s", stop_s, f"{why}end; it asks for more where that takes longer"),
    )
    unit = systemd_unit.Unit(
        name=_name(config.app),
        app=config.app or "the edge",
        in_flight=planned.demand.in_flight,
        command=(sys.executable, "-P", "-m", "holdfast"),
        words=tuple(word for word in words if word != PRINT),
        folder=os.getcwd(),
        user="" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name,
        ports=(config.port, 0 if edge is None else edge.redirect or 0),
        values=values,
        memory_bytes=planned.memory_bytes,
    )
    (text,) = systemd_unit.render(unit).values()
    return text


def _name(app: str) -> str:
    """Of the package or module that the app is in."""
    return f"holdfast-{re.sub(r'[^A-Za-z0-9_]+', '-', re.split('[.:]', app)[0]) or 'edge'}"
