"""`holdfast.toml` is read, and what is wrong in it is told by file and key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.model.errors import BadInput
from holdfast.readers.project import (
    DemandRow,
    ProfileRow,
    Project,
    ServiceRow,
    project_demand,
    read_project,
    row_profile,
)

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.mark.parametrize("name", ["shop", "wait"])
def test_the_examples_files_are_read(name: str) -> None:
    """Each example names its app and its measured profile."""
    project = read_project((EXAMPLES / name / "holdfast.toml").read_text(), "holdfast.toml")
    assert project.app == f"{name}:app"
    assert project.profile is not None
    assert row_profile(project.profile, name).request_bytes.why == project.profile.source


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("app = ", "not TOML"),
        ("app = 3", "$.app"),
        ("colour = 'red'", "colour"),
        ("[demand]\nids = 'many'", "$.demand.ids"),
        (
            "[[demand.kinds]]\nname = 'a'\nuses = [{ service = 'db' }]",
            "the service `db`, which is not described",
        ),
    ],
)
def test_a_fault_names_the_file_and_the_key(text: str, told: str) -> None:
    """Broken TOML, wrong types, unknown keys and unknown services are bad input with a hint."""
    with pytest.raises(BadInput) as caught:
        read_project(text, "app/holdfast.toml")
    assert told in caught.value.fault
    assert caught.value.place == "app/holdfast.toml"
    assert caught.value.hint


def test_times_keep_their_proportions() -> None:
    """Kinds told as 30 s and 50 ms are scaled together so that their mean is the one asked for."""
    text = """
    [[demand.kinds]]
    name = "poll"
    share = 0.3
    time = "30s"
    [[demand.kinds]]
    name = "query"
    share = 0.7
    time = "50ms"
    uses = [{ service = "db", held = "25ms" }]
    [services.db]
    addresses = 1
    """
    project = read_project(text, "t")
    asked = {"in_flight": 100, "idle": 0, "burst": 0, "streams": 1}

    as_told = project_demand(project, mean_time_s=9.035, **asked)  # type: ignore[arg-type]
    doubled = project_demand(project, mean_time_s=18.07, **asked)  # type: ignore[arg-type]

    assert [kind.time_s for kind in as_told.kinds] == pytest.approx([30, 0.05])
    assert [kind.time_s for kind in doubled.kinds] == pytest.approx([60, 0.1])
    assert as_told.uses("db")[1] == pytest.approx(0.7 * 0.025)
    assert doubled.mean_time_s == pytest.approx(18.07)


def test_an_empty_file_is_one_kind_of_request() -> None:
    """Without kinds every request is the same and uses nothing."""
    demand = project_demand(
        read_project("", "t"), in_flight=10, idle=1, mean_time_s=5, burst=2, streams=1
    )
    assert (len(demand.kinds), demand.mean_time_s, demand.rate) == (1, 5, 2)


def test_every_key_is_in_the_reference() -> None:
    """The reference page has a row for each key that the reader knows."""
    page = (EXAMPLES.parent / "docs" / "reference" / "project.md").read_text()
    tables: tuple[tuple[str, type[msgspec.Struct]], ...] = (
        ("demand.", DemandRow),
        ("services.NAME.", ServiceRow),
        ("profile.", ProfileRow),
        ("", Project),
    )
    keys = [f"{head}{key}" for head, row in tables for key in row.__struct_fields__]
    named = [key for key in keys if key not in ("demand", "services", "profile")]
    assert [key for key in named if f"`{key}`" not in page] == []
