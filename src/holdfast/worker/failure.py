"""Why an app cannot be served, as data for the supervisor: fault, place, hint, the trace's tail.

Decides what to say about an exception; knows no process and prints nothing.
"""

from __future__ import annotations

import importlib
import os
import traceback
from types import TracebackType
from typing import Final

TRACE_LINES: Final = 20
_OWN: Final = (os.path.dirname(__file__) + os.sep, importlib.__file__, "<frozen ")


class Failure(Exception):
    """The app cannot be served: `fault`, `place`, `hint`, and the last lines of its traceback."""

    def __init__(
        self, fault: str, *, place: str | None = None, hint: str | None = None, trace: str = ""
    ) -> None:
        super().__init__(fault)
        self.fault = fault
        self.place = place
        self.hint = hint
        self.trace = trace

    def as_message(self, kind: str, stage: str) -> dict[str, object]:
        """The control message that reports it."""
        return {
            "type": kind,
            "stage": stage,
            "error": self.fault,
            "place": self.place,
            "hint": self.hint,
            "trace": self.trace,
        }


def raised(what: str, error: BaseException, app_dir: str) -> Failure:
    """`what` raised `error`: its place is the innermost line of a file inside `app_dir`."""
    said = str(error).strip().splitlines()
    fault = f"{what} raised {type(error).__name__}" + (f": {said[0]}" if said else "")
    place = place_of(error, app_dir)
    hint = f"correct {place}" if place else "correct the app"
    return Failure(fault, place=place, hint=hint, trace=tail_of(error))


def place_of(error: BaseException, app_dir: str) -> str | None:
    """`file:line` of the innermost frame inside `app_dir`, or else of the innermost one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, app_dir)}:{error.lineno}"
    frames = _frames(error.__traceback__)
    if not frames:
        return None
    inside = [frame for frame in frames if frame.filename.startswith(app_dir + os.sep)]
    frame = (inside or frames)[-1]
    return f"{_short(frame.filename, app_dir)}:{frame.lineno}"


def tail_of(error: BaseException) -> str:
    """The last lines of the traceback, without our own frames and the import system's."""
    lines = traceback.format_list(_frames(error.__traceback__))
    lines += traceback.format_exception_only(type(error), error)
    return "\n".join("".join(lines).rstrip().splitlines()[-TRACE_LINES:])


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return [f for f in traceback.extract_tb(trace) if not f.filename.startswith(_OWN)]


def _short(filename: str, app_dir: str) -> str:
    inside = filename.startswith(app_dir + os.sep)
    return os.path.relpath(filename, app_dir) if inside else filename
