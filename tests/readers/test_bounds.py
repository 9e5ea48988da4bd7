"""Whatever a file says, a reader ends: noise, bombs of includes, endless nesting, large files."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.readers.contract import Fault, Reader
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.text import Given, Text, matching
from holdfast.testing.cases import Case
from holdfast.testing.readers import check_places, check_survives
from tests.readers.judged import cases

BOTH = [pytest.param(reader, id=reader.name) for reader in (NGINX, HAPROXY)]
WORDS = sorted({word for _, case in cases() for word in case.files[case.first].split()})
NOISE = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*WORDS, "\n", "{", "}", ";", '"', "'", "\\", "#"]), max_size=60).map(
        " ".join
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("reader", BOTH)
@given(said=NOISE)
@settings(max_examples=300, deadline=None)
def test_noise_is_read_or_refused(reader: Reader, said: str) -> None:
    """Any text, and any order of words that real files have, gives an answer with right places."""
    case = Case("noise", {"noise.conf": said}, "")
    check_survives(reader, case)
    check_places(reader, case)


@pytest.mark.slow
@pytest.mark.parametrize("reader", BOTH)
@given(data=st.binary())
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_text_are_read_or_refused(reader: Reader, data: bytes) -> None:
    """Bytes that are no UTF-8 raise nothing but BadInput."""
    text = Text("noise.conf", b"events { worker_connections 5; }\nglobal\n  maxconn 5\n" + data)
    reader.recognises(text)
    reader.read(text, Given())


def faults(said: str, files: dict[str, str | bytes] | None = None) -> set[str]:
    read = NGINX.read(Text("nginx.conf", said), Given(files))
    return {problem.code for problem in read.problems}


def test_includes_that_multiply_are_stopped() -> None:
    """Files that each include the next one a thousand times end, with one problem."""
    files: dict[str, str | bytes] = {
        f"{n}.conf": f"include {n + 1}.conf;" * 1_000 for n in range(18)
    }
    read = NGINX.read(Text("nginx.conf", "events {} include 0.conf;"), Given(files))
    assert [problem.code for problem in read.problems][-1:] == [Fault.SYNTAX.code]
    assert len(read.files) == 19


def test_blocks_without_end_are_stopped() -> None:
    """A million open braces are one problem."""
    assert faults("http {" * 1_000_000) == {Fault.SYNTAX.code}


def test_a_circle_of_includes_is_named() -> None:
    """Two files that include each other are read once each."""
    files: dict[str, str | bytes] = {"a.conf": "include b.conf;", "b.conf": "include a.conf;"}
    assert faults("events {} include a.conf;", files) == {Fault.CIRCLE.code}


@pytest.mark.parametrize("name", ["../up.conf", "/etc/shadow", "x/../../up.conf", "/etc/nginxx/a"])
def test_nothing_outside_of_the_root_is_asked_for(name: str) -> None:
    """A name that leads out of what was given is told, and not read."""

    class Asked(Given):
        def read(self, name: str) -> str | bytes | None:
            raise AssertionError(f"asked for {name}")

    read = NGINX.read(Text("nginx.conf", f"events {{}} include {name};"), Asked(root="/etc/nginx"))
    assert [problem.code for problem in read.problems] == [Fault.OUTSIDE.code]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.conf", ["a.conf", "b.conf"]),
        ("?.conf", ["a.conf", "b.conf"]),
        ("[!a].conf", ["b.conf"]),
        ("[a-b].conf", ["a.conf", "b.conf"]),
        ("*/*.conf", ["sub/c.conf"]),
        (".*", [".hidden.conf"]),
        ("[.conf", []),
        ("*" * 50 + "x", []),
    ],
)
def test_a_pattern_matches_as_the_shell_does(pattern: str, names: list[str]) -> None:
    """No `*` matches a slash or a leading dot."""
    given_names = dict.fromkeys(["b.conf", "a.conf", ".hidden.conf", "sub/c.conf", "readme"], "")
    assert list(matching(pattern, given_names)) == names
