"""`holdfast down`: a running stack finishes what it holds, and ends."""

from __future__ import annotations

import click

from holdfast.cli.options import json_option
from holdfast.cli.ordered import carry_out
from holdfast.cli.running import stack_argument
from holdfast.stack.orders import Down


@click.command()
@stack_argument
@click.option("--now", is_flag=True, help="Kill what runs; requests in flight are lost.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is over.")
@json_option
def down(stack: str, now: bool, no_wait: bool, as_json: bool) -> int:
    """Refuse new connections, finish what is in flight within the grace time, and end.

    The exit code is 1 where requests were cut. STACK is a port, an address and port, or a run
    folder; the only one that runs needs no name.

    \b
    holdfast down
    holdfast down 8000 --now
    kill -TERM SUPERVISOR                      the same as without `--now`; twice: with it
    """
    return carry_out(stack, Down(hurry=now), wait=not no_wait, as_json=as_json)
