"""Clients as streams of HTTP/2 connections: many share one, each asks again when it is answered.

A client is a number of its own, in the columns where others have their descriptor. What goes on in
a connection `session` and `frames` know; here is what it means to clients. Must not know ticks.
"""

from __future__ import annotations

import os
import select

from holdfast.load import frames, shared
from holdfast.load.clients import READ_BYTES, Clients
from holdfast.load.connection import ALERT, CLOSING, connect, fault_of
from holdfast.load.frames import Frame, StreamAnswer
from holdfast.load.http import Garbage
from holdfast.load.ledger import (
    CONNECTING,
    IDLE_READING,
    IDLE_STATES,
    IN_FLIGHT_STATES,
    QUIET,
    READING,
    RESTING,
    SENDING,
)
from holdfast.load.paced import Paced
from holdfast.load.plan import LoadPlan
from holdfast.load.session import CLOSED, DIALLING, GREETED, LEAVING, OPEN, Session
from holdfast.load.shared import Board
from holdfast.load.tls import HTTP_2, Tls


class Streams(Clients):
    """The clients of one process, up to `plan.streams` of them on a connection."""

    def __init__(self, plan: LoadPlan, index: int, board: Board, poller: select.epoll) -> None:
        super().__init__(plan, index, board, poller)
        nonce = plan.nonce != "off"
        self.render = frames.renderer(plan.path, plan.host, plan.ids, nonce, plan.tls)
        self.fixed = b"" if self.fixed == b"" else self.render(0)
        self._idle_request = frames.renderer(plan.idle_path, plan.host, 1, False, plan.tls)(0)
        self._tls = Tls(plan.ca, plan.host, HTTP_2) if plan.tls else None
        self._read_wire = os.read if self._tls is None else self._tls.read
        self._write_wire = os.write if self._tls is None else self._tls.write
        self.send = self._ask
        self.granted = plan.streams
        """Streams of a connection: as many as asked for, or as the server allows."""
        self._sessions: dict[int, Session] = {}
        self._roomy: dict[Session, None] = {}
        """Sessions that have room for another client."""
        self._of: list[Session | None] = []
        self._stream: list[int] = []
        """By client: its session, and its stream while an answer is waited for (else 0)."""
        self._free: list[int] = []
        self._reading: dict[int, StreamAnswer] = {}
        self._unflushed: dict[Session, None] | None = None
        """Sessions to be flushed at the end of an event; None outside of one."""

    def _dial(self, idle: bool) -> int:
        """A new client on a session that has room, or on a new one."""
        session = None if idle else next(reversed(self._roomy), None)
        if session is None:
            fd = connect(self._sources[idle], self._target)
            self.poller.register(fd, ALERT)
            session = self._sessions[fd] = Session(fd, 1 if idle else self.granted)
        client = self._free.pop() if self._free else len(self._of)
        if client == len(self._of):
            self._of.append(None)
            self._stream.append(0)
        self._of[client] = session
        session.clients.add(client)
        self._note_room(session)
        return client

    def _dialled(self, client: int, now_ns: int) -> None:
        if self._session(client).phase == OPEN:
            self._connected(client, now_ns)

    def _session(self, client: int) -> Session:
        session = self._of[client]
        assert session is not None
        return session

    def _note_room(self, session: Session) -> None:
        if session.has_room:
            self._roomy[session] = None
        else:
            self._roomy.pop(session, None)

    def _ask(self, client: int, request: bytes) -> int:
        """Send a request on a new stream: it is sent when nothing before it is held up."""
        session = self._session(client)
        if session.is_blocked:
            raise BlockingIOError
        self._stream[client] = session.ask(client, request)
        self._flush(session)
        return len(request)

    def _say(self, session: Session, data: bytes) -> None:
        session.say(data)
        self._flush(session)

    def _flush(self, session: Session) -> None:
        """Write now, or what an event brings about all at once."""
        if self._unflushed is None:
            session.flush(self._write_wire)
        else:
            self._unflushed[session] = None

    def _hang_up(self, client: int) -> None:
        """Take the client off its session, which ends with the last one."""
        session, self._of[client] = self._session(client), None
        session.clients.discard(client)
        stream, self._stream[client] = self._stream[client], 0
        self._reading.pop(client, None)
        self._free.append(client)
        if session.streams.pop(stream, None) is not None and session.phase != CLOSED:
            self._say(session, frames.reset(stream))
        if session.phase == CLOSED:
            return
        if session.clients:
            self._note_room(session)
        else:
            session.flush(self._write_wire)
            self._close(session)

    def _close(self, session: Session) -> None:
        session.phase = CLOSED
        self._note_room(session)
        del self._sessions[session.fd]
        if self._tls is not None:
            self._tls.forget(session.fd)
        os.close(session.fd)

    def happened(self, fd: int, mask: int, now_ns: int) -> None:
        """Take up whatever epoll said of a connection."""
        session = self._sessions.get(fd)
        if session is None:
            return
        self._unflushed = {session: None}
        is_dialling = session.phase == DIALLING
        try:
            if not is_dialling or self._is_through(session):
                self._receive(session, mask, now_ns)
        except Garbage as error:
            self._break(session, "garbage", f"the answer {error}", now_ns)
        except OSError as error:
            self._break(session, *fault_of(error, is_dialling), now_ns)
        unflushed, self._unflushed = self._unflushed, None
        for each in unflushed:
            if each.phase not in (DIALLING, CLOSED):
                self._go_on(each, now_ns)

    def _is_through(self, session: Session) -> bool:
        """Go on with connect and handshake; True once the server can be greeted, and is."""
        if self._tls is None:
            os.write(session.fd, b"")  # fails as the connect did
        elif not self._tls.shake(session.fd):
            return False
        session.greet()
        return True

    def _go_on(self, session: Session, now_ns: int) -> None:
        """Write what waits to be written, and then the requests that waited behind it."""
        was_blocked = session.is_blocked
        session.flush(self._write_wire)
        if was_blocked and not session.is_blocked:
            for client in [one for one in session.clients if self.state[one] == SENDING]:
                self.write(client, self._unwritten.pop(client), now_ns)

    def _receive(self, session: Session, mask: int, now_ns: int) -> None:
        """Read all that is there, and take up each frame of it."""
        while session.phase != CLOSED:
            try:
                data = self._read_wire(session.fd, READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._break(session, "closed early", "the server closed before it answered", now_ns)
                return
            for one in session.frames.feed(data):
                self._take_frame(session, one, now_ns)
                if session.phase == CLOSED:
                    return
            if len(data) < READ_BYTES and not mask & CLOSING:
                return

    def _take_frame(self, session: Session, one: Frame, now_ns: int) -> None:
        if one.kind == frames.HEADERS:
            self._take_headers(session, one, now_ns)
        elif one.kind == frames.DATA:
            self._take_body(session, one, now_ns)
        elif one.kind == frames.SETTINGS and not one.flags & frames.ACK:
            self._take_settings(session, frames.settings(one.payload), now_ns)
        elif one.kind == frames.RST_STREAM:
            client, why = session.streams.pop(one.stream, None), frames.reason(one.payload)
            if client is not None:
                self._fail(client, "stream reset", f"the server reset the stream: {why}", now_ns)
        elif one.kind == frames.GOAWAY:
            self._take_goaway(session, *frames.goaway(one.payload), now_ns)
        elif one.kind == frames.PING and not one.flags & frames.ACK:
            self._say(session, frames.frame(frames.PING, frames.ACK, 0, one.payload))
        elif one.kind == frames.PUSH_PROMISE:
            raise Garbage("is pushed, and nobody asked")

    def _take_headers(self, session: Session, one: Frame, now_ns: int) -> None:
        found = session.frames.headers(one.payload)
        client = session.streams.get(one.stream)
        if client is None:
            return  # given up meanwhile
        answer = self._reading.get(client) or StreamAnswer(self.tallied)
        answer.take(found)
        self._progress(client, answer, one, now_ns)

    def _take_body(self, session: Session, one: Frame, now_ns: int) -> None:
        more = session.frames.body_bytes - session.renewed
        if more >= frames.RENEW:
            session.renewed += more
            self._say(session, frames.window(more))
        client = session.streams.get(one.stream)
        if client is None:
            return
        answer = self._reading.get(client)
        if answer is None:
            raise Garbage("has a body before its head")
        answer.body_length += len(one.payload)
        self._progress(client, answer, one, now_ns)

    def _progress(self, client: int, answer: StreamAnswer, one: Frame, now_ns: int) -> None:
        """An answer has come so far: wait for the rest, or judge it."""
        if not one.flags & frames.END_STREAM:
            self._reading[client] = answer
            if self.state[client] != IDLE_READING:
                self.state[client] = READING
            return
        session = self._session(client)
        del session.streams[one.stream]
        self._stream[client] = 0
        self._reading.pop(client, None)
        if not answer.status:
            self._fail(client, "garbage", "the answer ends without a head", now_ns)
        elif answer.is_cut:
            text = f"the body has {answer.body_length} bytes, its head tells of {answer.length}"
            self._fail(client, "bad length", text, now_ns)
        else:
            self._complete(client, answer, session.is_ending, None, now_ns)

    def _take_settings(self, session: Session, found: dict[int, int], now_ns: int) -> None:
        """Keep to the streams that the server takes; clients beyond them ask elsewhere."""
        self._say(session, frames.SETTINGS_TAKEN)
        most = found.get(frames.MOST_STREAMS)
        if most == 0:
            self._break(session, "refused", "the server takes no streams", now_ns)
            return
        if most is not None:
            self.granted = min(self.granted, most)
            session.most = min(session.most, most)
            self._note_room(session)
            waiting = [one for one in session.clients if self.state[one] == CONNECTING]
            for client in waiting[: max(len(session.clients) - most, 0)]:
                self._move(client, now_ns)
        if session.phase == GREETED:
            session.phase = OPEN
            for client in tuple(session.clients):
                self._connected(client, now_ns)

    def _move(self, client: int, now_ns: int) -> None:
        """Have a client that asked nothing yet ask on another session."""
        intended_ns = self.intended_ns[client] or self.sent_ns[client]
        self._drop(client)
        self.open(False, now_ns, intended_ns=intended_ns)

    def _take_goaway(self, session: Session, last: int, why: str, now_ns: int) -> None:
        """Requests that the server never took up go once more; it finishes the others, or not."""
        session.phase = LEAVING
        self._note_room(session)
        if why != frames.CODES[0]:
            self._break(session, "goaway", f"the server went away: {why}", now_ns)
            return
        for client in tuple(session.clients):
            state, stream = self.state[client], self._stream[client]
            if state == CONNECTING:
                self._move(client, now_ns)
            elif state in (QUIET, RESTING):
                self._part(client, now_ns)
            elif stream > last or not stream:
                session.streams.pop(stream, None)
                self._take_back(client, now_ns)

    def _take_back(self, client: int, now_ns: int) -> None:
        """A request that nobody began to answer is sent on another session."""
        state = self.state[client]
        if state in IDLE_STATES:
            self._idle_ended(client, now_ns)
            return
        if state in IN_FLIGHT_STATES:
            self.sent -= 1
            self.in_flight -= 1
        self._reconnect(client, self.intended_ns[client] or self.sent_ns[client], now_ns)

    def _part(self, client: int, now_ns: int) -> None:
        """The session of a client that waits for nothing ends."""
        self._idle_ended(client, now_ns)

    def _break(self, session: Session, name: str, text: str, now_ns: int) -> None:
        """The session is over, which is a failure of all that was not complete."""
        if session.phase == CLOSED:
            return
        self._close(session)
        for client in tuple(session.clients):
            if self.state[client] in (QUIET, RESTING):
                self._part(client, now_ns)
            else:
                self._fail(client, name, text, now_ns)

    def publish(self) -> None:
        """Write the counts where the fleet reads them."""
        super().publish()
        self.board.words[shared.SOCKETS] = len(self._sessions)
        self.board.words[shared.GRANTED] = self.granted


class PacedStreams(Streams, Paced):
    """The same by rate: a request goes on whichever stream is free."""

    def _check_connect(self, client: int) -> None:
        """The session is open."""

    def _part(self, client: int, now_ns: int) -> None:
        if self.state[client] == RESTING:
            self._leave(client)
        else:
            super()._part(client, now_ns)
