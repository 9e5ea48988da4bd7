"""Clients that speak HTTP/1.1 over TLS: a handshake after each connect, then as all clients do."""

from __future__ import annotations

import select

from holdfast.load.clients import Clients
from holdfast.load.paced import Paced
from holdfast.load.plan import LoadPlan
from holdfast.load.shared import Board
from holdfast.load.tls import HTTP_1, Tls


class Secure(Clients):
    """Clients whose bytes go through TLS. One that shakes hands is opening still."""

    def __init__(self, plan: LoadPlan, index: int, board: Board, poller: select.epoll) -> None:
        super().__init__(plan, index, board, poller)
        self._tls = Tls(plan.ca, plan.host, HTTP_1)
        self.recv, self.send = self._tls.read, self._tls.write

    def _connected(self, fd: int, now_ns: int) -> None:
        """The connect came to an end, or the handshake goes on."""
        try:
            is_done = self._tls.shake(fd)
        except OSError as error:
            self.lost(fd, error, now_ns)
            return
        if is_done:
            super()._connected(fd, now_ns)

    def _hang_up(self, fd: int) -> None:
        self._tls.forget(fd)
        super()._hang_up(fd)


class SecurePaced(Secure, Paced):
    """The same by rate."""
