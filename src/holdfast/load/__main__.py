"""The entry of a generator process: `python -m holdfast.load INDEX PARENT PLAN_FD SHARED_FD`.

Started by a fleet only. Dies with its parent, and lets go at SIGTERM.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys

import msgspec

from holdfast.load.loop import Loop
from holdfast.load.plan import LoadPlan
from holdfast.load.shared import Board

_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29


def main() -> None:
    """Hold this process's share of the plan's clients until let go."""
    index, parent, plan_fd, shared_fd = map(int, sys.argv[1:])
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(_PR_SET_TIMERSLACK, 1)  # ns; 50 us otherwise, by which each request that is due is late
    if os.getppid() != parent:
        sys.exit("the fleet is gone")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    plan = msgspec.json.decode(os.pread(plan_fd, os.fstat(plan_fd).st_size, 0), type=LoadPlan)
    loop = Loop(plan, index, Board(shared_fd, index))

    def terminate(*_: object) -> None:
        loop.terminated = True

    signal.signal(signal.SIGTERM, terminate)
    gc.disable()  # nothing here makes cycles, and events by the thousand would set it off
    loop.run()


if __name__ == "__main__":
    main()
