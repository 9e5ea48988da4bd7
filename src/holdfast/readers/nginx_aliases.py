"""What of a request's path an `alias` takes the place of. Opens no file."""

from __future__ import annotations

import re

from holdfast.model.values import ALIAS, Value
from holdfast.readers.nginx_text import Directive
from holdfast.readers.text import written

_HOW = re.compile(r"(\^~|=|~\*?|@)?(.*)", re.DOTALL)


def alias_of(location: Directive) -> Value | None:
    """The `alias` of a location that is chosen by how a path begins, as nginx puts it in its place.

    None for a location without one, for one that is a whole path, a pattern or a name, and for one
    that only nginx itself goes to (`internal`).
    """
    own = {one.name: one for one in location.block or () if one.block is None}
    found, how = own.get("alias"), "".join(word.text for word in location.words)
    parted = _HOW.fullmatch(how)
    if found is None or len(found.words) != 1 or "internal" in own or parted is None:
        return None
    if parted[1] not in (None, "^~") or not parted[2]:
        return None
    word = found.words[0]
    return written(f"{ALIAS}{parted[2]}", word.text, found.said(), word.place)
