"""`holdfast scale`: more or fewer workers in a running stack."""

from __future__ import annotations

import click

from holdfast.cli.options import json_option
from holdfast.cli.ordered import carry_out
from holdfast.cli.running import stack_argument
from holdfast.model.errors import BadInput
from holdfast.stack.orders import Scale


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("workers")
@stack_argument
@click.option("--no-wait", is_flag=True, help="Do not wait until it is over.")
@json_option
def scale(workers: str, stack: str, no_wait: bool, as_json: bool) -> int:
    """Run WORKERS workers from now on; `+1` and `-1` are one more and one fewer.

    New ones get their share as soon as they answer; those above the number take no more, finish
    what they hold within the grace time, and end. `holdfast status` says what so many hold. STACK
    is a port, an address and port, or a run folder; the only one that runs needs no name.

    \b
    holdfast scale 8
    holdfast scale +1 127.0.0.1:8000
    kill -TTIN SUPERVISOR                      one more; TTOU: one fewer
    """
    return carry_out(stack, wanted(workers), wait=not no_wait, as_json=as_json)


def wanted(workers: str) -> Scale:
    """The order of `8`, `+1` or `-2`; raises BadInput for anything else."""
    try:
        number = int(workers)
    except ValueError:
        hint = "write a number, or how many more: `8`, `+1`, `-1`"
        raise BadInput(f"`{workers}` is no number", place="WORKERS", hint=hint) from None
    return Scale(by=number) if workers[0] in "+-" else Scale(number)
