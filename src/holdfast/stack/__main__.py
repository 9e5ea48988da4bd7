"""The supervisor as a child process: takes its config from a socket, and reports over it.

One argument: the socket's descriptor. Ends with the supervisor's exit code.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import tempfile
from typing import Final

import msgspec

from holdfast.model.errors import HoldfastError
from holdfast.stack.config import Failed, Report, StackConfig
from holdfast.stack.supervisor import Supervisor

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def main(fd: int) -> int:
    """Run the stack that the first line from the socket describes."""
    os.set_inheritable(fd, False)
    channel = socket.socket(fileno=fd)

    def report(message: Report) -> None:
        with contextlib.suppress(OSError):
            channel.sendall(msgspec.json.encode(message) + b"\n")

    with channel.makefile("rb") as lines:
        line = lines.readline()
    if not line:  # whoever started us was interrupted before it said what to run
        return 1
    config = msgspec.json.decode(line, type=StackConfig)
    try:
        return Supervisor(config, report, channel).run()
    except HoldfastError as error:
        report(Failed(error.fault, error.place, error.hint, error.exit_code))
        return error.exit_code
    except OSError as error:
        if error.errno not in _FULL:
            raise
        hint = "remove files there, or name another run folder"
        place = error.filename or config.run_dir or tempfile.gettempdir()
        report(Failed(f"cannot write: {error.strerror}", place, hint, 1))
        return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
