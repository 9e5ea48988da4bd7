"""`[edge]` of holdfast.toml: numbers with units, in the records that say what the edge does."""

from __future__ import annotations

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.body import Body
from holdfast.model.front.front import Front
from holdfast.readers.project import read_project


def test_text_with_a_unit_is_a_number() -> None:
    """A size is written as people write sizes, or as a bare number."""
    assert read_project("[edge.body]\nmost = '20 MiB'", "a").edge == Front(body=Body(20 << 20))
    assert read_project("[edge.body]\nmost = 4096", "a").edge.body.most == 4096


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("edge = 3", "$.edge"),
        ("[edge]\nbody = 'large'", "$.edge.body"),
        ("[edge.body]\nmost = 'much'", "$.edge.body.most"),
        ("[edge.body]\nmost = -1", "$.edge.body.most"),
        ("[edge.body]\nmost = [1]", "$.edge.body.most"),
        ("[edge.body]\nbuffered = 'yes'", "$.edge.body.buffered"),
        ("[edge.body]\nmosst = 1", "mosst"),
        ("[[edge.body]]\nmost = 1", "$.edge.body"),
    ],
)
def test_a_fault_names_its_key(text: str, told: str) -> None:
    """What is no such number, or no such key, is told by file and key."""
    with pytest.raises(BadInput) as caught:
        read_project(text, "app/holdfast.toml")
    assert told in caught.value.fault
    assert caught.value.place == "app/holdfast.toml"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "value", "place", "hint"),
    [
        ("[[edge.files]]\nurl='/a'\nfolder='b'", "/a", "$.edge.files[0].url", "slash at both ends"),
        ("[[edge.hosts]]\naddress='web1:80'", "web1:80", "$.edge.hosts[0].address", "No name"),
        ("[edge.websockets]\npaths=['/a', 'b']", "b", "$.edge.websockets.paths[1]", "begin with"),
    ],
)
def test_a_text_of_another_form_is_told_by_what_its_key_means(
    text: str, value: str, place: str, hint: str
) -> None:
    """No pattern is shown: the text, its key, and what the reference says of the key."""
    with pytest.raises(BadInput) as caught:
        read_project(text, "app/holdfast.toml")
    assert caught.value.fault == f"`{value}` is not of its form - at `{place}`"
    assert hint in (caught.value.hint or "")
