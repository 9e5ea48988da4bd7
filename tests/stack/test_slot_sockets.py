"""The sockets of slots: where the slot path leads, what stays open, what is removed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.stack.slot_sockets import SlotSockets, slot_path


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[SlotSockets]:
    with closing(SlotSockets(str(tmp_path), 5)) as found:
        yield found


def dial(tmp_path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / slot_path(0)))
    return client


def test_the_slot_path_leads_to_the_newest_ready_socket(
    tmp_path: Path, sockets: SlotSockets
) -> None:
    """A replacement's socket is there at once, and led to only when its worker is shown."""
    sockets.listener(0, 1)
    assert not os.path.lexists(tmp_path / "slot-0.sock")
    sockets.show(0)
    assert os.readlink(tmp_path / "slot-0.sock") == "w-0.1.sock"
    sockets.renew(0, 2)
    assert os.readlink(tmp_path / "slot-0.sock") == "w-0.1.sock"
    sockets.show(0)
    assert os.readlink(tmp_path / "slot-0.sock") == "w-0.2.sock"


def test_a_successor_after_a_crash_gets_the_same_queue(
    tmp_path: Path, sockets: SlotSockets
) -> None:
    """Who connected before is accepted by the next generation."""
    first = sockets.listener(0, 1)
    sockets.show(0)
    with dial(tmp_path):
        assert sockets.listener(0, 2) is first
        first.accept()[0].close()


def test_a_former_socket_goes_when_the_path_has_moved(tmp_path: Path, sockets: SlotSockets) -> None:
    """A former worker that dies too early leaves its socket until the next one is shown."""
    sockets.listener(0, 1)
    sockets.show(0)
    sockets.renew(0, 2)
    sockets.drop(0)
    with dial(tmp_path):
        assert (tmp_path / "w-0.1.sock").exists()
    sockets.show(0)
    sockets.drop(0)
    assert not (tmp_path / "w-0.1.sock").exists()
    with dial(tmp_path):
        sockets.listener(0, 3).accept()[0].close()


def test_no_socket_is_left_at_the_end(tmp_path: Path, sockets: SlotSockets) -> None:
    """Closed, every worker's path is removed."""
    sockets.listener(0, 1)
    sockets.listener(1, 1)
    sockets.renew(1, 2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "w-0.1.sock",
        "w-1.1.sock",
        "w-1.2.sock",
    }
    sockets.close()
    assert list(tmp_path.iterdir()) == []


def test_a_successor_that_failed_leaves_the_socket_before(
    tmp_path: Path, sockets: SlotSockets
) -> None:
    """Its own is closed and removed, and the former one's queue is still the slot's."""
    first = sockets.listener(0, 1)
    sockets.show(0)
    sockets.renew(0, 2)
    sockets.restore(0, 2)
    assert not (tmp_path / "w-0.2.sock").exists()
    assert sockets.listener(0, 3) is first
    with dial(tmp_path):
        first.accept()[0].close()


def test_a_successor_that_never_had_a_socket_takes_none_with_it(sockets: SlotSockets) -> None:
    """Where making it failed, the slot's own is left as it is."""
    first = sockets.listener(0, 1)
    sockets.restore(0, 2)
    assert sockets.listener(0, 3) is first
    assert first.fileno() >= 0


def test_a_hidden_slot_has_no_path_until_it_is_shown(tmp_path: Path, sockets: SlotSockets) -> None:
    """Whoever waits in its queue can still be accepted."""
    first = sockets.listener(0, 1)
    sockets.show(0)
    with dial(tmp_path):
        sockets.hide(0)
        assert not os.path.lexists(tmp_path / "slot-0.sock")
        first.accept()[0].close()
    sockets.show(0)
    with dial(tmp_path):
        first.accept()[0].close()


def test_a_forgotten_slot_begins_anew(tmp_path: Path, sockets: SlotSockets) -> None:
    """Its sockets are closed and removed, and the next worker gets another one."""
    first = sockets.listener(0, 1)
    sockets.show(0)
    sockets.hide(0)
    sockets.forget(0)
    assert first.fileno() == -1
    assert list(tmp_path.glob("w-0.*")) == []
    sockets.listener(0, 2)
    sockets.show(0)
    dial(tmp_path).close()
