"""What a stack is asked to be, and what it reports: records that travel as JSON. No behaviour."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.model.care import Care
from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.model.scale import Scale
from holdfast.model.values import Value
from holdfast.wire import USUAL_ENGINE, Places
from holdfast.writers.site import Balance

Listen = Literal["tcp", "slots"]
Kind = Literal[
    "started", "ready", "outdated", "draining", "died", "backoff", "cut", "told", "stopped", "kept"
]
StackKind = Literal[
    "chosen",
    "reloading",
    "reloaded",
    "not_reloaded",
    "scaling",
    "scaled",
    "not_scaled",
    "draining",
    "stopping",
    "drained",
    "logs_lost",
    "logs_kept",
    "refused",
    "stood_still",
]
EdgeKind = Literal[
    "edge_started",
    "edge_ready",
    "edge_draining",
    "edge_died",
    "edge_stopped",
    "edge_worker_started",
    "edge_worker_died",
    "edge_host_down",
    "edge_host_up",
    "edge_certificate_changed",
    "edge_certificate_refused",
]


class EdgeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The edge before the slots, or the hosts that `front` names: a sized hop of nginx or HAProxy,
    how it spreads requests, what it does for the site, and the paths that need no place."""

    hop: Hop
    balance: Balance = "least"
    front: Front = Front()
    health: tuple[str, ...] = ()


class Bound(msgspec.Struct, frozen=True):
    """What a `hop` ("edge", "workers") holds of a `resource`: "requests" at once, or "memory" in
    bytes, the kernel's share for its sockets included."""

    hop: str
    resource: Literal["requests", "memory"]
    most: int


class StackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to run, and how large.

    `app` is `module:attribute`, imported with `app_dir` first on the path; `port` 0 takes a free
    one below the ephemeral range. Each of `slots` workers listens with `backlog` and needs
    `nofile` descriptors. A worker has `start_s` seconds to become ready and `grace_s` to finish
    what it holds when it stops. `run_dir` holds logs and sockets; empty, it is private and removed.
    `{run_dir}` in the values of `env` is that folder.

    With `listen` "tcp" each worker accepts from a socket of the port. With "slots" it accepts from
    a unix socket that the path `slot-N.sock` leads to; then `edge` listens on the port, or nobody.
    Whoever dials the slots keeps an idle connection `dialler_idle_s` at most. Where the edge stands
    before hosts there are no slots, and no `app` is needed.

    `engine` is a name of `wire.ENGINES`, and `cap` what a worker of it has at once, of whatever it
    caps; 0 leaves it as the engine has it. `connections` are those of a worker whose cap is of
    threads. `places` are what each worker lets in to the app; None: whoever comes.

    While it runs it may be scaled to `most` slots (0: as many as `slots`), for the reason
    `most_why`, and `sure` says how many requests in flight each number of them holds, from 1 on.
    Of all slots `drains` at most have two workers at a time, a new and a former one (0: all).
    `bounds` are told to whoever asks for the stack's status.

    `care` says when a worker is replaced by itself (its memory is a number, or nobody looks at it):
    as it is never, so that a trial measures the workers that it has started. `scale` says how many
    there shall be.
    """

    app: str
    app_dir: str
    address: str = "127.0.0.1"
    port: int = 0
    slots: int = 1
    backlog: int = 2048
    nofile: int = 1024
    keep_alive_s: int = 75
    grace_s: float = 30.0
    start_s: float = 30.0
    in_flight: int = 0
    env: dict[str, str] = {}
    run_dir: str = ""
    listen: Listen = "tcp"
    dialler_idle_s: float = 5.0
    edge: EdgeConfig | None = None
    engine: str = USUAL_ENGINE
    cap: int = 0
    connections: int = 0
    places: Places | None = None
    most: int = 0
    most_why: str = ""
    sure: tuple[int, ...] = ()
    drains: int = 0
    bounds: tuple[Bound, ...] = ()
    care: Care = Care(deaf=0.0)
    scale: Scale = Scale()

    @property
    def most_slots(self) -> int:
        """How many slots there may be."""
        return max(self.slots, self.most)

    @property
    def front(self) -> Front:
        """What the edge does for the site; without an edge, what a plain one would."""
        return Front() if self.edge is None else self.edge.front


class Event(msgspec.Struct, frozen=True, tag="event", omit_defaults=True):
    """Something that happened to a worker at `at_s` (monotonic clock, the same in every process).

    `in_flight` is what was lost inside a worker that died, or cut off in one that stopped; "kept"
    is one that serves on because its successor died before it was ready; "outdated" one that is
    about to be replaced, since it has become what `text` says. `status` is an exit status, negative
    for a signal; `delay_s` the wait of a backoff; `text` else the last output of one that died.
    """

    kind: Kind
    at_s: float
    slot: int
    generation: int
    pid: int = 0
    status: int | None = None
    in_flight: int = 0
    delay_s: float = 0.0
    text: str = ""


class EdgeEvent(msgspec.Struct, frozen=True, tag="edge", omit_defaults=True):
    """Something that happened to process number `index` of the edge; else as in Event.

    `edge_worker` is one of nginx's own, by its `pid`: the process that started it starts another.
    `edge_host` is a host behind it, `text` its address: as HAProxy's checks find it.
    What happens to a certificate is of all processes, and has no `pid`.
    """

    kind: EdgeKind
    at_s: float
    index: int
    pid: int
    status: int | None = None
    text: str = ""


class StackEvent(msgspec.Struct, frozen=True, tag="stack", omit_defaults=True):
    """What somebody asked of the whole stack has begun, or is over; "chosen" is how many workers
    there shall be, which the stack itself asks for because of `text`.

    `slots` are as many as are concerned or wanted, `took_s` since it began, and `cut` the requests
    cut off meanwhile; `text` says why what was asked has not come to pass, or was refused.
    "draining" stays when all is finished, "stopping" ends. "logs_lost" and "logs_kept" are of the
    disk that what is printed goes to. "stood_still": for `took_s` the supervisor did nothing, since
    it was stopped or its machine was.
    """

    kind: StackKind
    at_s: float
    slots: int
    took_s: float = 0.0
    cut: int = 0
    text: str = ""


class Effective(msgspec.Struct, frozen=True, tag="effective"):
    """What the stack really runs with: observed values, each with what was `configured`.

    `is_asked`: somebody wants to see all of them, not only those that differ.
    """

    values: tuple[Value, ...]
    is_asked: bool = False


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """Every slot, and the edge, answers for the first time.

    `backlog` is what the kernel grants each socket of the workers. `port` is 0 where nobody
    listens on one. `scheme` is what its clients speak; a port that redirects them is `redirect`.
    `control` is the path of the socket that takes orders.
    """

    address: str
    port: int
    gauge: str
    run_dir: str
    backlog: int
    scheme: str = "http"
    redirect: int = 0
    control: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The stack could not start or go on: a HoldfastError, to be raised where it was asked for."""

    fault: str
    place: str | None
    hint: str | None
    exit_code: int


Happened = Event | EdgeEvent | StackEvent | Effective | Serving
Report = Happened | Failed


class WorkerState(msgspec.Struct, frozen=True):
    """One slot as last reported: `age_s` since its worker was started, `state` a policy State."""

    slot: int
    generation: int
    pid: int
    state: str
    age_s: float
