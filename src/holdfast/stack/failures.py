"""How a worker's death before it served is told: fault, place, hint with its last output."""

from __future__ import annotations

import signal
from typing import Any

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.model.units import format_seconds


def start_failed(said: dict[str, Any] | None, status: int, output: str) -> BadInput:
    """From what the worker `said` of itself, or else from its exit `status` and last `output`."""
    if said is not None:
        hint = "\n".join(filter(None, (said.get("hint"), said.get("trace"))))
        return BadInput(str(said["error"]), place=said.get("place"), hint=hint or None)
    ending = f"exit status {status}" if status >= 0 else f"signal {_name(-status)}"
    fault = f"a worker ended with {ending} before it was ready"
    return BadInput(fault, hint=_with_output("see why the app ends while it starts", output))


def start_overdue(start_s: float, output: str) -> BadInput:
    """The app did not become ready within the time that it was given."""
    fault = f"the app was not ready after {format_seconds(start_s)}"
    return BadInput(fault, hint=_with_output("give it more time, or see what it waits for", output))


def cannot_start(what: str, error: OSError) -> HoldfastError:
    """No process could be made of it."""
    return HoldfastError(
        f"cannot start {what}: {error.strerror}",
        place=error.filename,
        hint="see `ulimit -a` and the pids and memory limits of this control group",
    )


def whole(error: HoldfastError) -> str:
    """All that it says but the place, for whoever is told of it as a text."""
    return "\n".join(filter(None, (error.fault, error.hint)))


def _with_output(hint: str, output: str) -> str:
    return f"{hint}; its last output:\n{output}" if output else f"{hint}; it printed nothing"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
