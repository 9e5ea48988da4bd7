"""A bounded walk over files: which there are, and what they say. Follows nothing outside.

Must not know what any file means. A link is read only if what it means lies inside as well.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from holdfast.model.errors import BadInput

MOST_FILES = 10_000
MOST_BYTES = 4 * 2**20
"""No configuration that people write is so large."""
SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
"""Folders that hold programs, and none of our business; so do all whose name begins with a dot."""


class Tree:
    """Files that were named, and what lies in folders that were: by names relative to `root`.

    `names` are those that were named or found, `left` those that were not read, and why.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Look at the paths, files or folders; raises BadInput for one that is neither."""
        for path in paths:
            if not os.path.exists(path):
                raise BadInput(f"there is no `{path}`", hint="name a file or a folder")
        given = [os.path.realpath(path) for path in paths]
        self._inside = [path if os.path.isdir(path) else os.path.dirname(path) for path in given]
        self.root = os.path.commonpath(self._inside)
        self.left: dict[str, str] = {}
        found = (name for path in given for name in self._below(path))
        names = list(dict.fromkeys(islice(found, MOST_FILES + 1)))
        if len(names) > MOST_FILES:
            self.left["..."] = f"more than {MOST_FILES:,} files; name fewer"
        self.names = tuple(sorted(names[:MOST_FILES], key=lambda name: (name.count("/"), name)))

    def read(self, name: str) -> bytes | None:
        """What the file says; None where there is none, it is outside, too large, or no text."""
        path = self.real(name)
        if not any(os.path.commonpath((path, folder)) == folder for folder in self._inside):
            self.left[name] = "it is outside of what was named"
            return None
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_size > MOST_BYTES:
                self.left[name] = f"it is larger than {MOST_BYTES // 2**20} MiB"
                return None
            with open(path, "rb") as file:
                data = file.read(MOST_BYTES)
        except OSError as wrong:
            if not isinstance(wrong, FileNotFoundError):
                self.left[name] = str(wrong.strerror)
            return None
        return None if b"\0" in data[:1024] else data

    def real(self, name: str) -> str:
        """The path of the file that a name means: two names may mean one."""
        return os.path.realpath(os.path.join(self.root, name))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The names that match, sorted: `*`, `?` and `[...]` match no slash and no leading dot."""
        found = islice(glob.iglob(pattern, root_dir=self.root), MOST_FILES)
        return tuple(sorted(found))

    def _below(self, path: str) -> Iterator[str]:
        if not os.path.isdir(path):
            yield os.path.relpath(path, self.root)
            return
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(f for f in folders if f[0] != "." and f not in SKIPPED)
            for file in sorted(files):
                yield os.path.relpath(os.path.join(folder, file), self.root)
