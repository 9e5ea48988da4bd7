"""What the sizing is told of the path: services, and who is on the host. Frozen records."""

from __future__ import annotations

import msgspec

from holdfast.model.profile import Profile
from holdfast.model.values import Value


class Service(msgspec.Struct, frozen=True):
    """A service that the app calls: its name in `Use.hop`; addresses, where they are fixed.

    `profile` is given where it runs on the same host, so that its memory and processor count; its
    processes are then sized too, one an address.
    """

    name: str
    addresses: Value | None = None
    profile: Profile | None = None


class Layout(msgspec.Struct, frozen=True):
    """The direct path: clients -> one SO_REUSEPORT socket a slot -> one worker each -> services.

    `generator` is given where the load is made on the same host; then `opening_rate` is how many
    clients a second it opens.
    """

    worker: Profile
    socket_end_bytes: Value
    services: tuple[Service, ...] = ()
    generator: Profile | None = None
    keep_alive_s: float = 75.0
    grace_s: float = 30.0
    opening_rate: float = 0.0
