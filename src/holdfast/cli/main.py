"""The command line: reads arguments, calls one command, turns faults into exit codes."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from holdfast import __version__
from holdfast.cli import say
from holdfast.model.errors import BadInput, HoldfastError

COMMANDS = ("plan", "up", "prove", "demo")


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


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 79},
)
@click.version_option(__version__, prog_name="holdfast")
def holdfast() -> None:
    """Takes one number, sizes every limit on the way, and proves that it held.

    \b
    holdfast demo                              50,000 in flight, here, now
    holdfast plan shop:app --in-flight 50k     what that takes on this machine
    holdfast up shop:app --in-flight 50k       run the app at that size
    holdfast prove http://127.0.0.1:8000/ -n 2k   hold 2,000 there, and judge

    Exit codes: 0 holds, 1 does not, 2 bad input or impossible, 3 void.
    """


def main() -> None:
    """Run the command line; a fault that we know is never shown as a traceback."""
    try:
        code = holdfast.main(prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        say.fault(error)
        code = error.exit_code
    except click.UsageError as wrong:
        where = wrong.ctx.command_path if wrong.ctx is not None else "holdfast"
        say.fault(BadInput(wrong.format_message(), hint=f"see `{where} --help`"))
        code = 2
    except (click.Abort, KeyboardInterrupt):
        say.say("interrupted")
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
