"""The host that a plan is made for: this one, or another one that options describe."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import click
import msgspec

from holdfast.cli.options import COUNT, Parsed
from holdfast.facts.hosts import read_defaults
from holdfast.model.errors import BadInput
from holdfast.model.path import Count, Host
from holdfast.model.units import parse_bytes
from holdfast.model.values import Source, Value, assumed
from holdfast.observe.disk import read_disk
from holdfast.observe.host import read_host


class Elsewhere(msgspec.Struct, frozen=True):
    """What the options say of another host: cores, bytes that the path may take, descriptors."""

    cores: float | None = None
    memory: int | None = None
    nofile: int | None = None


def host_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--cores`, `--memory` and `--nofile`: plan for another host than this one."""
    size = Parsed("size", parse_bytes)
    for option in (
        click.option("--nofile", type=COUNT, help="Its hard limit of descriptors a process."),
        click.option("--memory", type=size, help="Memory that the path may take there: 24GiB."),
        click.option(
            "--cores",
            type=click.FloatRange(min=0, min_open=True),
            help="Plan for another host, of so many cores.",
        ),
    ):
        command = option(command)
    return command


def planned_host(told: Elsewhere) -> Host:
    """The host as told, what is not told being Debian 12's default; this host if nothing is."""
    if told == Elsewhere():
        host = read_host()
        disk = read_disk(tempfile.gettempdir())
        return msgspec.structs.replace(host, values=(*host.values, disk))
    if told.cores is None or told.memory is None:
        missing = "--cores" if told.cores is None else "--memory"
        hint = "say both, like `--cores 16 --memory 32GiB`"
        raise BadInput("another host needs its cores and its memory", place=missing, hint=hint)
    values = [
        Value("cores", told.cores, Source.WRITTEN, "--cores"),
        Value("memory_available", told.memory, Source.WRITTEN, "--memory"),
        *(assumed(setting, value, why) for setting, (value, why) in read_defaults().items()),
    ]
    if told.nofile is not None:
        values = [value for value in values if value.setting != "nofile_hard"]
        values.append(Value("nofile_hard", told.nofile, Source.WRITTEN, "--nofile"))
    return Host("there", Count(), told.cores, told.memory, tuple(values))
