"""Which ports are listened on, from planted tables and from the real kernel."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from holdfast.observe.listeners import read_listeners
from tests.observe.trees import plant

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n"
V4, V6 = "/proc/net/tcp", "/proc/net/tcp6"


def line(local: str, port: int, state: str) -> str:
    return f"   0: {local}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000\n"


def test_listening_ports_of_both_families_are_read_once(tmp_path: Path) -> None:
    """Connections are not listeners; a port that both families listen on is one port."""
    connected = line("0100007F", 40_000, "01")
    tree = {
        V4: HEAD + line("00000000", 8000, "0A") + line("0100007F", 22, "0A") + connected,
        V6: HEAD + line("0" * 32, 8000, "0A") + line("0" * 32, 443, "0A"),
    }
    found = read_listeners(plant(tmp_path, tree))
    assert (found.value, found.why) == ("22,443,8000", f"{V4}, {V6}")


def test_a_machine_without_ipv6_has_one_table(tmp_path: Path) -> None:
    """No second table is no fault; nobody listening is the empty list, not unknown."""
    found = read_listeners(plant(tmp_path, {V4: HEAD}))
    assert (found.value, found.why) == ("", V4)


@pytest.mark.parametrize("tree", [{}, {V4: f"{HEAD}garbage\n"}, {V4: f"{HEAD}0: 1:2 3:4 0A\n:x"}])
def test_tables_that_do_not_say_are_unknown(tmp_path: Path, tree: dict[str, str]) -> None:
    """Missing or malformed tables give None with the reason: they never pass for no listeners."""
    found = read_listeners(plant(tmp_path, tree))
    assert found.value is None
    assert found.why.startswith(V4)


def test_a_real_listener_is_seen_while_it_listens() -> None:
    """A socket of this process is in the kernel's list until it is closed; a bound one is not."""
    with socket.socket() as listener, socket.socket(socket.AF_INET6) as bound:
        listener.bind(("127.0.0.1", 0))
        bound.bind(("::1", 0))
        listener.listen()
        ports = {str(s.getsockname()[1]) for s in (listener, bound)}
        seen = set(str(read_listeners().value).split(",")) & ports
        assert seen == {str(listener.getsockname()[1])}
    assert ports & set(str(read_listeners().value).split(",")) == set()
