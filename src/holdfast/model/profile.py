"""What one program takes of a machine, every number with its source. A frozen record."""

from __future__ import annotations

import msgspec

from holdfast.model.values import Value


class Profile(msgspec.Struct, frozen=True):
    """What one program takes.

    `base_bytes` of a process that does nothing, `request_bytes` for a request it holds and
    `idle_bytes` for an idle client (both without the kernel's), `request_cpu_s` of processor for
    one request, `own_descriptors` open with nothing to do, of which `shared_descriptors` are
    sockets that all requests share.
    """

    name: str
    version: str
    base_bytes: Value
    request_bytes: Value
    idle_bytes: Value
    request_cpu_s: Value
    own_descriptors: Value
    shared_descriptors: Value

    def values(self) -> tuple[Value, ...]:
        """The six numbers, as a hop carries them."""
        return (
            self.base_bytes,
            self.request_bytes,
            self.idle_bytes,
            self.request_cpu_s,
            self.own_descriptors,
            self.shared_descriptors,
        )
