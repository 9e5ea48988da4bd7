"""Runs `holdfast` under an audit hook that notes whatever leaves a folder. Ends with 99 for it.

Run as `python -B hooked.py FOLDER FIRST WORDS...`: FIRST is a statement to run before, "" for none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import holdfast
from holdfast.cli.main import main

FOLDER, FIRST = os.path.realpath(sys.argv[1]), sys.argv[2]
PACKAGE = Path(holdfast.__file__).parent
OWN = (*map(os.path.realpath, (sys.prefix, sys.base_prefix, sys.exec_prefix)), str(PACKAGE))
"""Where the interpreter, its libraries and the package lie."""
PYTHON = tuple(os.path.realpath(path) for path in sys.path[1:] if os.path.isdir(path))
FORBIDDEN = (
    *("subprocess.", "socket.", "ctypes.", "shutil.", "pty.", "urllib.", "http.", "ftplib."),
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.chdir", "os.fchdir", "mmap."),
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
met: list[str] = []


def within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def real(path: Any) -> str:
    return os.path.realpath(os.fsdecode(path))


def watch(event: str, given: tuple[Any, ...]) -> None:
    """Note an event that an audit may not cause."""
    if event.startswith(FORBIDDEN):
        met.append(f"{event} {given!r:.100}")
    elif event == "open" and not isinstance(given[0], int):
        path, writes = real(given[0]), bool(given[2] & WRITES)
        if writes or not within(path, (FOLDER, *OWN, *PYTHON)):
            met.append(f"open {path}{' to write' if writes else ''}")
    elif event in ("os.listdir", "os.scandir") and not isinstance(given[0], int):
        path = real(given[0] or ".")
        if not within(path, (FOLDER, *OWN, *PYTHON)):
            met.append(f"{event} {path}")
    elif event == "exec" and isinstance(given[0], CodeType):
        name = given[0].co_filename
        if not name.startswith("<") and within(real(name), (FOLDER,)):
            met.append(f"exec {name}")
    elif event == "import" and given[1] and within(real(given[1]), (FOLDER,)):
        met.append(f"import {given[1]}")


def loaded() -> list[str]:
    """Return the modules that come out of the folder."""
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return [name for name, file in files.items() if file and within(real(file), (FOLDER,))]


os.chdir(FOLDER)
sys.addaudithook(watch)
exec(FIRST)
sys.argv[1:] = sys.argv[3:]
try:
    main()
finally:
    met += [f"module {name}" for name in loaded()]
    if met:
        print("met:", *dict.fromkeys(met), sep="\n  ", file=sys.stderr)
        sys.stdout.flush()
        os._exit(99)
