"""What no file says, asked of the kernel itself: a limit tried in a child, a datagram to oneself.

Leaves the machine as it was. Must not know what the answers mean for a plan.
"""

from __future__ import annotations

import os
import resource
import socket
import warnings


def can_set_nofile(hard: int) -> bool:
    """Whether this process may set RLIMIT_NOFILE's hard limit to `hard`; tried in a child."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside threads; this child makes one system call and exits.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard), hard))
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def sent_to_self() -> bool:
    """Send a datagram of one byte over loopback to the socket that sends it; False if it cannot."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind(("127.0.0.1", 0))
            own.sendto(b"\0", own.getsockname())
    except OSError:
        return False
    return True
