"""Whether connections are tracked, asked of a real kernel in a network namespace of its own."""

from __future__ import annotations

import pytest

from tests.observe.trees import read_in_child

OWN_NETWORK = """
import ctypes, fcntl, os, socket, struct, sys
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1))
"""

RULE = """
def attr(kind, body):
    body = body if isinstance(body, bytes) else body.encode() + bytes(1)
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)

def message(kind, flags, resource, *attributes):
    body = struct.pack("=BBH", 2, 0, socket.htons(resource)) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 1, 0) + body

def number(kind, value):
    return attr(kind, struct.pack(">I", value))

NESTED = 0x8000
hook = attr(4 | NESTED, number(1, 3) + number(2, 0))
state = attr(2 | NESTED, number(1, 1) + number(2, 0))
rule = attr(4 | NESTED, attr(1 | NESTED, attr(1, "ct") + state))
batch = (
    message(0x10, 0, 10)
    + message(10 << 8, 0x400, 0, attr(1, "t"))
    + message(10 << 8 | 3, 0x400, 0, attr(1, "t"), attr(3, "c"), hook, attr(7, "filter"))
    + message(10 << 8 | 6, 0xC04, 0, attr(1, "t"), attr(2, "c"), rule)
    + message(0x11, 0, 10)
)
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
    netlink.bind((0, 0))
    netlink.send(batch)
    error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        sys.exit("nftables: " + os.strerror(-error))
"""


def read_in_own_network(rule: str) -> tuple[object, str]:
    """`conntrack_tracks` of a new network namespace, after `rule` was put in it."""
    try:
        return read_in_child(OWN_NETWORK + rule)["conntrack_tracks"]
    except AssertionError as failed:
        if "unshare: " in str(failed) or "nftables: " in str(failed):
            pytest.skip(f"no network namespace with rules to be had: {failed}")
        raise


@pytest.mark.slow
def test_a_rule_on_state_makes_it_track() -> None:
    """One nftables rule that asks for a connection's state is seen by its effect."""
    tracks, why = read_in_own_network(RULE)
    assert (tracks, why.split(",")[0]) == (True, "/proc/sys/net/netfilter/nf_conntrack_count")


@pytest.mark.slow
def test_without_a_rule_it_does_not_track() -> None:
    """A namespace without rules tracks nothing, though the module is there."""
    assert read_in_own_network("")[0] is False
