"""Children that never outlive their parent: a group each, a death signal, and a warden behind both.

Knows nothing of what the children do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Self

_WARDEN: Final = os.path.join(os.path.dirname(__file__), "warden_process.py")
_PR_SET_PDEATHSIG: Final = 1
_prctl: Final = ctypes.CDLL(None).prctl


def bound(argv: Sequence[str], *, warden_fd: int = -1, **options: Any) -> subprocess.Popen[bytes]:
    """Start a child in its own session, killed by the kernel when the calling thread ends.

    `options` are Popen's. Before it becomes `argv` the child asks for its death signal, checks that
    its parent still lives, and names itself on `warden_fd`: there is no moment in between. Started
    from another thread than the main one it gets no death signal, since threads come and go.

    A Ctrl-C that comes meanwhile waits until it is done, and is the caller's alone: the child is of
    the terminal's group until it has its session, and would die of it with a traceback.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        before = _before_exec(os.getpid(), warden_fd, mask)
        return subprocess.Popen(argv, start_new_session=True, preexec_fn=before, **options)  # noqa: PLW1509
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _before_exec(parent: int, warden_fd: int, mask: Iterable[int]) -> Callable[[], None]:
    lasting = threading.current_thread() is threading.main_thread()

    def before_exec() -> None:
        if lasting:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        if warden_fd >= 0:
            os.write(warden_fd, b"%d\n" % os.getpid())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # forgets one that waits
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return before_exec


class Brood:
    """Starts children that are gone within two seconds of this process, however it ends.

    `remove` names a folder that goes with them. A child's group also ends when the child does.
    """

    def __init__(self, remove: str = "") -> None:
        inlet, self._pipe = os.pipe()
        try:
            self._warden = subprocess.Popen(
                [sys.executable, "-I", "-S", _WARDEN, remove],
                stdin=inlet,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(inlet)

    @property
    def warden_pid(self) -> int:
        """The warden's process id."""
        return self._warden.pid

    def spawn(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a child in its own group; `options` are Popen's."""
        return bound(argv, warden_fd=self._pipe, **options)

    def close(self) -> None:
        """Kill every child that is left, remove the folder, and wait until both are done."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            self._warden.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
