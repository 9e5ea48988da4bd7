"""Where an edge cannot run: its version, its port, its folder. Said before it is tried, and why."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.sizing.layout import Program
from holdfast.stack.edge_process import PROGRAMS as KNOWN
from holdfast.stack.edge_process import found
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import config
from tests.stack.edges import behind

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("program", PROGRAMS)]

SAYS = {"nginx": "nginx version: nginx/{} >&2", "haproxy": "HAProxy version {}-1 2021/05/14"}
"""How each program says its version, which a shell prints for it."""
needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")


def refused(program: Program, **fields: Any) -> HoldfastError:
    """What is said of a stack that cannot start."""
    with StackProcess(config(**{**behind(program), **fields})) as stack:
        stack.start()
        with pytest.raises(HoldfastError) as caught:
            stack.wait_until_ready(60)
        assert stack.events() == []
        assert stack.edge_events() == []
    return caught.value


def pretend(folder: Path, program: Program, says: str) -> Path:
    """A program of that name that prints a line and ends."""
    path = folder / program
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["1.19.4", "2.5.14", "0.8"])
def test_an_edge_that_is_too_old_is_named(
    program: Program, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which version is there, which is needed and what for, and the package that has it."""
    if program == "nginx" and version > "2":
        version = "1.9.15"  # less than 1.19.5 by number, though not by letter
    path = pretend(tmp_path, program, SAYS[program].format(version))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    error = refused(program)
    assert isinstance(error, BadInput)
    assert error.fault.startswith(f"{program} {version} is too old: {KNOWN[program].least} is")
    assert error.place == str(path)
    assert KNOWN[program].package in (error.hint or "")


def test_the_least_version_is_enough(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest that reads our files is found where PATH has it, before the system's."""
    path = pretend(tmp_path, program, SAYS[program].format(KNOWN[program].least))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert found(KNOWN[program]) == str(path)


def test_a_program_that_says_no_version_is_not_trusted(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else bears the name is bad input, with its path."""
    path = pretend(tmp_path, program, "hello")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    error = refused(program)
    assert (type(error), error.place) == (BadInput, str(path))
    assert "does not say which version" in error.fault


def test_a_port_that_is_taken_names_who_has_it(program: Program) -> None:
    """Nothing starts beside another program's port, and its process is named."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        error = refused(program, port=port)
    assert isinstance(error, BadInput)
    assert error.place == f"127.0.0.1:{port}"
    assert error.fault.startswith(f"port {port} is taken by ")
    assert str(os.getpid()) in error.fault


def test_two_stacks_do_not_share_a_port(program: Program) -> None:
    """The second is refused, and the first goes on."""
    with StackProcess(config(**behind(program))) as first:
        first.start()
        first.wait_until_ready(60)
        assert "is taken" in refused(program, port=first.port).fault
        with socket.create_connection(("127.0.0.1", first.port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_a_folder_too_long_for_sockets_is_refused(program: Program, tmp_path: Path) -> None:
    """Before anything starts or is made: a unix socket's path has 107 bytes, its name included."""
    folder = tmp_path / ("x" * 80)
    error = refused(program, run_dir=str(folder))
    assert (type(error), error.place) == (BadInput, str(folder))
    assert "longer than 64 bytes" in error.fault
    assert not folder.exists()


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[str]:
    """A file system of its own at the folder."""
    argv = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    subprocess.run(argv, check=True, capture_output=True)
    try:
        yield str(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@needs_mounts
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("ro", "Read-only file system"),
        ("size=64k", "has 65536 bytes left; 1048576"),
        ("nr_inodes=20", "has room for 19 files left"),
    ],
)
def test_a_folder_without_room_is_refused(
    program: Program, options: str, says: str, short_path: Path
) -> None:
    """On a file system that is read-only or full nothing starts."""
    with mounted(short_path, options) as folder:
        error = refused(program, run_dir=folder)
        assert says in error.fault
        assert (error.place or "").startswith(folder)
        assert error.hint
        assert os.listdir(folder) == []


@needs_mounts
def test_a_disk_that_fills_while_a_stack_starts_is_an_error(
    program: Program, short_path: Path
) -> None:
    """What cannot be written any more is named, and all that had started is ended."""
    with mounted(short_path, "size=2m") as folder:
        full = {"run_dir": folder, "env": {"FILL": "{run_dir}/fill"}}
        with StackProcess(config("filling:app", **{**behind(program), **full})) as stack:
            stack.start()
            with pytest.raises(HoldfastError, match="No space left on device") as caught:
                stack.wait_until_ready(60)
            assert caught.value.place == folder
            started = [event.pid for event in stack.events() if event.kind == "started"]
        assert started
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in started))
