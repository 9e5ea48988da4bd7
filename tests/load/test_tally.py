"""Answers counted by one of their headers: by hand, over HTTP/1.1 and HTTP/2, and by rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.load.http import Answer
from holdfast.load.shared import Board, create
from holdfast.load.tally import MOST_VALUES, OTHERS, SIZE, VALUE_BYTES, Tally
from holdfast.model.errors import BadInput
from tests.load.h2_servers import NONCE_NAME, Peer, each
from tests.load.secured import make_certificate, over_tls
from tests.load.servers import NONCE, Connection, RawServer, drive, load_plan, nonce_in
from tests.load.test_paced import REQUESTS, drive_by_rate

HEADER = "X-Code-Version"
ENOUGH = 300


def test_values_are_counted_apart_and_the_rest_together() -> None:
    """The first 16 values have a count each, all others one, and "" is of those without any."""
    memory = memoryview(bytearray(SIZE))
    tally = Tally(memory)
    for number in range(MOST_VALUES + 3):
        for _ in range(2):
            tally.count(b"%d" % number if number else b"")
    expected = {str(n): 2 for n in range(1, MOST_VALUES)} | {"": 2, OTHERS: 6}
    assert tally.read() == Tally(memory).read() == expected


def test_a_long_value_is_told_by_its_beginning() -> None:
    """Values that begin alike for as long as is looked at are one."""
    tally = Tally(memoryview(bytearray(SIZE)))
    tally.count(VALUE_BYTES * b"x" + b"1")
    tally.count(VALUE_BYTES * b"x" + b"2")
    assert tally.read() == {VALUE_BYTES * "x": 2}


def test_each_process_has_a_tally_of_its_own() -> None:
    """What one process counts no other one overwrites, nor its neighbours in memory."""
    memory = create(2)
    first, second = Board(memory, 0), Board(memory, 1)
    first.tally.count(b"a")
    first.note_first_error(1, 600 * "e")
    first.prompt[0] = second.words[0] = 7
    second.tally.count(b"b")
    assert (first.tally.read(), second.tally.read()) == ({"a": 1}, {"b": 1})


@pytest.mark.parametrize("step", [1, 1_000])
def test_only_the_header_that_is_asked_for_is_kept(step: int) -> None:
    """Its name in any letters, its value without the spaces around it; "" where it is not."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-CODE-Version:  new \r\n\r\n"
    for tallied, value in ((b"x-code-version", b"new"), (b"x-other", b""), (None, b"")):
        answer = Answer(tallied)
        for at in range(0, len(data), step):
            answer.feed(data[at : at + step])
        assert (answer.status, answer.value) == (200, value)


@pytest.mark.parametrize("name", ["two words", "new\nline", "ä"])
def test_what_is_no_name_of_a_header_is_refused(name: str) -> None:
    """No fleet is started for it."""
    with pytest.raises(BadInput):
        load_plan(1, tally=name).check()


def versions(connection: Connection) -> None:
    """Answer each third request with no version, the others by turns with an old and a new one."""
    while request := connection.request():
        with connection.server.lock:
            number = connection.server.requests % 3
        told = (b"", b"X-Code-Version: old\r\n", b"X-Code-Version: new\r\n")[number]
        nonce = NONCE + nonce_in(request) + b"\r\n"
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + nonce + told + b"\r\nok")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_every_answer_is_counted_once(processes: int) -> None:
    """Over all processes the counts of the values add up to what was answered."""
    with RawServer(versions) as server:
        plan = load_plan(server.port, clients=4, processes=processes, nonce="require", tally=HEADER)
        totals = drive(plan, lambda sample: sum(sample.tally.values()) > ENOUGH)
    assert set(totals.tally) == {"", "old", "new"}
    assert sum(totals.tally.values()) == totals.answered
    assert (totals.answered, totals.failed) == (server.requests, 0)


@pytest.mark.slow
def test_every_answer_on_a_stream_is_counted_once(tmp_path: Path) -> None:
    """The same over HTTP/2, where no connection is anybody's own."""
    numbers = iter(range(10**9))

    def answer(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
        told = (b"x-code-version", b"new" if next(numbers) % 2 else b"old")
        peer.answer(stream, (NONCE_NAME, headers[NONCE_NAME]), (b"content-length", b"2"), told)

    certificate = make_certificate(tmp_path)
    with RawServer(over_tls(each(answer), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=4, nonce="require", tally=HEADER)
        totals = drive(plan, lambda sample: sample.answered > ENOUGH)
    assert set(totals.tally) == {"old", "new"}
    assert abs(totals.tally["old"] - totals.tally["new"]) <= 1
    assert sum(totals.tally.values()) == totals.answered


@pytest.mark.slow
def test_by_rate_answers_are_counted_too() -> None:
    """Requests that go when they are due are counted by their answers' values."""
    with RawServer(versions) as server:
        totals = drive_by_rate(server.port, nonce="require", tally=HEADER)
    assert sum(totals.tally.values()) == totals.answered == REQUESTS
