"""One process of an edge as its supervisor holds it: how it is started, asked and told to stop.

Knows the programs' command lines and signals; decides nothing, and knows no configuration.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from holdfast.model.errors import BadInput
from holdfast.stack.child import Child
from holdfast.stack.run_dir import RunDir
from holdfast.stack.warden import Brood
from holdfast.writers import haproxy, nginx

NOBODY: Final = "nobody"
_SYSTEM: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where packages put servers, and where a user's PATH often does not look."""


class Program(msgspec.Struct, frozen=True):
    """How a program is run: the Debian `package`, the signal `leave` that lets it finish.

    `least` is the oldest version that reads our files, `because` what it is needed for. `argv`, its
    own socket `probe` and the `config` it reads are of one process, by its number; what it answers
    to `ask` contains `answer`.
    """

    name: str
    package: str
    least: str
    because: str
    leave: signal.Signals
    argv: Callable[[str], list[str]]
    config: Callable[[int], str]
    probe: Callable[[int], str]
    ask: bytes
    answer: bytes


PROGRAMS: Final = {
    program.name: program
    for program in (
        Program(
            "nginx",
            "nginx-light",
            *("1.19.5", "`-e stderr`, so that it writes nothing outside its folder"),
            signal.SIGQUIT,
            lambda config: ["-p", ".", "-c", config, "-e", "stderr"],
            lambda process: nginx.FILE,
            lambda process: nginx.PROBE,
            b"GET / HTTP/1.0\r\n\r\n",
            b" 204 ",
        ),
        Program(
            "haproxy",
            "haproxy",
            *("2.6", "`http-restrict-req-hdr-names`, so that no header stands in for another"),
            signal.SIGUSR1,
            lambda config: ["-db", "-f", config],
            haproxy.file,
            haproxy.admin,
            b"show info\n",
            b"Maxconn:",
        ),
    )
}


def found(program: Program) -> str:
    """Path of the program's binary; raises BadInput where it is not installed, or is too old."""
    path = _path(program)
    if path is None:
        raise BadInput(f"`{program.name}` is not installed", hint=_install(program))
    version = _said(path)
    if not version:
        hint = f"see what `{path} -v` prints; {_install(program)}"
        raise BadInput(f"`{program.name}` does not say which version it is", place=path, hint=hint)
    if _numbers(version) < _numbers(program.least):
        raise BadInput(
            f"{program.name} {version} is too old: {program.least} is needed for {program.because}",
            place=path,
            hint=_install(program),
        )
    return path


def installed_version(program: Program) -> str:
    """The version that the installed program says it is, like "1.22.1"; "" where there is none."""
    path = _path(program)
    return "" if path is None else _said(path)


def _path(program: Program) -> str | None:
    return shutil.which(program.name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM}")


def _install(program: Program) -> str:
    newer = f"{program.least} or newer (Debian 12 and later: `apt-get install {program.package}`)"
    return f"install {newer}, or use no edge"


@functools.cache
def _said(path: str) -> str:
    """Asked once: each process of an edge that is started looks for its binary."""
    try:
        asked = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    said = re.search(r"(?:nginx/|version )(\d[\w.]*)", asked.stdout + asked.stderr)
    return said[1] if said else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def children(pid: int) -> tuple[int, ...]:
    """The processes that a process has started and that are there; none where it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return tuple(map(int, file.read().split()))
    except OSError:
        return ()


def _does_work(pid: int) -> bool:
    """Whether a process calls itself a worker, as each of nginx's does once it is one."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().startswith(b"nginx: worker process")
    except OSError:
        return False


def unprivileged() -> tuple[int, int] | None:
    """User and group that an edge runs as where we are root; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(NOBODY)
    return user.pw_uid, user.pw_gid


class EdgeProcess(Child):
    """Starts process number `index` of an edge on inherited `listeners`, and talks with it."""

    def __init__(
        self,
        program: Program,
        index: int,
        run_dir: RunDir,
        brood: Brood,
        listeners: Sequence[socket.socket],
    ) -> None:
        self.index = index
        self._program = program
        self._run_dir = run_dir
        probe_path = os.path.join(run_dir.edge(), program.probe(index))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(probe_path)  # nginx does not bind over what one that was killed left
        fds = [listener.fileno() for listener in listeners]
        super().__init__(
            lambda log: self._spawn(brood, fds, log), run_dir.edge_log(), probe_path, program.ask
        )

    def _spawn(self, brood: Brood, fds: list[int], log: int) -> subprocess.Popen[bytes]:
        config = os.path.join(os.path.basename(self._run_dir.edge()), self._config())
        owner = unprivileged()
        user, group = owner or (None, None)
        env = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"}
        # nginx takes over the sockets that this names, as in an upgrade of its binary.
        env["NGINX"] = "".join(f"{fd};" for fd in fds)
        return brood.spawn(
            [found(self._program), *self._program.argv(config)],
            cwd=self._run_dir.path,
            env=env,
            pass_fds=fds,
            user=user,
            group=group,
            extra_groups=None if owner is None else [],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def _config(self) -> str:
        return self._program.config(self.index)

    def is_well(self, answer: bytes) -> bool:
        """Whether the program answers so."""
        return self._program.answer in answer

    def say(self, command: str) -> str:
        """Run a command of HAProxy's runtime API, and return what it says; raises OSError."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(2.0)
            admin.connect(self._probe_path)
            admin.sendall(command.encode() + b"\n")
            answer = b""
            while data := admin.recv(65_536):
                answer += data
        return answer.decode()

    def asked(self, command: str) -> socket.socket | None:
        """Where the answer to a command of HAProxy's runtime API comes; None where nobody is."""
        admin = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            admin.connect(self._probe_path)
            admin.sendall(command.encode() + b"\n")
        except OSError:
            admin.close()
            return None
        return admin

    def pids(self) -> tuple[int, ...]:
        """Its process, or those that it has started to do the work: nginx's keepers of a cache
        are not among them."""
        return tuple(filter(_does_work, children(self.pid))) or (self.pid,)

    def leave(self) -> None:
        """Let it finish what it holds, take no more, and end."""
        self.signal(self._program.leave)

    def reap(self) -> int:
        """Its exit status, negative for a signal, once it has died, and what it started with it.

        nginx's workers would go on accepting from the sockets that the next one is to have.
        """
        status = super().reap()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return status
