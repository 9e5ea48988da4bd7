"""Options that several commands share, and how their text becomes numbers. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from holdfast.model.errors import BadInput
from holdfast.model.units import parse_count, parse_seconds


class Parsed(click.ParamType[Any]):
    """A parameter read by one of the parsers of `model.units`; its fault is the command's."""

    def __init__(self, name: str, parse: Callable[[str], Any], *, zero: bool = False) -> None:
        self.name = name
        self._parse = parse
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a fault names the option it was given to."""
        if not isinstance(value, str) or (self._zero and value == "0"):
            return int(value) if isinstance(value, str) else value
        try:
            return self._parse(value)
        except BadInput as bad:
            bad.place = bad.place or (param.opts[0] if param is not None else None)
            raise


COUNT = Parsed("count", parse_count)
COUNT_OR_ZERO = Parsed("count", parse_count, zero=True)
SECONDS = Parsed("duration", parse_seconds)

Command = Callable[..., Any]


def demand_options(in_flight: str | None, *, required: bool = True) -> Callable[[Command], Command]:
    """`--in-flight` and what describes how the requests arrive."""

    def add(command: Command) -> Command:
        options: list[Callable[[Command], Command]] = [
            click.option(
                "--in-flight",
                "-n",
                type=COUNT,
                **({"required": required} if in_flight is None else {"default": in_flight}),
                show_default=in_flight is not None,
                help="Requests sent and not yet answered, at once: 50k.",
            ),
            click.option(
                "--idle",
                type=COUNT_OR_ZERO,
                default=None,
                help="Idle keep-alive clients beside them.",
            ),
            click.option(
                "--mean-time",
                type=SECONDS,
                default=None,
                help="Mean time of a request in the system; with N it makes the rate.",
            ),
            click.option(
                "--burst",
                type=COUNT_OR_ZERO,
                default=None,
                help="Requests that arrive within one second  [default: one second of the rate]",
            ),
            streams_option,
        ]
        for option in reversed(options):
            command = option(command)
        return command

    return add


def streams_option(command: Command) -> Command:
    """`--streams K`: 1 is HTTP/1.1."""
    return click.option(
        "--streams",
        type=COUNT,
        default="1",
        show_default=True,
        help="Requests that one client connection carries (HTTP/2).",
    )(command)


def app_options(command: Command) -> Command:
    """Where the app is, and what is known of it."""
    command = profile_option(command)
    command = click.option(
        "--config",
        type=click.Path(),
        default=None,
        help="The app's holdfast.toml  [default: beside the app, if there]",
    )(command)
    return click.option(
        "--app-dir", type=click.Path(), default=".", help="Folder that the app is imported from."
    )(command)


def report_option(command: Command) -> Command:
    """`--report FILE`: the result as one HTML page too."""
    option = click.option("--report", type=click.Path(dir_okay=False), help="Report (HTML).")
    return option(command)


def profile_option(command: Command) -> Command:
    """`--profile`: what a request costs, from a file instead of holdfast.toml or assumptions."""
    return click.option(
        "--profile",
        type=click.Path(dir_okay=False),
        default=None,
        help="A profile to plan from (`prove --profile-out`).",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`: the answer as JSON on stdout, talk on stderr."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")(command)


def is_said(name: str) -> bool:
    """Whether the command line says the option, rather than its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def check_app(app: str) -> None:
    """An app is written module:attribute; anything else is bad input before anything starts."""
    module, _, attribute = app.partition(":")
    if not module or not attribute:
        hint = "write it as `module:attribute`, like `shop:app`"
        raise BadInput(f"`{app}` names no app", place="APP", hint=hint)
