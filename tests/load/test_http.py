"""Answers taken apart in any pieces, and requests as they are written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.http import MOST_HEAD, Answer, Garbage, layout_of, renderer

NONCE = b"0123456789abcdef"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Holdfast-Nonce: " + NONCE + b"\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
# What comes, its status, the bytes of its body, whether the connection may be used again.
WHOLE = [
    (HEAD + b"hello", 200, 5, True),
    (INTERIM + HEAD + b"12345", 200, 5, True),
    (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 302, 0, False),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, 0, True),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, 2, False),
    (b"HTTP/1.0 200\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 200, 2, True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc", 200, 3, True),
    (CHUNKED + b"3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\n\r\n", 200, 13, True),
    (CHUNKED + b"2\r\n\r\n\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n", 200, 2, True),
    (CHUNKED + b"0\r\n\r\n", 200, 0, True),
]
GARBAGE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    CHUNKED + b"xyz\r\n",
    CHUNKED + b"2\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * MOST_HEAD,
]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def feed_all(answer: Answer, parts: list[bytes]) -> None:
    for part in parts:
        answer.feed(part)


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 300)))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(
    case: tuple[bytes, int, int, bool], cuts: list[int]
) -> None:
    """The answer is complete with its last byte and never before, however it was cut."""
    data, status, length, keep_alive = case
    answer, parts = Answer(), pieces(data, cuts)
    assert [answer.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (answer.status, answer.body_length, answer.keep_alive) == (status, length, keep_alive)
    assert answer.excess == 0


@pytest.mark.parametrize("case", WHOLE)
def test_an_answer_is_the_same_byte_by_byte(case: tuple[bytes, int, int, bool]) -> None:
    """An answer fed byte by byte is complete with its last byte."""
    data, status, length, _ = case
    answer = Answer()
    assert [answer.feed(data[n : n + 1]) for n in range(len(data))].index(True) == len(data) - 1
    assert (answer.status, answer.body_length) == (status, length)


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("step", [1, 10_000_000])
def test_garbage_is_named(data: bytes, step: int) -> None:
    """What is no HTTP/1.1 answer is refused, in one piece or byte by byte."""
    step = step if len(data) < MOST_HEAD else 5_000
    with pytest.raises(Garbage):
        feed_all(Answer(), [data[n : n + step] for n in range(0, len(data), step)])


@given(st.lists(st.integers(0, 100)))
def test_an_answer_without_a_length_ends_with_the_connection(cuts: list[int]) -> None:
    """Without a length the body goes on until the server closes, and not a byte less."""
    data = b"HTTP/1.1 200 OK\r\n\r\nall that comes"
    answer = Answer()
    assert not any(answer.feed(part) for part in pieces(data, cuts))
    assert answer.close()
    assert (answer.body_length, answer.keep_alive) == (14, False)


def test_an_answer_cut_short_is_not_complete() -> None:
    """The server's close completes no answer that said its length."""
    answer = Answer()
    assert not answer.feed(HEAD + b"hell")
    assert not answer.close()


def test_bytes_behind_an_answer_are_counted() -> None:
    """Bytes that follow the end of an answer are its excess."""
    answer = Answer()
    assert answer.feed(HEAD + b"hello, world")
    assert (answer.body_length, answer.excess) == (5, 7)


def test_a_layout_fits_the_same_answer_with_another_nonce() -> None:
    """A layout filled in with a nonce begins the answer that carries it, and no other."""
    data = HEAD.replace(b"\r\n\r\n", b"\r\nX-Share: 100%\r\n\r\n") + b"hello"
    layout = layout_of(data, NONCE)
    assert layout is not None
    assert layout.has_nonce
    assert data.startswith(layout.head % int(NONCE, 16))
    assert not data.startswith(layout.head % 7)
    assert data.replace(NONCE, b"0000000000000007").startswith(layout.head % 7)


def test_a_layout_without_a_nonce_is_the_whole_head() -> None:
    """Where no nonce comes back, the head must be the same byte for byte."""
    layout = layout_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", None)
    assert layout == (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", False)


def test_requests_carry_id_and_nonce() -> None:
    """A number becomes the id, modulo the number of ids, and the nonce in 16 hex digits."""
    render = renderer("/a%20b/{id}/{id}", "here:80", 10, nonce=True)
    expected = b"GET /a%20b/7/7 HTTP/1.1\r\nHost: here:80\r\nx-holdfast-nonce: "
    assert render(27) == expected + b"000000000000001b\r\n\r\n"
    assert renderer("/", "h", 1, nonce=False)(5) == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
