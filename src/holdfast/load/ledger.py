"""What is known of each client, in columns by descriptor, and the counts that law 7 adds up.

No object per client. Must not know sockets, nor why a client changes its state.

    CONNECTING -> FIRST -> WAITING -> WAITING ...     occupied; FIRST: nothing answered here yet
         SENDING: a request not wholly written; READING: an answer not wholly read
    CONNECTING -> RESTING -> FIRST -> RESTING -> WAITING -> RESTING ...     by rate
    IDLE_CONNECTING -> IDLE_READING -> QUIET          idle
    any -> FREE
"""

from __future__ import annotations

from array import array
from typing import Final

from holdfast.load import shared
from holdfast.load.histogram import index_of
from holdfast.load.judge import NO_PLACE
from holdfast.load.shared import Board

FREE, CONNECTING, SENDING, FIRST, WAITING, READING, RESTING = range(7)
IDLE_CONNECTING, IDLE_READING, QUIET = range(7, 10)
IN_FLIGHT_STATES: Final = (FIRST, WAITING, READING)
UNSENT_STATES: Final = (CONNECTING, SENDING, RESTING)
IDLE_STATES: Final = (IDLE_CONNECTING, IDLE_READING, QUIET)
TIMED_STATES: Final = (SENDING, *IN_FLIGHT_STATES, IDLE_READING)


class Ledger:
    """The columns, and the counts of one process."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.state: list[int] = []
        self.nonce: list[int] = []
        self.sent_ns: list[int] = []
        """When the request went; when the connect began, before. Lists, since the loop reads these
        three for each answer, and a list gives its item without making it anew."""
        self.attempts = bytearray()
        self.intended_ns = array("q")
        """When the client's request should have gone; 0: when it went, or as soon as it can."""
        self.connecting: dict[int, int] = {}
        """When each connect began that has no answer yet, the oldest first."""
        self.kept, self.kept_idle = 0, 0
        """Clients that are open, opening or pausing."""
        self.intended = self.sent = self.in_flight = self.answered = self.failed = 0
        self.refused = 0
        """Told, in good order, that there is no place: neither answered nor failed."""
        self.unsent = 0
        """Intended, and given up when the fleet let go."""
        self.connected = self.idle = self.idle_closed = 0

    def _grow(self, size: int) -> None:
        had = len(self.state)
        more = max(size, had + had // 4, 1024) - had
        for numbers in (self.state, self.nonce, self.sent_ns):
            numbers.extend([0] * more)
        self.intended_ns.frombytes(bytes(8 * more))
        self.attempts.extend(bytes(more))

    def record(self, fd: int, now_ns: int) -> None:
        """Count how long the request took that was answered just now."""
        sent_ns = self.sent_ns[fd]
        self.board.response[index_of(now_ns - (self.intended_ns[fd] or sent_ns))] += 1
        self.board.service[index_of(now_ns - sent_ns)] += 1

    def _count_failure(self, idle: bool, sent: bool, fault: tuple[str, str], now_ns: int) -> None:
        """Count a failure; one on the way out counts as sent too, so that law 7 adds up."""
        name, text = fault
        if name == NO_PLACE:
            self.refused += 1
            return
        if not idle:
            self.failed += 1
            self.sent += not sent
        number = shared.FAULT_NAMES.index(f"idle {name}" if idle else name)
        self.board.words[shared.FIRST_FAULT + number] += 1
        self.board.note_first_error(now_ns, f"{'idle client: ' if idle else ''}{name}: {text}")

    def count_unfinished(self) -> int:
        """Requests in flight, counted one by one."""
        return sum(map(self.state.count, IN_FLIGHT_STATES))

    def publish(self) -> None:
        """Write the counts where the fleet reads them; what can only be larger goes first."""
        words = self.board.words
        words[shared.INTENDED] = self.intended
        words[shared.SENT] = self.sent
        words[shared.IN_FLIGHT] = self.in_flight
        words[shared.ANSWERED] = self.answered
        words[shared.FAILED] = self.failed
        words[shared.REFUSED] = self.refused
        words[shared.OPENING] = len(self.connecting)
        words[shared.CONNECTED] = self.connected
        words[shared.IDLE] = self.idle
        words[shared.IDLE_CLOSED] = self.idle_closed
