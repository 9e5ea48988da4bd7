"""Nothing outlives a supervisor that is killed, nor a parent that is, at whatever moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import Client, config, crowd, marked

pytestmark = pytest.mark.slow


def end_suddenly(stack: StackProcess, mark: str) -> None:
    """Kill the supervisor; within 2 s nothing of the stack lives, which is the stated promise."""
    os.kill(stack.supervisor_pid, signal.SIGKILL)
    wait_until(lambda: not marked(mark), ceiling_s=2, what="no process left")


@pytest.mark.parametrize("lot", range(10))
def test_killed_while_it_starts(lot: int, seed: int, mark: str) -> None:
    """A supervisor killed at a random moment of its start leaves no process after 2 s."""
    moment_s = random.Random(f"{seed} start {lot}").uniform(0.0, 0.8)
    with StackProcess(config()) as stack:
        stack.start()
        threading.Event().wait(moment_s)
        end_suddenly(stack, mark)


@pytest.mark.parametrize("lot", range(10))
def test_killed_while_it_serves_or_drains(lot: int, seed: int, mark: str) -> None:
    """A supervisor killed at rest, under load or in a drain leaves no process after 2 s."""
    lots = random.Random(f"{seed} serve {lot}")
    with StackProcess(config()) as stack:
        stack.start()
        stack.wait_until_ready(60)
        run_dir = stack.serving.run_dir
        with crowd(stack.port, lots.choice([0, 100, 500]), lots.choice(["/", "/fork"])):
            if lots.random() < 0.4:
                os.kill(stack.supervisor_pid, signal.SIGTERM)
            threading.Event().wait(lots.uniform(0.0, 0.3))
            end_suddenly(stack, mark)
        wait_until(lambda: not os.path.exists(run_dir))


def test_programs_that_the_app_started_end_too(mark: str) -> None:
    """What an app has started in its worker's group ends with the supervisor."""
    with StackProcess(config(slots=1)) as stack:
        stack.start()
        stack.wait_until_ready(60)
        client = Client(stack.port)
        client.ask("/fork")
        client.finish()
        assert client.status() == 200
        client.close()
        assert len(marked(mark)) == 4
        end_suddenly(stack, mark)


PARENT = """
from tests.stack.driving import running
with running() as stack:
    print(stack.supervisor_pid, flush=True)
    input()
"""


THREADED = """
import threading
from holdfast.stack.process import StackProcess
from tests.stack.driving import config
stack = StackProcess(config())
starter = threading.Thread(target=stack.start)
starter.start()
starter.join()
stack.wait_until_ready(60)
print(stack.supervisor_pid, flush=True)
input()
"""


@pytest.mark.parametrize("code", [PARENT, THREADED], ids=["main thread", "other thread"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_takes_its_stack_along(code: str, number: int, mark: str) -> None:
    """When the process that holds a StackProcess is killed, nothing is left after 2 s.

    Also where another thread started it, so that the kernel sends no death signal.
    """
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(marked(mark)) == 5
        parent.send_signal(number)
        parent.wait(30)
        wait_until(lambda: not marked(mark), ceiling_s=2, what="no process left")
