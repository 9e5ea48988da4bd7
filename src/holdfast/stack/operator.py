"""What is asked of a running stack as a whole: reload, scale. Follows each until it is over.

Decides when it is over, and tells who waits; which worker is next, `policy` decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.config import EdgeEvent, Event, StackConfig, StackEvent, StackKind
from holdfast.stack.control import Client
from holdfast.stack.orders import Done
from holdfast.stack.workers import Workers

RELOAD: Final = "reload"
"""Why a worker is replaced."""
SCALING: Final = "scaling"


class Asked:
    """Something that was asked and is under way, of so many `slots`, and who waits for its end."""

    def __init__(self, slots: int, cut: int) -> None:
        self.slots = slots
        self.begun_s = time.monotonic()
        self.cut = cut
        self.before = 0
        """To how many slots a stack goes back that cannot be scaled."""
        self.waiting: list[Client] = []
        self.failed: str | None = None
        """Why it will not come to pass."""


class Operator:
    """Reloads and scales `workers`; `report` is called with what begins and what is over."""

    def __init__(
        self, config: StackConfig, workers: Workers, report: Callable[[StackEvent], None]
    ) -> None:
        self._config, self._workers, self._report = config, workers, report
        self._reload: Asked | None = None
        self._scale: Asked | None = None

    @property
    def doing(self) -> str:
        """What is under way, for people; empty: nothing."""
        doing = (("reloading", self._reload), (SCALING, self._scale))
        return ", ".join(word for word, asked in doing if asked is not None)

    def reload(self, client: Client | None = None) -> None:
        """Replace every worker; one that is under way begins again with what is there now."""
        if self._reload is None:
            self._reload = Asked(self._workers.wanted, self._workers.cut)
        if client is not None:
            self._reload.waiting.append(client)
        self._tell("reloading", self._reload)
        self._workers.replace(RELOAD)

    def scale(self, slots: int, client: Client | None = None) -> None:
        """Serve with so many slots from now on; raises BadInput for what does not fit."""
        most = self._config.most_slots
        if not 1 <= slots <= most:
            fault = f"{slots:,} workers {'do not fit' if slots > most else 'serve nobody'}"
            why = self._config.most_why or f"the stack was started with {most} slots"
            raise BadInput(fault, place="scale", hint=f"1 to {most} fit: {why}")
        before = self._workers.wanted if self._scale is None else self._scale.before
        waiting = [] if self._scale is None else self._scale.waiting
        self._scale = Asked(slots, self._workers.cut)
        self._scale.before, self._scale.waiting = before, waiting
        if client is not None:
            waiting.append(client)
        self._tell("scaling", self._scale)
        self._workers.scale(slots)

    def happened(self, event: Event | EdgeEvent) -> None:
        """Tell everybody who waits; a worker that is added and dies ends the scaling."""
        for client in self._waiting():
            client.tell(event)
        scale = self._scale
        if scale is None or not isinstance(event, Event) or scale.failed is not None:
            return
        if event.kind == "backoff" and event.slot >= scale.before:
            output = f":\n{self._workers.last_output}" if self._workers.last_output else ""
            scale.failed = f"the worker of slot {event.slot} does not start{output}"
            self._workers.scale(scale.before)

    def step(self) -> None:
        """See what is over, and tell."""
        if self._reload is not None and not self._workers.outdated.left(RELOAD):
            self._reload.failed = self._workers.outdated.kept.pop(RELOAD, None)
            self._over("reloaded" if self._reload.failed is None else "not_reloaded", self._reload)
            self._reload = None
        if self._scale is not None and self._workers.has_scaled:
            self._over("scaled" if self._scale.failed is None else "not_scaled", self._scale)
            self._scale = None

    def give_up(self, error: HoldfastError) -> None:
        """Nothing of it comes to pass any more."""
        for client in self._waiting():
            client.refuse(error)
        self._reload = self._scale = None

    def _waiting(self) -> list[Client]:
        asked = (each for each in (self._reload, self._scale) if each is not None)
        return [client for each in asked for client in each.waiting]

    def _over(self, kind: StackKind, asked: Asked) -> None:
        event = self._tell(kind, asked)
        for client in asked.waiting:
            client.end(Done(text=event.text, exit_code=int(asked.failed is not None)))

    def _tell(self, kind: StackKind, asked: Asked) -> StackEvent:
        now_s = time.monotonic()
        took_s, cut = now_s - asked.begun_s, self._workers.cut - asked.cut
        slots = asked.before if kind == "not_scaled" else asked.slots
        event = StackEvent(kind, now_s, slots, took_s, cut, asked.failed or "")
        self._report(event)
        for client in asked.waiting:
            client.tell(event)
        return event
