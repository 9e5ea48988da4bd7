"""Hops of different files are tied where one dials what another listens on; the rest is said."""

from __future__ import annotations

import pytest

from holdfast.readers.address import Address, address, reaches, unix
from holdfast.testing.cases import Case
from tests.readers.joined import answer, cases

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_joined_as_it_says(case: Case) -> None:
    """The ways through the input are those that stand below it."""
    assert answer(case) == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_order_of_files_does_not_change_who_is_tied(case: Case) -> None:
    """Given backwards, the same ways are found."""
    turned = Case(case.name, dict(reversed(case.files.items())), case.expected, case.root)
    assert sorted(answer(turned).split("way ")) == sorted(case.expected.split("way "))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8000", Address("*", 8000)),
        (":8000", Address("*", 8000)),
        ("localhost:8000", Address("localhost", 8000)),
        ("[::1]:80", Address("::1", 80)),
        ("[::]", Address("::", 443)),
        ("app", Address("app", 443)),
        ("unix:/run/a.sock", unix("/run/a.sock")),
        ("unix@/run/a.sock", unix("/run/a.sock")),
        ("unix:///run/a.sock", unix("/run/a.sock")),
        ("/run/a.sock", unix("/run/a.sock")),
        ("$where:80", Address(text="$where:80")),
        ("", Address(text="")),
    ],
)
def test_an_address_is_read_however_it_is_written(written: str, meant: Address) -> None:
    """Ports, names, both kinds of brackets and sockets; a variable is kept as it is."""
    assert address(written, 443) == meant


@pytest.mark.parametrize(
    ("dialled", "listening", "found"),
    [
        ("127.0.0.1:1", "0.0.0.0:1", True),
        ("localhost:1", "127.0.0.1:1", True),
        ("localhost:1", "[::]:1", True),
        ("127.0.0.5:1", "*:1", True),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("10.0.0.1:1", "10.0.0.1:1", True),
        ("10.0.0.1:1", "127.0.0.1:1", False),
        ("127.0.0.1:1", "10.0.0.1:1", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "*:1", False),
        ("$app", "$app", False),
    ],
)
def test_dialling_finds_what_listens_there(dialled: str, listening: str, found: bool) -> None:
    """The host itself goes by many names; another host's address is only its own."""
    assert reaches(address(dialled), address(listening)) is found
