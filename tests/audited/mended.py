"""Stacks that `holdfast audit --fix` has changed: what is left, and whether they hold for real."""

from __future__ import annotations

import math
from collections import Counter

from holdfast.cli.audit import MEAN_TIME_S
from tests.audited.audits import printed, said
from tests.audited.files import Written
from tests.audited.stacks import Stack
from tests.law3.pushed import pushed


def fixed(files: Written, stack: Stack) -> tuple[int, list[str]]:
    """Let `--fix` change the files; its exit code, and the lines that it left to a person."""
    code, answer = printed(files, *_options(stack), "--fix")
    left = [change["line"] for change in answer["changes"] if not change["edits"]]
    return code, left


def left_wrong(files: Written, stack: Stack) -> list[str]:
    """The errors and warnings that a second audit with the same target has, or its exit code."""
    code, answer = printed(files, *_options(stack))
    found = [f for f in answer["findings"] if f["severity"] != "note"]
    wrong = [f"{f['code']}: {f['message']}" for f in found]
    return wrong or ([f"exit code {code}"] if code else [])


def held(files: Written, stack: Stack) -> dict[str, int]:
    """Hold the target with the files as they are, arriving as the audit was told; every answer."""
    now = said(files, *_options(stack))
    with pushed(now, may_wait=False) as clients:
        burst = 1 if stack.apart else math.ceil(stack.target / _mean_time_s(stack))
        while clients.asked < stack.target:
            clients.open(min(burst, stack.target - clients.asked))
            clients.settle()
        clients.finish()
        return Counter(clients.crowd.fates)


def _options(stack: Stack) -> tuple[str, ...]:
    mean = () if "--mean-time" not in stack.options else stack.options[2:]
    return ("--target", str(stack.target), *mean)


def _mean_time_s(stack: Stack) -> float:
    return float(stack.options[-1]) if "--mean-time" in stack.options else MEAN_TIME_S
