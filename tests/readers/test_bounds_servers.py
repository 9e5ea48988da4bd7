"""Readers of servers, units and containers end, whatever a file says: noise, depth, doubling."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from holdfast.model.errors import BadInput
from holdfast.readers import (
    commands,
    compose,
    dockerfile,
    gunicorn,
    limits,
    procfile,
    sysctl,
    systemd,
)
from holdfast.readers.contract import Reader
from holdfast.readers.text import Given, Text
from holdfast.testing.cases import Case
from holdfast.testing.readers import check_places, check_survives, steps
from tests.readers.test_bounds import NOISE

MODULES = (commands, compose, dockerfile, gunicorn, limits, procfile, sysctl, systemd)
ALL = [pytest.param(module.READER, id=module.READER.name) for module in MODULES]


@pytest.mark.slow
@pytest.mark.parametrize("reader", ALL)
@given(said=NOISE)
@settings(max_examples=200, deadline=None)
def test_noise_is_read_or_refused(reader: Reader, said: str) -> None:
    """Any text, and any order of words that real files have, gives an answer with right places."""
    case = Case("noise", {"noise": said}, "")
    check_survives(reader, case)
    check_places(reader, case)


@pytest.mark.parametrize("said", ["- " * 100_000, "[" * 100_000, "- ? " * 50_000, "{a: " * 9_000])
def test_yaml_that_nests_without_end_is_refused(said: str) -> None:
    """What would overflow the parser's stack is bad input."""
    with pytest.raises(BadInput, match="nested too deep"):
        compose.READER.read(Text("compose.yaml", said), Given())


def test_anchors_that_double_are_looked_up_once() -> None:
    """Forty mappings that each merge the one before twice end, and give its key."""
    merged = "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    said = f"a0: &a0 {{command: uvicorn a:b}}\n{merged}services:\n  one: *a39\n"
    read = compose.READER.read(Text("compose.yaml", said), Given())
    assert [hop.name for hop in read.hops] == ["one: a:b"]


def test_values_that_double_are_not_followed_for_ever() -> None:
    """A number squared, and a string and a list doubled, a thousand times are unknown."""
    for start in ("9", "'9'", "['9']"):
        said = f"bind = {start}\n" + "bind = bind + bind\n" * 1_000 + "workers = bind\n"
        (hop,) = gunicorn.READER.read(Text("gunicorn.conf.py", said), Given()).hops
        assert hop.processes.on(2) == 1


@pytest.mark.parametrize("line", ["env ", "exec -a x ", "A=1 ", "sh -c '", "$(", "--a=1 "])
def test_a_long_command_takes_as_many_steps_as_it_has_words(line: str) -> None:
    """Twice the words take about twice the steps."""

    def of(count: int) -> int:
        said = line * count + "uvicorn a:b --workers 2"
        return steps(commands.READER, Case("long", {"start.sh": said}, ""))

    assert of(400) <= 2.2 * of(200)
