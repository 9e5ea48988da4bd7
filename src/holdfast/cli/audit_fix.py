"""Writes the files that `holdfast audit --fix` has changed: all of them, or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from holdfast.model.errors import HoldfastError
from holdfast.observe.tree import Tree
from holdfast.stack.record import replace


def write_all(tree: Tree, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Put what each file is to say in its place, with its mode and owner.

    Where one cannot be written, those that were are as they were `before`: raises HoldfastError.
    """
    written: list[str] = []
    try:
        for name, data in after.items():
            _put(tree, name, data)
            written.append(name)
    except BaseException as fault:
        for name in written:
            _put(tree, name, before[name])
        if isinstance(fault, OSError):
            hint = "no file was changed; run it as who may write there, or see them with `--diff`"
            place = next(name for name in after if name not in written)
            told = f"it cannot be written: {fault.strerror}"
            raise HoldfastError(told, place=place, hint=hint) from fault
        raise


def _put(tree: Tree, name: str, data: bytes) -> None:
    path = tree.real(name)
    was = os.stat(path)
    replace(path, data, stat.S_IMODE(was.st_mode), (was.st_uid, was.st_gid))
