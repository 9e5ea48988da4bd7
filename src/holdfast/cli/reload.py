"""`holdfast reload`: every worker of a running stack anew, without losing a request."""

from __future__ import annotations

import click

from holdfast.cli.options import json_option
from holdfast.cli.ordered import carry_out
from holdfast.cli.running import stack_argument
from holdfast.stack.orders import Reload


@click.command()
@stack_argument
@click.option("--no-wait", is_flag=True, help="Do not wait until it is over.")
@json_option
def reload(stack: str, no_wait: bool, as_json: bool) -> int:
    """Put new workers in the place of all that run: they import the app as it is now.

    One after the other a new worker starts; once it answers it has the slot, and the one before
    takes no more, finishes what it holds within the grace time, and ends. A new worker that dies
    before it answers changes nothing: its last output is shown, and who served before serves on.
    Ctrl-C ends the waiting, not the reload. STACK is a port, an address and port, or a run folder;
    the only one that runs needs no name.

    \b
    holdfast reload
    holdfast reload 8000 --no-wait
    kill -HUP SUPERVISOR                       the same
    """
    return carry_out(stack, Reload(), wait=not no_wait, as_json=as_json)
