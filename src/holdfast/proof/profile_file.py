"""A profile's file: one versioned record of what was measured and what was fitted to it.

Decides the form and what is refused; must not know how a profile is taken or used.
"""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal

import msgspec

from holdfast.model.errors import BadInput
from holdfast.proof.files import read_whole, write_whole
from holdfast.proof.profile import Cost, Load
from holdfast.proof.result import About

VERSION: Final = 1
"""Of the file's form; one more whenever a reader of the old form would misread the new."""
KIND: Final = "holdfast profile"
ENGINE: Final = ("uvicorn", "uvloop", "httptools")
"""What a request's cost depends on beside the interpreter, where the engine is uvicorn."""


class Taken(msgspec.Struct, frozen=True):
    """A profile as it was taken: the app, where and when, the loads, and the fit.

    `programs` is what each program takes: `workers`, and each service that ran beside by its name.
    `versions` are those that a request's cost depends on: the interpreter's and the engine's.
    """

    kind: Literal["holdfast profile"]
    version: int
    app: str
    taken_at: str
    in_flight: int
    mean_time_s: float
    versions: dict[str, str]
    machine: About
    programs: dict[str, Cost]
    loads: tuple[Load, ...]
    engine: str = "uvicorn"


class _Head(msgspec.Struct):
    kind: str
    version: int


def versions_here(packages: tuple[str, ...] = ENGINE) -> dict[str, str]:
    """The versions in this environment of the interpreter, and of those packages that are there."""
    found = {"python": platform.python_version()}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write_profile(taken: Taken, path: str) -> None:
    """Write it, whole or not at all. Raises HoldfastError where the place is not writable."""
    text = msgspec.json.format(msgspec.json.encode(taken), indent=1) + b"\n"
    write_whole(text, path, "profile")


def read_profile(path: str) -> Taken:
    """Read a profile. Raises BadInput for no file, no profile, another version, or a bad number."""
    hint = "make one with `holdfast prove APP -n 2k --profile-out FILE`"
    text = read_whole(path, "profile", hint)
    try:
        head = msgspec.json.decode(text, type=_Head)
    except msgspec.DecodeError as error:
        raise BadInput(f"this is not a profile: {error}", place=path, hint=hint) from error
    if head.kind != KIND:
        raise BadInput(f"this is not a profile but a {head.kind}", place=path, hint=hint)
    if head.version != VERSION:
        fault = f"a profile of version {head.version}, {VERSION} is known"
        raise BadInput(fault, place=path, hint=hint)
    try:
        taken = msgspec.json.decode(text, type=Taken)
    except msgspec.DecodeError as error:
        raise BadInput(f"this is not a profile: {error}", place=path, hint=hint) from error
    check(taken, path)
    return taken


def check(taken: Taken, path: str) -> None:
    """Raise BadInput for a profile without workers, or with a number that nothing can take."""
    if "workers" not in taken.programs:
        raise BadInput("it has no row `programs.workers`", place=path)
    for name, cost in taken.programs.items():
        for field in ("base_bytes", "request_bytes", "idle_bytes", "request_cpu_s"):
            number = getattr(cost, field)
            if number < 0 or (name == "workers" and field == "request_bytes" and number == 0):
                fault = f"`programs.{name}.{field}` is {number:g}: nothing takes so little"
                raise BadInput(fault, place=path, hint="take the profile again")
