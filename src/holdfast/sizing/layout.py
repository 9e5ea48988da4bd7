"""What the sizing is told of the path: services, an edge, who is on the host. Frozen records."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.model.front.admission import Admission
from holdfast.model.front.front import Front
from holdfast.model.profile import Profile
from holdfast.model.values import Value
from holdfast.sizing.engines import beyond

Program = Literal["nginx", "haproxy"]


class Service(msgspec.Struct, frozen=True):
    """A service that the app calls: its name in `Use.hop`; addresses, where they are fixed.

    `profile` is given where it runs on the same host, so that its memory and processor count; its
    processes are then sized too, one an address.
    """

    name: str
    addresses: Value | None = None
    profile: Profile | None = None


class EdgeLayout(msgspec.Struct, frozen=True):
    """What an edge is told of the path: which program, and what stands behind it.

    A worker keeps an idle connection `keep_alive_s`; the longest request takes `longest_s`, and a
    stop gives `grace_s`. `opening_rate` clients arrive a second where a trial opens them. `costs`
    are what its processes, requests and idle clients take, and `front` what it does for the site.
    Of the servers behind it `checked` are asked whether they are well: the sizing finds it out.
    """

    program: Program
    version: str
    keep_alive_s: float = 75.0
    grace_s: float = 30.0
    longest_s: float = 60.0
    opening_rate: float = 0.0
    costs: tuple[Value, ...] = ()
    front: Front = Front()
    checked: int = 0


class Layout(msgspec.Struct, frozen=True):
    """The path: clients -> an edge, or none -> one socket a slot -> one worker each -> services.

    Without an edge the slots' sockets are of one TCP port by SO_REUSEPORT; behind one they are unix
    sockets, an end of which takes `unix_end_bytes`. The kernel keeps `thread_bytes` for a thread of
    a worker. `generator` is given where the load is made on
    the same host; then `opening_rate` is how many clients a second it opens. `engine` is a
    name of `sizing.engines`, and `admission` what was asked of requests beyond N.
    """

    worker: Profile
    socket_end_bytes: Value
    services: tuple[Service, ...] = ()
    generator: Profile | None = None
    keep_alive_s: float = 75.0
    grace_s: float = 30.0
    opening_rate: float = 0.0
    edge: EdgeLayout | None = None
    unix_end_bytes: Value | None = None
    thread_bytes: Value | None = None
    engine: str = "uvicorn"
    admission: Admission = Admission()

    @property
    def beyond(self) -> Admission:
        """What requests beyond N meet."""
        return beyond(self.engine, self.admission)
