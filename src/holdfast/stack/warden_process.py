"""The warden: kills the process groups that it was told of, once nobody holds the other end.

Run by path as a bare interpreter, so it imports nothing of holdfast and little else. Standard
input carries one process id a line; a group also ends when its leader has. One argument: a folder
to remove at the end, or nothing.
"""

import contextlib
import os
import select
import signal
import sys

_TO_THE_GROUP = 4  # PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9
_LAST_WAIT_MS = 1500


def end_group(pidfd: int, pid: int) -> None:
    """Kill the group that `pid` leads or led; the descriptor cannot mean a stranger."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL, None, _TO_THE_GROUP)
        except OSError as error:
            if isinstance(error, (ProcessLookupError, PermissionError)):
                raise
            os.killpg(pid, signal.SIGKILL)  # an older kernel: the leader has died just now


def take_in(poll: select.poll, groups: dict[int, int], pid: int) -> None:
    """Watch one more leader."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return
    groups[pidfd] = pid
    poll.register(pidfd, select.POLLIN)


def watch(poll: select.poll, groups: dict[int, int]) -> None:
    """Until standard input ends: take in leaders, and end the group of each that has died."""
    poll.register(0, select.POLLIN)
    rest = b""
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                data = os.read(0, 65_536)
                if not data:
                    poll.unregister(0)
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    take_in(poll, groups, int(line))
            else:
                leave(poll, groups, fd)


def leave(poll: select.poll, groups: dict[int, int], pidfd: int) -> None:
    """A leader has died: end what it left behind."""
    poll.unregister(pidfd)
    end_group(pidfd, groups.pop(pidfd))
    os.close(pidfd)


def remove(folder: str) -> None:
    """Delete a folder and all in it, as far as it goes."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files + folders:
            whole = os.path.join(path, name)
            with contextlib.suppress(OSError):
                if os.path.isdir(whole) and not os.path.islink(whole):
                    os.rmdir(whole)
                else:
                    os.unlink(whole)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def main(folder: str) -> None:
    """Watch, then end every group that is left, then remove the folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    poll, groups = select.poll(), dict[int, int]()
    watch(poll, groups)
    for pidfd, pid in groups.items():
        end_group(pidfd, pid)
    while groups:
        dead = poll.poll(_LAST_WAIT_MS)
        if not dead:
            break
        for pidfd, _ in dead:
            leave(poll, groups, pidfd)
    if folder:
        remove(folder)


if __name__ == "__main__":
    main(sys.argv[1])
