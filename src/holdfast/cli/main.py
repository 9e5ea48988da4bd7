"""The command line: reads arguments, calls one command, turns faults into exit codes."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module

import click

from holdfast import __version__
from holdfast.cli import say
from holdfast.model.errors import BadInput, HoldfastError

COMMANDS = (
    *("audit", "explain", "plan", "tune", "up", "status", "reload", "scale", "drain", "down"),
    *("logs", "prove", "demo", "results"),
)


class Commands(click.Group):
    """Imports a command's rooms when it is asked for, so that `plan` starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"holdfast.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what it could not print is told here, or click would call it 1."""
        try:
            return super().invoke(ctx)
        except OSError as wrong:
            return say.unheard(wrong)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; for any other the nearest one is the hint."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean `holdfast {near[0]}`?" if near else "see `holdfast --help`"
            raise BadInput(f"`{name}` is not a command", hint=hint)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 79},
)
@click.version_option(__version__, prog_name="holdfast")
def holdfast() -> None:
    """Says what files hold; takes one number, sizes every limit on the way, and proves it.

    \b
    holdfast audit /etc/nginx gunicorn.conf.py what these files hold, and why
    holdfast demo                              50,000 in flight, here, now
    holdfast plan shop:app --in-flight 50k     what that takes on this machine
    holdfast tune shop:app --in-flight 50k     what this machine lacks for it
    holdfast up shop:app --in-flight 50k       run the app at that size
    holdfast reload                            new code, and no request lost
    holdfast prove http://127.0.0.1:8000/ -n 2k   hold 2,000 there, and judge
    holdfast results compare a.json b.json     what changed, and is it noise

    Exit codes: 0 holds, 1 does not, 2 bad input or impossible, 3 void.
    """


def main() -> None:
    """Run the command line; a fault that we know is never shown as a traceback."""
    try:
        code = _run()
        say.flush()
    except OSError as wrong:
        code = say.unheard(wrong)
    sys.exit(code)


def _run() -> int:
    try:
        code = holdfast.main(prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        say.fault(error)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message())
        return 0
    except click.UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx is not None else "holdfast"
        say.fault(BadInput(wrong.format_message(), hint=f"see `{where} --help`"))
        return 2
    except (click.Abort, KeyboardInterrupt):
        say.say("interrupted; whatever was started has been stopped")
        return 130
    return code if isinstance(code, int) else 0
