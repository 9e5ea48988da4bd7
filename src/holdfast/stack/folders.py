"""Where the folders and pages of an edge's front lie, and whether the edge may read them.

Asked before anything starts, as the user that the edge will be: what it says of a path is what the
kernel says to that user, whatever rights are made of.
"""

from __future__ import annotations

import os
import subprocess
from typing import Final

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.stack.edge_process import NOBODY, unprivileged

BROTLI: Final = "ngx_http_brotli_filter_module.so"
MODULES: Final = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
_ASK: Final = """for at; do
    if test -d "$at"; then test -x "$at"; else test -r "$at"; fi || { echo "$at"; exit 1; }
done"""


def resolved(front: Front, root: str, place: str) -> Front:
    """The front with whole paths, each of which exists and can be read by the edge's user.

    `root` is the folder of the file `place` that says them. Raises BadInput for a path that is
    not there, or not of its kind, or outside of the root unless it may be, or not readable.
    """
    root = os.path.realpath(root)
    files = tuple(_folder(row, at, root, place) for at, row in enumerate(front.files))
    errors = tuple(_page(row, at, root, place) for at, row in enumerate(front.errors))
    if front.compression is not None and front.compression.brotli and not brotli_module():
        hint = "install `libnginx-mod-http-brotli-filter` (Debian 12 and later), or leave it out"
        fault = "nginx has no module for brotli here - at `$.edge.compression.brotli`"
        raise BadInput(fault, place=place, hint=hint)
    return msgspec.structs.replace(front, files=files, errors=errors)


def brotli_module() -> str:
    """The file of nginx's module for brotli; "" where it is not installed."""
    found = (os.path.join(folder, BROTLI) for folder in MODULES)
    return next(filter(os.path.isfile, found), "")


def _folder(row: Files, at: int, root: str, place: str) -> Files:
    key = f"$.edge.files[{at}].folder"
    path = os.path.realpath(os.path.join(root, row.folder))
    if not os.path.isdir(path):
        hint = "make it (`collectstatic`, or a build), or name one that is there"
        raise BadInput(f"no folder `{path}` - at `{key}`", place=place, hint=hint)
    _check_inside(path, key, root, place, allowed=row.outside)
    _check_readable(path, key, place)
    return msgspec.structs.replace(row, folder=path)


def _page(row: ErrorPage, at: int, root: str, place: str) -> ErrorPage:
    told = {name: getattr(row, name) for name in ("page", "json") if getattr(row, name)}
    paths = {}
    for name, said in told.items():
        key = f"$.edge.errors[{at}].{name}"
        path = os.path.realpath(os.path.join(root, said))
        if not os.path.isfile(path):
            hint = "write the page, or name one that is there"
            raise BadInput(f"no file `{path}` - at `{key}`", place=place, hint=hint)
        _check_inside(path, key, root, place, allowed=False)
        _check_readable(path, key, place)
        paths[name] = path
    return msgspec.structs.replace(row, **paths)


def _check_inside(path: str, key: str, root: str, place: str, *, allowed: bool) -> None:
    """Links are followed before that is asked, and `..` too."""
    if not allowed and os.path.commonpath((path, root)) != root:
        hint = "move it there, or say `outside = true` beside a folder that is meant so"
        raise BadInput(f"`{path}` lies outside of `{root}` - at `{key}`", place=place, hint=hint)


def _check_readable(path: str, key: str, place: str) -> None:
    """Ask as the edge's user for every folder on the way; the first that bars it is named."""
    whole = [path]
    while (parent := os.path.dirname(whole[0])) != whole[0]:
        whole.insert(0, parent)
    user, group = unprivileged() or (None, None)
    asked = subprocess.run(
        ["/bin/sh", "-c", _ASK, "sh", *whole],
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    if asked.returncode == 0:
        return
    barred = asked.stdout.strip()
    who = f"`{NOBODY}`, as whom the edge runs," if user is not None else "who starts the edge"
    right = "o+x" if os.path.isdir(barred) else "o+r"
    hint = f"`chmod {right} {barred}`, or put it where everybody may look, such as /srv"
    raise BadInput(f"{who} cannot read `{barred}` - at `{key}`", place=place, hint=hint)
