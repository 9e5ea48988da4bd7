"""Which version of a program runs, and what was built into it, as its own files say. Runs nothing.

Must not know what a version means.
"""

from __future__ import annotations

import glob
import os
import re

from holdfast.observe.processes import Process, read_folder, read_program

MOST_BYTES = 64 * 2**20
"""Of a program's file; nginx and HAProxy have 1 to 10 MB."""
_VERSIONS = {
    "nginx": re.compile(rb"nginx/(\d+\.\d+\.\d+)"),
    "haproxy": re.compile(rb"version (\d+\.\d+\.\d+)[^\0,]{0,40}, released"),
}
_CONFIGURED = re.compile(rb" --conf-path=([^ \0']+)")
_PREFIX = re.compile(rb" --prefix=([^ \0']+)")


def read_version(process: Process, program: str) -> str:
    """The version of the program that a process runs, "" where nothing says it.

    Of an edge it stands in its file, of a package of Python in the name of a folder beside it.
    """
    pattern = _VERSIONS.get(program)
    if pattern is not None:
        found = pattern.search(_build(process))
        return found[1].decode() if found else ""
    for word in process.argv[:2]:
        top = os.path.dirname(os.path.dirname(os.path.join(read_folder(process.pid), word)))
        names = glob.glob(f"{glob.escape(top)}/lib/python3*/site-packages/{program}-*.dist-info")
        if names:
            return os.path.basename(names[0]).removesuffix(".dist-info").partition("-")[2]
    return ""


def read_nginx_paths(process: Process) -> tuple[str, str]:
    """nginx's compiled-in prefix and configuration file, those of its source where it has none."""
    said = _build(process)
    prefix, path = _PREFIX.search(said), _CONFIGURED.search(said)
    where = os.fsdecode(prefix[1]) if prefix else "/usr/local/nginx"
    return where, os.path.join(where, os.fsdecode(path[1]) if path else "conf/nginx.conf")


def _build(process: Process) -> bytes:
    try:
        with open(read_program(process.pid), "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""
