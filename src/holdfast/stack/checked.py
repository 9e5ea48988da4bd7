"""Whether a stack's config can be meant: refused before anything starts. Only reads."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from typing import Final

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.config import StackConfig
from holdfast.stack.edge_process import NOBODY, unprivileged
from holdfast.wire import BY_PLACES, ENGINES

WEBSOCKETS: Final = ("wsproto", "websockets")
"""Either of these packages lets uvicorn speak websockets."""
_OF_UVICORN: Final = {"uvicorn", "uvicorn-worker"}
"""The engines that are uvicorn inside."""
STATUS: Final = "/proc/self/status"
_BECOME: Final = {"CAP_CHOWN": 0, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""linux/capability.h: bits of CapEff; what root needs to make a process another user's."""
FREE_BYTES: Final = 2**20
"""Of a run folder's file system: gauge, edge's files, and the first lines of each log."""
_A_SLOT: Final = 8
"""Files of a slot: its log and the one before, and two workers' sockets, probes and paths."""
_BESIDES: Final = 32
"""Files of a stack besides its slots': lock, gauge, and what an edge writes."""


def check(config: StackConfig) -> None:
    """Raise BadInput for a config that no stack can be made of."""
    _can_be_nobody(config)
    if config.edge is not None and config.edge.front.hosts:
        if config.slots:
            raise BadInput("an edge before hosts has no slots", hint="use 0 slots")
        _has_room(config)
        return
    module, _, attribute = config.app.partition(":")
    if not module or not attribute:
        hint = "write it as `module:attribute`, like `shop:app`"
        raise BadInput(f"`{config.app}` names no app", hint=hint)
    if not os.path.isdir(config.app_dir):
        hint = "name the folder that holds the app's module"
        raise BadInput(f"there is no folder `{config.app_dir}`", place=config.app_dir, hint=hint)
    if config.slots < 1:
        raise BadInput(f"{config.slots} slots serve nothing", hint="use 1 slot or more")
    engine = ENGINES.get(config.engine)
    if engine is None:
        hint = "the engines are " + ", ".join(f"`{name}`" for name in ENGINES)
        raise BadInput(f"there is no engine `{config.engine}`", hint=hint)
    if config.cap and engine.caps in {"", BY_PLACES}:
        raise BadInput(f"the engine `{config.engine}` caps nothing", hint="leave the cap out")
    if config.places is None and engine.caps == BY_PLACES:
        fault = f"the engine `{config.engine}` lets in whoever comes"
        raise BadInput(fault, hint="give its workers `places`")
    if config.edge is not None and config.listen != "slots":
        raise BadInput("an edge dials slots, not a port", hint='use `listen` "slots"')
    _can_upgrade(config)
    _can_scale(config)
    _has_room(config)


def _can_be_nobody(config: StackConfig) -> None:
    """Raise BadInput where root may not start an edge as another user, and give it its folder."""
    if config.edge is None or unprivileged() is None:
        return
    with open(STATUS, encoding="ascii") as status:
        (word,) = (line.split()[1] for line in status if line.startswith("CapEff:"))
    missing = [name for name, bit in _BECOME.items() if not int(word, 16) >> bit & 1]
    if missing:
        raise BadInput(
            f"root without {', '.join(missing)} cannot run an edge as `{NOBODY}`",
            place=f"{STATUS} CapEff",
            hint="start it as another user, or with these capabilities, or with `--edge none`",
        )


def _can_upgrade(config: StackConfig) -> None:
    """Raise BadInput where websockets are asked for and the engine speaks none."""
    if not config.front.websockets.paths:
        return
    fault = f"`[edge.websockets]` asks for what the engine `{config.engine}` cannot"
    interface = ENGINES[config.engine].interface
    if interface == "WSGI":
        hint = "WSGI knows no websockets: leave the table out, or serve them by an ASGI app"
        raise BadInput(fault, place="edge.websockets", hint=hint)
    if config.engine in _OF_UVICORN and not any(map(find_spec, WEBSOCKETS)):
        hint = f"install `holdfast[websockets]`; uvicorn needs {' or '.join(WEBSOCKETS)}"
        raise BadInput(fault, place="edge.websockets", hint=hint)


def _can_scale(config: StackConfig) -> None:
    """Raise BadInput for what cannot be scaled by itself."""
    most = config.scale.most
    if most is None:
        return
    if most > config.most_slots:
        fault = f"{most:,} workers are too many for a stack of {config.most_slots:,} slots"
        raise BadInput(fault, place="scale.max", hint="let there be more slots, or fewer workers")
    if not config.in_flight:
        hint = "say how many requests in flight the slots are for"
        raise BadInput("nobody says what a worker holds", place="scale.max", hint=hint)


def _has_room(config: StackConfig) -> None:
    """Raise HoldfastError where the run folder's file system is full: later it would be a crash."""
    folder = os.path.abspath(config.run_dir or tempfile.gettempdir())
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    files = config.most_slots * _A_SLOT + _BESIDES
    free = found.f_bavail * found.f_frsize
    if free >= FREE_BYTES and (found.f_favail >= files or not found.f_files):
        return
    what = f"{free} bytes" if free < FREE_BYTES else f"room for {found.f_favail} files"
    raise HoldfastError(
        f"the run folder's file system has {what} left; {FREE_BYTES} and {files} files are needed",
        place=folder,
        hint="remove files there, or name another folder",
    )
