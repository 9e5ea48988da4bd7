"""What `up` hands to a stack of `[care]` and `[scale]`: written numbers, derived ones, bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.caring import cared
from holdfast.cli.context import Options, plan_path
from holdfast.cli.elsewhere import Elsewhere
from holdfast.cli.up import stack_config
from holdfast.model.errors import BadInput
from holdfast.stack.config import StackConfig


def planned(folder: Path, text: str, most: int | None = None) -> StackConfig:
    """A stack of 2,000 in flight, two workers, whose project says so."""
    (folder / "holdfast.toml").write_text(text)
    host = Elsewhere(cores=2, memory=24 << 30, nofile=2_000)
    plan = plan_path(Options("main:app", str(folder), None, 2_000, mean_time_s=10.0, host=host))
    config = stack_config(plan, address="127.0.0.1", port=0, grace_s=1.0, max_workers=most)
    return cared(plan, config, most)


def test_memory_is_derived_where_nobody_says(tmp_path: Path) -> None:
    """From the plan and what it leaves; as written where somebody does, zero too."""
    derived = planned(tmp_path, "").care.memory
    assert derived is not None
    assert derived > 2_000 * 10_000
    assert planned(tmp_path, "[care]\nmemory = '600 MiB'").care.memory == 600 << 20
    assert planned(tmp_path, "[care]\nmemory = 0").care.memory == 0


def test_a_stack_scales_within_what_fits(tmp_path: Path) -> None:
    """As many slots as `max` are there; more than there may be are refused, with the number."""
    config = planned(tmp_path, "[scale]\nmax = 3", most=3)
    assert (config.scale.most, config.scale.fewest) == (3, 1)
    assert config.most_slots >= 3
    with pytest.raises(BadInput) as refused:
        planned(tmp_path, "[scale]\nmax = 100000", most=3)
    assert "`max` of `[scale]` is 100,000" in refused.value.fault
    assert "write 3" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("most", "fault", "hint"),
    [(100_000, "is 100,000, and", "MiB a worker"), (1, "is 1, and 2 are planned", "2 or more")],
    ids=["many", "few"],
)
def test_workers_that_cannot_be_are_refused(
    tmp_path: Path, most: int, fault: str, hint: str
) -> None:
    """More than memory is for, or fewer than the plan has: said, and never made to fit."""
    with pytest.raises(BadInput) as refused:
        planned(tmp_path, "", most=most)
    assert refused.value.place == "--max-workers"
    assert fault in refused.value.fault
    assert hint in str(refused.value.hint)
