"""Reads how much may be written where a folder lies. Must not know what is written."""

from __future__ import annotations

import os

from holdfast.model.values import Value, observed


def read_disk(folder: str) -> Value:
    """Bytes that are free below `folder` to who is not root; None where it cannot be asked."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return observed("disk_available", None, f"{folder}: cannot be asked")
    return observed("disk_available", found.f_bavail * found.f_frsize, f"free in {folder}")
