"""Which engine serves the app: its option, whether it is there, what it costs beyond uvicorn.

Decides which numbers a plan starts from; must not know how an engine is run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click
import msgspec

from holdfast.cli.options import is_said
from holdfast.facts.profiles import read_profiles
from holdfast.model.errors import BadInput
from holdfast.model.path import Hop
from holdfast.model.profile import Profile
from holdfast.model.values import Source, Value
from holdfast.readers.project import Project
from holdfast.sizing.engines import ENGINES as SIZED
from holdfast.wire import ENGINES, USUAL_ENGINE

COSTS: Final = ("base_bytes", "request_bytes", "idle_bytes", "request_cpu_s", "own_descriptors")
"""What differs from one engine to another, of an app's profile."""
PACKAGES: Final = {
    "uvicorn": ("uvicorn", "uvloop", "httptools"),
    "hypercorn": ("Hypercorn", "uvloop", "h11"),
    "granian": ("granian", "uvloop"),
    "gunicorn-asgi": ("gunicorn", "uvloop"),
    "uvicorn-worker": ("gunicorn", "uvicorn-worker", "uvicorn", "uvloop", "httptools"),
    "gevent": ("gunicorn", "gevent"),
    "gthread": ("gunicorn",),
    "sync": ("gunicorn",),
    "tornado": ("tornado", "uvloop"),
}
"""Whose versions the cost of a request depends on; the first is the engine's."""


def _names() -> str:
    """All engines, by the interface that they serve."""
    spoken = dict.fromkeys(row.interface for row in ENGINES.values())
    of = {each: [name for name, row in ENGINES.items() if row.interface == each] for each in spoken}
    return "; ".join(f"{each}: {', '.join(names)}" for each, names in of.items())


def engine_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine NAME`."""
    return click.option(
        "--engine",
        type=click.Choice(list(ENGINES)),
        metavar="NAME",
        default=USUAL_ENGINE,
        help=f"What serves the app in a worker. {_names()}.  "
        "[default: gevent or tornado where its text shows WSGI or Tornado, else uvicorn]",
    )(command)


def check_engine(name: str) -> None:
    """Raise BadInput where a package of the engine is not installed, and why it is this engine."""
    row = ENGINES[name]
    if missing := row.missing():
        install, said = f"install `holdfast[{row.extra}]`", is_said("engine")
        raise BadInput(
            f"the engine `{name}` needs `{missing[0]}`, which is not there",
            place="--engine" if said else "APP",
            hint=install if said else f"its text shows {row.interface}: {install}",
        )


def refuse_engine(name: str, hint: str) -> None:
    """Raise BadInput where an engine was asked for beside a URL."""
    if is_said("engine"):
        raise BadInput(f"`--engine {name}` contradicts a URL", place="--engine", hint=hint)


def packages_of(engine: str) -> tuple[str, ...]:
    """Whose versions a profile on this engine depends on; the engine's own is the first."""
    return PACKAGES[engine]


def engine_caps(name: str, workers: Hop) -> dict[str, Any]:
    """The fields of a stack's config that run the workers' hop on the engine."""
    engine = SIZED[name]

    def said(setting: str) -> int:
        value = workers.get(setting) if setting else None
        return 0 if value is None else int(value.number)

    cap = said(engine.serves or engine.connections)
    connections = said(engine.connections) if engine.serves else 0
    return {"engine": name, "cap": cap, "connections": connections}


def has_threads(name: str) -> bool:
    """Whether each request has a thread of its own there."""
    return bool(SIZED[name].serves)


def measured_on(project: Project) -> str:
    """The engine that the project's profile was taken on, or that an assumed one is of."""
    return USUAL_ENGINE if project.profile is None else project.profile.engine


def on_engine(worker: Profile, engine: str, measured: str) -> Profile:
    """The app's profile on the engine: what the two differ by on a plain app is added.

    Both were measured on the waiting app, which adds nothing of its own; no number falls below
    what the engine alone takes.
    """
    if engine == measured:
        return worker
    row, base = read_profiles()[engine], read_profiles()[measured]
    why = f"{engine} {row['version']} in place of {measured}, {row['date']}, {row['source']}"

    def moved(name: str) -> Value:
        told: Value = getattr(worker, name)
        least = float(row[name])
        return Value(name, max(least, told.number + least - base[name]), told.source, _why(told))

    def _why(told: Value) -> str:
        return f"{told.why}; {why}" if told.source is Source.MEASURED else why

    moves = {name: moved(name) for name in COSTS}
    return msgspec.structs.replace(worker, name=engine, version=str(row["version"]), **moves)
