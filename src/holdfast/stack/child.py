"""A process of the stack as its supervisor holds it: log, probe, signals, end. Decides nothing."""

from __future__ import annotations

import abc
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Final

from holdfast.stack.run_dir import bound, tail

_READ_BYTES: Final = 65_536


class Child(abc.ABC):
    """Starts a process that prints to the file `log`, and answers `question` at `probe_path`.

    `spawn` is given a descriptor of the log. Raises OSError where nothing can be started.
    """

    def __init__(
        self,
        spawn: Callable[[int], subprocess.Popen[bytes]],
        log: str,
        probe_path: str,
        question: bytes,
    ) -> None:
        self.probe: socket.socket | None = None
        """Where its answer to `ask` comes, until `forget_probe`."""
        self._probe_path, self._question = probe_path, question
        self._answer = b""
        self._log = log
        self.unlogged = ""
        """Why nothing that it prints is kept."""
        out = self._opened(log)
        self._log_start = os.fstat(out).st_size
        try:
            self._process = spawn(out)
        finally:
            os.close(out)
        self.pid = self._process.pid
        self.born_s = time.monotonic()
        self.pidfd = os.pidfd_open(self.pid)

    def _opened(self, log: str) -> int:
        """A descriptor of the log; where there can be none it runs all the same."""
        try:
            return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            self.unlogged = f"what it prints is lost: {error.strerror}: {log}"
            return os.open(os.devnull, os.O_WRONLY)

    def ask(self) -> bool:
        """Ask whether it answers; False where nobody listens there."""
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            probe.connect(self._probe_path)
            probe.sendall(self._question)
        except OSError:
            probe.close()
            return False
        self.probe, self._answer = probe, b""
        return True

    def has_answered(self) -> bool | None:
        """Whether it has answered well; None while the answer is on its way."""
        assert self.probe is not None
        try:
            data = self.probe.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return False
        self._answer += data
        return None if data else self.is_well(self._answer)

    @abc.abstractmethod
    def is_well(self, answer: bytes) -> bool:
        """Whether a whole answer is that of a process that serves."""

    def forget_probe(self) -> None:
        """Close the probe, where there is one."""
        if self.probe is not None:
            self.probe.close()
            self.probe = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; the descriptor cannot mean a stranger."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> int:
        """Its exit status, negative for a signal, once it has died."""
        return self._process.wait()

    def last_output(self) -> str:
        """The last lines that it printed, or why nobody knows them."""
        return self.unlogged or tail(self._log, self._log_start)

    def bound_log(self) -> None:
        """Set aside what has been printed, where that is much."""
        if bound(self._log):
            self._log_start = 0

    def close(self) -> None:
        """Let go of its descriptors."""
        os.close(self.pidfd)
        self.forget_probe()
