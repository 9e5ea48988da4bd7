"""What processes hold and listen on, from real processes and the real kernel."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.observe.builds import read_nginx_paths, read_version
from holdfast.observe.named import Named
from holdfast.observe.processes import (
    Processes,
    read_folder,
    read_held,
    read_program,
    read_variables,
)
from holdfast.observe.queues import read_accepted, read_queues
from tests.edges import INSTALLED, PROGRAMS
from tests.helpers import free_port, wait_until


def test_a_child_is_read_as_it_was_started(tmp_path: Path) -> None:
    """Words, parent, folder, variables, program and the time that it began are its own."""
    before_s = time.time()
    argv = [sys.executable, "-c", "input()", "two words", ""]
    env = {"PATH": os.environ["PATH"], "SAID": "a=b"}
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stdin=subprocess.PIPE) as child:
        wait_until(lambda: read_variables(child.pid), what="its words and variables are there")
        assert read_program(child.pid) == os.path.realpath(sys.executable)
        processes = Processes()
        seen = processes.ours(child.pid)
        assert seen.argv == tuple(argv[:-1])  # trailing ones are a title's padding
        assert (seen.parent, read_folder(child.pid)) == (os.getpid(), str(tmp_path))
        assert read_variables(child.pid)["SAID"] == "a=b"
        assert before_s - 1 < seen.began_s < time.time() + 1
        assert seen in processes.children(os.getpid())


def test_what_is_no_process_of_ours_is_bad_input() -> None:
    """A number that nobody has, and a thread of the kernel, are told with a hint or a place."""
    processes = Processes()
    free = next(pid for pid in range(2**22, 1, -1) if processes.get(pid) is None)
    with pytest.raises(BadInput, match="there is no such process") as told:
        processes.ours(free)
    assert (told.value.place, bool(told.value.hint)) == (f"process {free}", True)
    kernel = next((process.pid for process in processes if not process.argv), None)
    if kernel is not None:
        with pytest.raises(BadInput, match="thread of the kernel"):
            processes.ours(kernel)


def test_a_process_of_another_network_would_be_told_wrong() -> None:
    """One in a namespace of its own is refused, with how to run it there."""
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    with subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE) as child:
        wait_until(lambda: read_program(child.pid).endswith("/cat"), what="it is apart")
        with pytest.raises(BadInput, match="a container with a network of its own") as told:
            Processes().ours(child.pid)
        assert f"nsenter -t {child.pid}" in str(told.value.hint)


@pytest.mark.parametrize("backlog", [7, 300])
def test_a_tcp_socket_has_the_backlog_that_it_was_given(backlog: int) -> None:
    """Address, port and backlog are those of the call; who holds the inode is found by it."""
    port = free_port()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))
        sock.listen(backlog)
        (one,) = (each for each in read_queues() if each.port == port)
        assert (one.host, one.room, one.waiting, one.path) == ("127.0.0.1", backlog, 0, "")
        assert one.inode == os.fstat(sock.fileno()).st_ino
        held = read_held(os.getpid())
        assert held is not None
        assert one.inode in held.sockets


def test_a_backlog_is_cut_by_the_kernel(tmp_path: Path) -> None:
    """More than somaxconn is somaxconn, for both kinds of socket."""
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    port, path = free_port(), str(tmp_path / "s")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", port))
        unix.bind(path)
        for sock in (tcp, unix):
            sock.listen(most + 1)
        rooms = {each.port or each.path: each.room for each in read_queues()}
        assert (rooms[port], rooms[path]) == (most, most)


def test_ipv6_and_relative_paths_are_as_they_were_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`::` is no IPv4 address; a path that was relative stays so; abstract ones are left out."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    with (
        socket.socket(socket.AF_INET6) as inet,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        inet.bind(("::", port))
        unix.bind("here.sock")
        abstract.bind("\0nowhere")
        for sock in (inet, unix, abstract):
            sock.listen(3)
        seen = {each.inode: each for each in read_queues()}
        assert seen[os.fstat(inet.fileno()).st_ino].host == "::"
        assert seen[os.fstat(unix.fileno()).st_ino].path == "here.sock"
        assert os.fstat(abstract.fileno()).st_ino not in seen


def test_accepted_connections_are_told_from_others(tmp_path: Path) -> None:
    """Those that came in by a socket are found, TCP or unix; not the clients' own ends."""
    port, path = free_port(), str(tmp_path / "s")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", port))
        unix.bind(path)
        for sock in (tcp, unix):
            sock.listen(3)
        clients = [socket.create_connection(("127.0.0.1", port)), socket.socket(socket.AF_UNIX)]
        clients[1].connect(path)
        accepted = [sock.accept()[0] for sock in (tcp, unix)]
        by = [one for one in read_queues() if one.port == port or one.path == path]
        found = read_accepted(by)
        assert {os.fstat(sock.fileno()).st_ino for sock in accepted} <= found
        assert {os.fstat(sock.fileno()).st_ino for sock in (*clients, tcp, unix)} & found == set()
        for sock in (*clients, *accepted):
            sock.close()


