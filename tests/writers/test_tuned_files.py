"""The files of a tuned machine: each line with its formula, the same text for the same changes."""

from __future__ import annotations

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.tuning import Keeper, Need, Standing
from holdfast.model.values import derived, observed
from holdfast.writers import limits, sysctl, systemd


def change(setting: str, keeper: Keeper, now: float | str, wanted: float | str) -> Need:
    """A need that asks for another value, by a formula of many words."""
    why = f"{setting} by a formula with numbers in it, which takes more than a line of a file"
    return Need(
        setting,
        keeper,
        Standing.CHANGE,
        observed(setting, now, "typed in"),
        derived(setting, wanted, why),
        why,
        "root",
    )


SYSCTLS = (
    change("net.core.somaxconn", Keeper.SYSCTL, 128, 2_048),
    change("net.ipv4.ip_local_port_range", Keeper.SYSCTL, "32768 60999", "10240 60999"),
    change("net.ipv4.ip_local_reserved_ports", Keeper.SYSCTL, "", "8000"),
)
NOFILE = change("nofile", Keeper.LIMIT, 1_024, 65_536)
GROUPS = (
    change("memory.max", Keeper.CGROUP, 2**20, 2**30),
    change("cpu.max", Keeper.CGROUP, 0.5, 1.8),
    change("pids.max", Keeper.CGROUP, 3, 16),
)
ALL = (*SYSCTLS, NOFILE, *GROUPS)


def said(text: str) -> list[str]:
    """The lines that are no comment."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_sysctl_file_has_each_value_below_its_formula() -> None:
    """Reserved ports first; who wrote it and for what on top; every line narrower than 80."""
    ((path, text),) = sysctl.render(ALL, 50_000).items()
    assert path == "/etc/sysctl.d/90-holdfast.conf"
    assert said(text) == [
        "net.ipv4.ip_local_reserved_ports = 8000",
        "net.core.somaxconn = 2048",
        "net.ipv4.ip_local_port_range = 10240 60999",
    ]
    assert "# For 50,000 requests in flight.\n" in text
    assert "holdfast tune --undo" in text
    for need in SYSCTLS:
        above = " ".join(text.replace("\n# ", " ").split(f"{need.setting} = ")[0].split())
        assert above.endswith(f"{need.why}; it was {need.now.value}".strip())
    assert max(map(len, text.splitlines())) < 80
    assert sysctl.render(ALL, 50_000) == {path: text}


def test_running_values_are_written_in_the_same_order() -> None:
    """A wider range never gives out a port that is about to be reserved."""
    assert list(sysctl.running(ALL).items()) == [
        ("net.ipv4.ip_local_reserved_ports", "8000"),
        ("net.core.somaxconn", "2048"),
        ("net.ipv4.ip_local_port_range", "10240 60999"),
    ]


def test_a_limits_file_gives_one_user_soft_and_hard() -> None:
    """Both limits, for whom was named and nobody else."""
    ((path, text),) = limits.render(ALL, 50_000, "www-data").items()
    assert path == "/etc/security/limits.d/90-holdfast.conf"
    assert said(text) == ["www-data soft nofile 65536", "www-data hard nofile 65536"]


@pytest.mark.parametrize("user", ["", "a b", "x\n* hard nofile 1", "-", "#root"])
def test_a_name_that_is_no_user_is_bad_input(user: str) -> None:
    """Nothing that would be another line, or a comment, gets into the file."""
    with pytest.raises(BadInput, match="is no user"):
        limits.render(ALL, 50_000, user)


def test_a_unit_has_the_limits_of_a_service_in_its_units() -> None:
    """LimitNOFILE and the control group's values, the quota in per cent."""
    assert said(systemd.render(ALL, 50_000)) == [
        "[Service]",
        "LimitNOFILE=65536",
        "MemoryMax=1073741824",
        "CPUQuota=180%",
        "TasksMax=16",
    ]


def test_nothing_to_change_is_no_file() -> None:
    """A keeper without changes has no file, rather than an empty one."""
    assert sysctl.render(GROUPS, 1) == limits.render(SYSCTLS, 1, "root") == {}
    assert systemd.render(SYSCTLS, 1) == ""
    assert sysctl.running(GROUPS) == {}
