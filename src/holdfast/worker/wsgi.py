"""The WSGI wrapper: counts requests, lets them in, answers the supervisor's probe.

Decides nothing: who is let in, its turns say. It changes no answer but for the nonce, and knows
neither server nor supervisor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from holdfast.wire import FINISHED, NONCE_HEADER, REFUSED, STARTED, WAITING, Places
from holdfast.worker.admission import BODY, REASON, STATUS, refusal
from holdfast.worker.held import Held
from holdfast.worker.lasting import ends_an_event, is_event_stream
from holdfast.worker.turns import Turns

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_NONCE: Final = "HTTP_" + NONCE_HEADER.upper().replace("-", "_")


class WsgiShim(Held):
    """Counts: started at the call, finished when the server closes the answer's iterable.

    `is_probe` tells the supervisor's requests by their environ, which are answered and not counted;
    `force_close` has the server close the connection after the answer of this `start_response`,
    since an app must not say `Connection` itself. No more than `places` are let in; who waits for a
    place has not started, and `has_left` tells whether it waited in vain. May be called by several
    threads at once.
    """

    __slots__ = ("_app", "_force_close", "_has_left", "_is_probe", "_lock", "_turns")

    def __init__(
        self,
        app: App,
        words: memoryview,
        identity: dict[str, object],
        is_probe: Callable[[Environ], bool],
        force_close: Callable[[StartResponse], None],
        places: Places | None = None,
        has_left: Callable[[Environ], bool] = lambda environ: False,
    ) -> None:
        super().__init__(words, identity)
        self._turns = None if places is None else Turns(places)
        self._has_left = has_left
        self._app = app
        self._is_probe = is_probe
        self._force_close = force_close
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; an app that raises has finished it."""
        if self._is_probe(environ):
            body = self.probed()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ]
            start_response("200 OK", headers)
            return [body]
        turns, waited = self._turns, False
        if turns is not None:
            if environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"] in turns.exempt:
                turns = None
            elif not turns.enter():
                waited = self._wait(turns, environ)
                if not waited:
                    self._count(REFUSED)
                    answer = _Answer(self, start_response, environ.get(_NONCE))
                    answer.start(f"{STATUS} {REASON}", refusal(turns.retry_after_s))
                    return [] if environ["REQUEST_METHOD"] == "HEAD" else [BODY]
        answer = _Answer(self, start_response, environ.get(_NONCE), turns)
        self._count(STARTED)
        if waited:
            self._count(WAITING, -1)
        try:
            return answer.around(self._app(environ, answer.start), environ)
        except BaseException:
            answer.finish()
            raise

    def _wait(self, turns: Turns, environ: Environ) -> bool:
        """Whether there is a place in the end; a client that has left gives its own up.

        Whoever gets one waits until it has started: a drain must see it all the time.
        """
        self._count(WAITING)
        found = turns.wait()
        if found and self._has_left(environ):
            turns.leave()
            found = False
        if not found:
            self._count(WAITING, -1)
        return found

    def _count(self, word: int, by: int = 1) -> None:
        with self._lock:  # `+=` reads and writes, and another thread may come between
            self._words[word] += by


class _Answer:
    """One request's answer: its iterable, whose `close` ends the request, exactly once."""

    __slots__ = (
        *(
            "_body",
            "_close",
            "_has_started",
            "_is_ending",
            "_is_stream",
            "_nonce",
            "_over",
            "_shim",
        ),
        *("_start", "_turns"),
    )

    def __init__(
        self,
        shim: WsgiShim,
        start: StartResponse,
        nonce: str | None,
        turns: Turns | None = None,
    ) -> None:
        self._shim, self._start, self._nonce, self._turns = shim, start, nonce, turns
        self._over = self._has_started = self._is_stream = self._is_ending = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """The app's `start_response`: adds the nonce, and `close` in a drain."""
        self._has_started = True
        if any(name.lower() == "content-type" and is_event_stream(v) for name, v in headers):
            self._is_stream = True
            self._shim.streams.add(self)
        if self._nonce is not None:
            headers = [*headers, (NONCE_HEADER, self._nonce)]
        if self._shim.draining:
            self._shim._force_close(self._start)
        return self._start(status, headers, exc_info)

    def around(self, body: Iterable[bytes], environ: Environ) -> Iterable[bytes]:
        """The iterable for the server; the server's own file wrapper stays what it is."""
        self._body, self._close = body, getattr(body, "close", None)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            body.close = self.close  # type: ignore[attr-defined]
            return body
        return self

    def __iter__(self) -> Iterator[bytes]:
        is_plain = self._has_started and not self._is_stream
        return iter(self._body) if is_plain else self._parts()

    def _parts(self) -> Iterator[bytes]:
        """The parts of a stream of events, as far as it goes."""
        for part in self._body:
            yield part
            if self._is_ending and ends_an_event(part):
                return

    def end(self) -> None:
        """End a stream after its next event."""
        self._is_ending = True

    def close(self) -> None:
        """The server has sent all, or given up."""
        try:
            if self._close is not None:
                self._close()
        finally:
            self.finish()

    def finish(self) -> None:
        """Count the request as finished."""
        if not self._over:
            self._over = True
            self._shim._count(FINISHED)
            if self._is_stream:
                self._shim.streams.remove(self)
            if self._turns is not None:
                self._turns.leave()
