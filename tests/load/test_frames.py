"""HTTP/2 taken apart in any pieces, and requests as another's decoder reads them."""

from __future__ import annotations

import struct

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load import frames
from holdfast.load.frames import Frame, Frames, StreamAnswer, frame, renderer
from holdfast.load.http import Garbage
from tests.load.test_http import pieces

BLOCK = Encoder().encode([(":status", "200"), ("content-length", "5"), ("x-more", "yes")])
HELLO = frame(frames.DATA, frames.END_STREAM, 1, b"hello")
PADDED = frame(frames.DATA, frames.END_STREAM | 8, 1, b"\x03hello\0\0\0")
FIRST = frame(frames.HEADERS, 8 | 32, 1, b"\x02" + 5 * b"p" + BLOCK[:3] + b"\0\0")
SECOND = frame(frames.CONTINUATION, 0, 1, BLOCK[3:7])
LAST = frame(frames.CONTINUATION, frames.END_HEADERS, 1, BLOCK[7:])
WHOLE = [Frame(frames.HEADERS, 8 | 32 | 4, 1, BLOCK), Frame(frames.DATA, 1, 1, b"hello")]


@given(st.lists(st.integers(0, 200)))
def test_frames_are_the_same_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    """A block of three frames and a body come out whole, without padding and priority."""
    data, taken = FIRST + SECOND + LAST + HELLO, Frames()
    assert [one for part in pieces(data, cuts) for one in taken.feed(part)] == WHOLE
    assert taken.body_bytes == 5


def test_padding_counts_in_the_window() -> None:
    """What the connection's window loses is the frame, padding and all."""
    taken = Frames()
    assert [one.payload for one in taken.feed(PADDED)] == [b"hello"]
    assert taken.body_bytes == 9


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP/1.1"),
        pytest.param(frame(frames.DATA, 0, 1, bytes(16_385)), id="too large"),
        pytest.param(FIRST + HELLO, id="headers without an end"),
        pytest.param(LAST, id="an end without headers"),
        pytest.param(FIRST + frame(frames.CONTINUATION, 4, 3, BLOCK), id="another's headers"),
        pytest.param(frame(frames.DATA, 8, 1, b"\x09abc"), id="more padding than payload"),
    ],
)
def test_what_is_no_http_2_is_garbage(data: bytes) -> None:
    """It is refused where it begins."""
    with pytest.raises(Garbage):
        list(Frames().feed(data))


def test_headers_that_nobody_can_read_are_garbage() -> None:
    """A reference into a table that was never filled cannot be read."""
    with pytest.raises(Garbage):
        Frames().headers(b"\xff\x80\x01")


@pytest.mark.parametrize("path", ["/", "/items/{id}?a={id}", "/" + 200 * "long"])
@pytest.mark.parametrize("nonce", [True, False])
def test_a_request_is_what_a_decoder_reads(path: str, nonce: bool) -> None:
    """Any decoder reads the path with its numbers, and the nonce."""
    number = 0xFEDC_BA98_0000_0007
    block = renderer(path, "here:1", 10, nonce, tls=True)(number)
    told = dict(Decoder().decode(block))
    asked = path.replace("{id}", str(number % 10))
    expected = {":method": "GET", ":scheme": "https", ":authority": "here:1", ":path": asked}
    assert told == expected | ({"x-holdfast-nonce": "fedcba9800000007"} if nonce else {})


def test_an_interim_head_is_not_the_answers() -> None:
    """103 says nothing of the answer, and trailers say nothing new."""
    answer = StreamAnswer()
    answer.take([(b":status", b"103")])
    assert answer.status == 0
    answer.take([(b":status", b"200"), (b"content-length", b"2")])
    answer.take([(b"x-trailer", b"1")])
    answer.body_length = 1
    assert (answer.status, answer.length, answer.is_cut) == (200, 2, True)


@pytest.mark.parametrize(
    "headers", [[], [(b":status", b"20")], [(b":status", b"200"), (b"content-length", b"-1")]]
)
def test_a_head_without_sense_is_garbage(headers: list[tuple[bytes, bytes]]) -> None:
    """A head has a status of three digits, and a length that is a number."""
    with pytest.raises(Garbage):
        StreamAnswer().take(headers)


@pytest.mark.parametrize("code", [0, 7, 99])
def test_codes_have_names(code: int) -> None:
    """A GOAWAY and a RST_STREAM say why, also by a number that nobody knows."""
    name = {0: "NO_ERROR", 7: "REFUSED_STREAM"}.get(code, "code 99")
    assert frames.goaway(struct.pack(">II", 5, code) + b"more") == (5, name)
    assert frames.reason(struct.pack(">I", code)) == name


@pytest.mark.parametrize(
    "read", [frames.goaway, frames.reason, frames.settings], ids=["goaway", "reset", "settings"]
)  # fmt: skip
def test_what_is_cut_off_is_garbage(read: object) -> None:
    """Control frames that are too short say nothing."""
    with pytest.raises(Garbage):
        read(b"abc")  # type: ignore[operator]
