"""Which address an app sees its client at: the edge's own view, or what a trusted balancer says."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from holdfast.model.front.clients import CLAIMS, PROXY_PROTOCOL, Clients
from holdfast.model.front.front import Front
from tests.edges import PROGRAMS
from tests.stack.claims import SPOOFED, seen
from tests.stack.driving import running
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

BALANCERS = ("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32")
Ask = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def ask_trusting(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Ask through an edge of the parameters: the program, and who is trusted."""
    program, clients = request.param
    front = Front(clients=clients)
    with running("kit_asgi:app", **{**behind(program, front=front), "slots": 1}) as stack:
        yield lambda *headers, **how: seen(stack.port, *headers, **how)


def through(clients: Clients) -> pytest.MarkDecorator:
    """One stack behind each edge that trusts so, for all cases of a test."""
    both = [
        pytest.param((program.values[0], clients), marks=program.marks, id=str(program.values[0]))
        for program in PROGRAMS
    ]
    return pytest.mark.parametrize("ask_trusting", both, indirect=True)


SAID = (
    ("1.2.3.4", "1.2.3.4"),
    ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
    ("6.6.6.6,1.2.3.4, 10.0.0.1,10.9.9.9", "1.2.3.4"),
    ("2001:db9::7", "2001:db9::7"),
    ("6.6.6.6, 2001:db9::7, 2001:db8::1", "2001:db9::7"),
    ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
    ("garbage", "127.0.0.1"),
    ("6.6.6.6, garbage", "127.0.0.1"),
    ("6.6.6.6, garbage, 10.0.0.1", "10.0.0.1"),
    ("", "127.0.0.1"),
    (", ,", "127.0.0.1"),
    ("999.1.1.1", "127.0.0.1"),
    ("1.2.3.4'\"<script>", "127.0.0.1"),
)


@through(Clients(trusted=BALANCERS))
@pytest.mark.parametrize(("told", "seen"), SAID)
def test_a_trusted_balancer_is_believed(ask_trusting: Ask, told: str, seen: str) -> None:
    """From the end of the list, the first address that is not trusted is the client's: what stands
    before it, and what is no address, nobody believes."""
    assert ask_trusting(f"X-Forwarded-For: {told}") == (seen, "http")


@through(Clients(trusted=BALANCERS))
def test_the_scheme_is_the_balancers_too(ask_trusting: Ask) -> None:
    """`https` and `http` are believed of a trusted peer, and nothing else; lists of lines count as
    one list."""
    xff = "X-Forwarded-For: 1.2.3.4"
    assert ask_trusting(xff, "X-Forwarded-Proto: https") == ("1.2.3.4", "https")
    assert ask_trusting(xff, "X-Forwarded-Proto: http") == ("1.2.3.4", "http")
    assert ask_trusting(xff, "X-Forwarded-Proto: javascript") == ("1.2.3.4", "http")
    assert ask_trusting(xff, "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6") == ("1.2.3.4", "http")
    assert ask_trusting("X-Forwarded-For: 6.6.6.6", xff) == ("1.2.3.4", "http")
    many = ", ".join(["6.6.6.6"] * 200)
    assert ask_trusting(f"X-Forwarded-For: {many}, 1.2.3.4") == ("1.2.3.4", "http")


@through(Clients(trusted=("10.0.0.0/8",)))
def test_whoever_is_not_trusted_is_not_believed(ask_trusting: Ask) -> None:
    """A client that comes past the balancer has its own address, whatever it says."""
    assert ask_trusting(*SPOOFED) == ("127.0.0.1", "http")
    assert ask_trusting("X-Forwarded-For: 6.6.6.6, 10.0.0.1") == ("127.0.0.1", "http")


@through(Clients(trusted=BALANCERS, header="CF-Connecting-IP"))
def test_another_header_may_be_the_trusted_one(ask_trusting: Ask) -> None:
    """Then `X-Forwarded-For` says nothing."""
    assert ask_trusting("CF-Connecting-IP: 1.2.3.4", "X-Forwarded-For: 6.6.6.6")[0] == "1.2.3.4"
    assert ask_trusting("X-Forwarded-For: 6.6.6.6")[0] == "127.0.0.1"


PROXIED = (b"PROXY TCP4 1.2.3.4 127.0.0.1 5 6\r\n", b"PROXY TCP6 2001:db9::7 ::1 5 6\r\n")
VERSION_2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton("1.2.3.4")
    + socket.inet_aton("127.0.0.1")
    + b"\x00\x05\x00\x06"
)


@through(Clients(trusted=BALANCERS, header=PROXY_PROTOCOL))
def test_the_proxy_protocol_is_spoken_with_balancers(ask_trusting: Ask) -> None:
    """Both of its versions; headers say nothing then, and a connection without it is not served."""
    assert ask_trusting(first=PROXIED[0]) == ("1.2.3.4", "http")
    assert ask_trusting(first=PROXIED[1]) == ("2001:db9::7", "http")
    assert ask_trusting(first=VERSION_2) == ("1.2.3.4", "http")
    assert ask_trusting(*SPOOFED, first=PROXIED[0]) == ("1.2.3.4", "http")
    assert ask_trusting(first=b"PROXY UNKNOWN\r\n") == ("127.0.0.1", "http")
    for first in (b"", b"PROXY TCP4 nobody 127.0.0.1 5 6\r\n", b"PROXY TCP9 1.2.3.4\r\n"):
        assert ask_trusting(first=first)[0] == ""


@through(Clients(trusted=("10.0.0.0/8",), header=PROXY_PROTOCOL))
def test_the_proxy_protocol_of_others_is_not_believed(ask_trusting: Ask) -> None:
    """Whoever is not trusted has its own address, or is not served."""
    assert ask_trusting(first=PROXIED[0])[0] in {"127.0.0.1", ""}


def test_every_claim_is_tried() -> None:
    """The headers in which servers believe an address or a scheme are among those spoofed above."""
    tried = {header.partition(":")[0] for header in SPOOFED}
    assert set(CLAIMS) - tried == {f"X-Forwarded-{what}" for what in ("Host", "Port", "Prefix")}
