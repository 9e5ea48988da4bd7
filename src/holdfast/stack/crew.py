"""One live worker as its supervisor holds it: process, control socket, probe. Decides nothing."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from typing import Any, Final

from holdfast import wire
from holdfast.stack.child import Child
from holdfast.stack.config import StackConfig
from holdfast.stack.run_dir import RunDir
from holdfast.stack.warden import Brood

IDLE_MARGIN_S: Final = 1.0
"""An edge's idle timer starts a little after the worker thinks that the answer is sent."""
_ASK = b"GET / HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n"


class Worker(Child):
    """Starts one generation of a slot's worker on `listener`, and talks with it.

    `row` of the gauge is its own as long as it lives.
    """

    def __init__(
        self,
        config: StackConfig,
        run_dir: RunDir,
        brood: Brood,
        listener: socket.socket,
        slot: int,
        generation: int,
        row: int,
    ) -> None:
        self.slot = slot
        self.row = row
        self.generation = generation
        self.failed: dict[str, Any] | None = None
        """What the worker said of why it cannot serve."""
        self.has_cut = False
        self._buffer = b""
        probe_path = run_dir.probe(slot, generation)
        self.control, theirs = socket.socketpair()

        def spawn(log: int) -> subprocess.Popen[bytes]:
            return self._spawn(config, run_dir, brood, listener, theirs, log, probe_path)

        try:
            super().__init__(spawn, run_dir.log(slot), probe_path, _ASK)
        except BaseException:
            self.control.close()
            raise
        finally:
            theirs.close()
        self.control.setblocking(False)

    def _spawn(
        self,
        config: StackConfig,
        run_dir: RunDir,
        brood: Brood,
        listener: socket.socket,
        control: socket.socket,
        log: int,
        probe_path: str,
    ) -> subprocess.Popen[bytes]:
        own = {
            wire.ENV_APP: config.app,
            wire.ENV_APP_DIR: os.path.abspath(config.app_dir),
            wire.ENV_SLOT: self.slot,
            wire.ENV_GENERATION: self.generation,
            wire.ENV_LISTEN_FD: listener.fileno(),
            wire.ENV_PROBE_PATH: probe_path,
            wire.ENV_CONTROL_FD: control.fileno(),
            wire.ENV_GAUGE: run_dir.gauge,
            wire.ENV_GAUGE_ROW: self.row,
            wire.ENV_KEEP_ALIVE_S: config.keep_alive_s,
            wire.ENV_BACKLOG: config.backlog,
            wire.ENV_GRACE_S: config.grace_s,
            wire.ENV_DIALLER_IDLE_S: _dialler_idle_s(config),
            wire.ENV_IN_FLIGHT: config.in_flight,
            wire.ENV_WORKERS: config.slots,
            wire.ENV_ENGINE: config.engine,
            wire.ENV_CAP: config.cap,
            wire.ENV_CONNECTIONS: config.connections,
            wire.ENV_WEBSOCKETS_S: config.front.websockets.leave,
            wire.ENV_STREAMS_S: config.front.streams.leave,
            wire.ENV_ADMISSION: config.places.text if config.places else "",
        }
        told = {key: text.replace("{run_dir}", run_dir.path) for key, text in config.env.items()}
        env = {**os.environ, **told, **{name: str(value) for name, value in own.items()}}
        if env.get("PYTHONPATH"):  # relative parts mean our folder, and the worker has another
            parts = env["PYTHONPATH"].split(os.pathsep)
            env["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts)
        return brood.spawn(
            [sys.executable, "-P", "-m", "holdfast.worker"],
            cwd=config.app_dir,
            env=env,
            pass_fds=(listener.fileno(), control.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def hear(self) -> list[dict[str, Any]] | None:
        """The messages that have arrived; None when there will be no more."""
        try:
            data = self.control.recv(65_536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        messages, self._buffer = wire.decode(self._buffer + data)
        return messages if data else None

    def is_well(self, answer: bytes) -> bool:
        """Whether it is a 200 of this very worker's."""
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200 ") and json.loads(body).get("pid") == self.pid

    def drain(self) -> None:
        """Ask it to finish what it holds and to end."""
        with contextlib.suppress(OSError):
            self.control.send(wire.encode({"type": wire.DRAIN}))

    def reap(self) -> int:
        """Its exit status, negative for a signal, once it has died; its socket is removed."""
        status = super().reap()
        with contextlib.suppress(OSError):
            os.unlink(self._probe_path)
        return status

    def count(self, gauge: wire.Gauge, word: int) -> int:
        """A word of its row; 0 where it has not begun to count."""
        words = gauge.words(self.row)
        return int(words[word]) if words[wire.PID] == self.pid else 0

    def holds(self, gauge: wire.Gauge) -> int:
        """Requests that it has started and not finished; 0 where it has not begun to count."""
        finished = self.count(gauge, wire.FINISHED)  # first, so that it is never below zero
        return self.count(gauge, wire.STARTED) - finished

    def close(self) -> None:
        """Let go of its descriptors."""
        super().close()
        self.control.close()


def _dialler_idle_s(config: StackConfig) -> float:
    """How long a worker that drains leaves idle connections to an edge; 0 where there is none."""
    return config.dialler_idle_s + IDLE_MARGIN_S if config.listen == "slots" else 0.0
