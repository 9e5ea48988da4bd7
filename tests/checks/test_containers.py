"""What a hint says of descriptors is what who starts the program can be told."""

from __future__ import annotations

import pytest

from tests.checks.folder import audited

COMMAND = "uvicorn --host 0.0.0.0 --port 8000 app:app"
COMPOSE = f"services:\n  web:\n    image: shop\n    command: {COMMAND}\n"
LIMIT = "    ulimits:\n      nofile:\n        soft: 2048\n        hard: 20000\n"
UNIT = f"[Service]\nExecStart=/srv/{COMMAND}\n"
SAID = {
    "compose.yaml": (COMPOSE, "ulimits: {nofile: "),
    "Dockerfile": (f"FROM shop\nCMD {COMMAND}\n", "--ulimit nofile="),
    "app.service": (UNIT, "LimitNOFILE="),
}


@pytest.mark.parametrize("name", SAID)
def test_a_hint_is_said_to_who_starts_it(name: str) -> None:
    """A service of Compose has `ulimits`, an image `docker run --ulimit`, a unit LimitNOFILE=."""
    text, line = SAID[name]
    (found,) = audited({name: text}, 5_000)
    (given,) = (each for each in found.findings if each.code == "HF101")
    others = {other for _, other in SAID.values()} - {line}
    assert f"`{line}" in given.hint
    assert not any(other in given.hint for other in others)


def test_what_a_container_has_is_assumed_as_its_own() -> None:
    """1,024 where no file says a number, by the runtime, whatever a login on the host has."""
    files = {"compose.yaml": COMPOSE, "limits.conf": "* soft nofile 65536\n"}
    (found,) = audited(files)
    (told,) = (value for value in found.assumed if value.setting == "nofile")
    assert (told.value, "container" in told.why) == (1_024, True)


def test_its_line_is_changed_where_it_stands() -> None:
    """`ulimits` that are written are what `--fix` raises."""
    (found,) = audited({"compose.yaml": COMPOSE + LIMIT}, 5_000)
    (given,) = (each for each in found.findings if each.code == "HF101")
    assert [edit.place.line for edit in given.edits] == [7]
