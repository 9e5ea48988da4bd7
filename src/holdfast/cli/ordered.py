"""An order that takes its time: says what happens until it is over. Shared by its commands."""

from __future__ import annotations

from typing import Final

from holdfast.cli import say
from holdfast.cli.running import ask, find_control
from holdfast.stack.orders import Done, Order, Running

INTERRUPTED: Final = 130


def carry_out(stack: str, order: Order, *, wait: bool = True, as_json: bool = False) -> int:
    """Give it, and say each event; the exit code. Without `wait`, only that it was taken.

    Ctrl-C ends the waiting: what was ordered is the supervisor's.
    """
    try:
        return _hear(stack, order, wait, as_json)
    except KeyboardInterrupt:
        say.say("interrupted; what was asked for goes on: `holdfast status` says how far it is")
        return INTERRUPTED


def _hear(stack: str, order: Order, wait: bool, as_json: bool) -> int:
    for answer in ask(find_control(stack), order):
        if isinstance(answer, Done):
            return answer.exit_code
        if isinstance(answer, Running):
            continue
        if as_json:
            say.event_json(answer)
        else:
            say.event_line(answer)
        if not wait:
            return 0
    return 0