def test_a_relative_name_is_meant_from_the_process(tmp_path: Path) -> None:
    """`proc/PID/NAME` is a file where the process is or was; its command line is in /proc."""
    (tmp_path / "app.conf").write_text("here")
    (tmp_path / "started").mkdir()
    (tmp_path / "started/other.conf").write_text("there")
    env = {**os.environ, "PWD": str(tmp_path / "started")}
    with subprocess.Popen(["cat"], cwd=tmp_path, env=env, stdin=subprocess.PIPE) as child:
        wait_until(lambda: read_variables(child.pid), what="its variables are there")
        named = Named()
        assert named.read(f"proc/{child.pid}/app.conf") == b"here"
        assert named.read(f"proc/{child.pid}/other.conf") == b"there"
        assert named.real(f"proc/{child.pid}/app.conf") == str(tmp_path / "app.conf")
        assert named.real(f"proc/{child.pid}/cmdline") == f"/proc/{child.pid}/cmdline"
        assert named.read(str(tmp_path / "app.conf").lstrip("/")) == b"here"
        assert named.read(f"proc/{child.pid}/none") is None


CONFIGURED = {
    "nginx": ("daemon off; pid nginx.pid; events {}\n", ["-p", ".", "-e", "stderr", "-c"], "-V"),
    "haproxy": ("listen x\n  mode tcp\n  bind unix@x.sock\n", ["-db", "-f"], "-v"),
}
"""The smallest configuration, how it is named, and what asks for the version."""


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_was_built_with_is_in_its_file(program: str, tmp_path: Path) -> None:
    """The version of a real edge is what it prints, and so is nginx's own configuration file."""
    text, options, asks = CONFIGURED[program]
    (tmp_path / "conf").write_text(text)
    argv = [str(INSTALLED[program]), *options, "conf"]
    with subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.DEVNULL) as edge:
        # TERM before a master waits for signals is noted by nginx, and not acted upon.
        wait_until(
            lambda: Processes().children(edge.pid) or (tmp_path / "x.sock").exists(),
            what="it serves",
        )
        seen = Processes().ours(edge.pid)
        found, paths = read_version(seen, program), read_nginx_paths(seen)
        edge.terminate()
    asked = subprocess.run([argv[0], asks], capture_output=True, text=True, check=True)
    said = asked.stdout + asked.stderr
    assert re.search(rf"\b{re.escape(found)}\b", said), said
    assert len(found.split(".")) == 3
    if program == "nginx":
        assert f"--conf-path={paths[1]} " in said
        assert f"--prefix={paths[0]} " in said


def test_a_package_has_its_version_beside_its_interpreter() -> None:
    """The version of a server is that of the installed package; of none it is nothing."""
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        wait_until(lambda: read_variables(child.pid), what="its words are there")
        seen = Processes().ours(child.pid)
    assert read_version(seen, "gunicorn") == version("gunicorn")
    assert read_version(seen, "no-such-server") == ""
