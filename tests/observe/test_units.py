"""The files of a process's unit, from planted cgroups and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.observe.units import read_unit_files
from tests.observe.trees import plant

V2 = "0::/system.slice/{}\n"
V1 = "9:memory:/other.service\n1:name=systemd:/system.slice/{}\n"


@pytest.mark.parametrize("cgroup", [V1, V2])
def test_the_unit_of_a_process_and_its_drop_ins_are_found(tmp_path: Path, cgroup: str) -> None:
    """The administrator's file hides the package's; drop-ins of all folders count, by name."""
    tree = {
        "/proc/7/cgroup": cgroup.format("shop.service"),
        "/lib/systemd/system/shop.service": "",
        "/etc/systemd/system/shop.service": "",
        "/etc/systemd/system/shop.service.d/20.conf": "",
        "/lib/systemd/system/shop.service.d/10.conf": "",
        "/lib/systemd/system/shop.service.d/20.conf": "",
        "/etc/systemd/system/other.service.d/30.conf": "",
    }
    assert read_unit_files(7, plant(tmp_path, tree)) == (
        "/etc/systemd/system/shop.service",
        "/lib/systemd/system/shop.service.d/10.conf",
        "/etc/systemd/system/shop.service.d/20.conf",
    )


def test_an_instance_has_its_template(tmp_path: Path) -> None:
    """shop@2.service is made of shop@.service, with the drop-ins of both."""
    tree = {
        "/proc/7/cgroup": V2.format("system-shop.slice/shop@2.service"),
        "/etc/systemd/system/shop@.service": "",
        "/etc/systemd/system/shop@.service.d/a.conf": "",
        "/etc/systemd/system/shop@2.service.d/b.conf": "",
    }
    assert [Path(path).name for path in read_unit_files(7, plant(tmp_path, tree))] == [
        "shop@.service",
        "a.conf",
        "b.conf",
    ]


@pytest.mark.parametrize("said", ["0::/user.slice/session-1.scope\n", "0::/\n", "", "nonsense\n"])
def test_what_no_unit_started_has_none(tmp_path: Path, said: str) -> None:
    """A login, a container or an unreadable cgroup gives no file."""
    assert read_unit_files(7, plant(tmp_path, {"/proc/7/cgroup": said})) == ()
    assert read_unit_files(8, plant(tmp_path / "other", {})) == ()
