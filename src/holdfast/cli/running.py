"""Finding a stack that runs and giving it an order: what its commands share. Prints nothing."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import click
import msgspec

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.config import EdgeEvent, Event, Failed, StackEvent
from holdfast.stack.orders import Answer, Done, Order, Running, Status
from holdfast.stack.register import Entry, find_entries
from holdfast.stack.run_dir import CONTROL

PATIENCE_S: Final = 10.0
"""A supervisor that is not stopped answers a status within milliseconds."""
_USUAL: Final = "127.0.0.1"
Command = Callable[..., Any]


def stack_argument(command: Command) -> Command:
    """STACK: which one, where several run."""
    return click.argument("stack", default="")(command)


def find_control(stack: str) -> str:
    """The control socket of a stack by its port, its address and port, or its run folder.

    Without any it is the only one of this user that runs. Raises BadInput.
    """
    if stack and os.path.isdir(stack):
        return os.path.join(os.path.abspath(stack), CONTROL)
    entries = find_entries()
    if not stack:
        if len(entries) == 1:
            return entries[0].control
        if not entries:
            hint = "`holdfast up` starts one; another user's is found by that user alone"
            raise BadInput("no stack of yours runs here", hint=hint)
        raise BadInput(f"{len(entries)} stacks run here", place="STACK", hint=_choices(entries))
    address, port = _place(stack)
    found = [e for e in entries if e.port == port and (not address or e.address == address)]
    if len(found) == 1:
        return found[0].control
    fault = f"{len(found)} stacks of yours serve" if found else "no stack of yours serves"
    hint = _choices(entries) if entries else "`holdfast up` starts one"
    raise BadInput(f"{fault} `{stack}`", place="STACK", hint=hint)


def _place(stack: str) -> tuple[str, int]:
    """Address and port of `8000`, `:8000`, `127.0.0.1:8000` or `[::1]:8000`."""
    host, _, port = stack.rpartition(":")
    host = host.strip("[]")
    try:
        if host and host != "localhost":
            ipaddress.ip_address(host)
        return _USUAL if host == "localhost" else host, int(port)
    except ValueError:
        hint = "name a port, an address and port, or the run folder: `8000`, `127.0.0.1:8000`"
        raise BadInput(f"`{stack}` names no stack", place="STACK", hint=hint) from None


def _choices(entries: tuple[Entry, ...]) -> str:
    return "name one: " + ", ".join(f"`{entry.address}:{entry.port}`" for entry in entries)


def find_running(stack: str) -> Running:
    """What the stack says of itself; raises BadInput, or HoldfastError where it says nothing."""
    for answer in ask(find_control(stack), Status(), PATIENCE_S):
        if isinstance(answer, Running):
            return answer
    raise HoldfastError("the stack does not say what it does", hint=_SILENT)


Told = Running | Done | Event | EdgeEvent | StackEvent
_SILENT: Final = "see whether its supervisor runs; `kill -9` of it ends all that it started"


def ask(control: str, order: Order, patience_s: float | None = None) -> Iterator[Told]:
    """Give an order; yields what happens until it is over, and how, last.

    Raises the HoldfastError with which it is refused, or BadInput where nobody listens.
    """
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(patience_s)
        try:
            asked.connect(control)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            hint = "it has ended, or has not begun; `holdfast up` starts one"
            raise BadInput("no stack listens there", place=control, hint=hint) from None
        except PermissionError:
            hint = "ask as the user who started it"
            raise BadInput("this stack is another user's", place=control, hint=hint) from None
        decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
        try:
            asked.sendall(msgspec.json.encode(order) + b"\n")
            with asked.makefile("rb") as lines:
                for line in lines:
                    answer = decoder.decode(line)
                    if isinstance(answer, Failed):
                        raise _raised(answer)
                    yield answer
                    if isinstance(answer, Done | Running):
                        return
        except OSError as wrong:
            fault = f"the supervisor does not answer: {wrong.strerror or wrong}"
            raise HoldfastError(fault, place=control, hint=_SILENT) from None
        raise HoldfastError("the stack ended before it was done", place=control, hint=_SILENT)


def _raised(failed: Failed) -> HoldfastError:
    kind = BadInput if failed.exit_code == BadInput.exit_code else HoldfastError
    return kind(failed.fault, place=failed.place, hint=failed.hint)
