"""`holdfast drain`: a running stack lets nobody in any more, and finishes what it holds."""

from __future__ import annotations

import click

from holdfast.cli.options import json_option
from holdfast.cli.ordered import carry_out
from holdfast.cli.running import stack_argument
from holdfast.stack.orders import Drain


@click.command()
@stack_argument
@click.option("--no-wait", is_flag=True, help="Do not wait until it is over.")
@json_option
def drain(stack: str, no_wait: bool, as_json: bool) -> int:
    """Refuse new connections, and finish what is in flight within the grace time.

    The stack stays, without workers, until `holdfast down`: its logs and its status can be read.
    The exit code is 1 where the grace time was not enough and requests were cut. STACK is a port,
    an address and port, or a run folder; the only one that runs needs no name.

    \b
    holdfast drain
    holdfast down
    """
    return carry_out(stack, Drain(), wait=not no_wait, as_json=as_json)
