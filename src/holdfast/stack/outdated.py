"""Which workers are to be replaced, and why, until each of them has ended. Decides no order."""

from __future__ import annotations

from collections.abc import Iterable

Who = tuple[int, int]
"""A worker, by slot and generation."""


class Outdated:
    """Marks on workers; `kept` has why no more were replaced for a reason: a successor's output."""

    def __init__(self) -> None:
        self._why: dict[Who, str] = {}
        self.kept: dict[str, str] = {}

    def mark(self, workers: Iterable[Who], why: str) -> None:
        """These are to be replaced; who was already, for the newer reason."""
        self._why |= dict.fromkeys(workers, why)

    def ended(self, worker: Who) -> None:
        """The worker is no more."""
        self._why.pop(worker, None)

    def failed(self, worker: Who, output: str, draining: frozenset[Who]) -> None:
        """Its successor died before it was ready: nobody else is replaced for the same reason.

        Those that already drain stay marked until they have ended.
        """
        why = self._why.pop(worker, "")
        self._why = {one: each for one, each in self._why.items() if each != why or one in draining}
        self.kept[why] = output

    def left(self, why: str) -> int:
        """How many are still to end for that reason."""
        return sum(each == why for each in self._why.values())

    def why(self, worker: Who) -> str:
        """Why it is to be replaced; empty: it is not."""
        return self._why.get(worker, "")

    @property
    def workers(self) -> frozenset[Who]:
        """All of them."""
        return frozenset(self._why)
