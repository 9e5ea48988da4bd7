"""What nginx's file says of places: it has no line, so it counts, and tells whoever is too many.

Where requests are to wait, the workers have the places, and nothing stands here. Writes no file.
"""

from __future__ import annotations

import re

from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, plain, value_of

ZONE = "places"
_INNER = " " * 8


def variables(hop: Hop, site: Site) -> list[str]:
    """One count for all of nginx's workers, and what is not counted: in `http`."""
    if hop.get("limit_conn") is None:
        return []
    return [
        "    # a request whose key is empty is not counted",
        "    map $uri $place {",
        "        default taken;",
        *(f'        {path} "";' for path in site.health),
        *(f'        ~^{re.escape(row.url)} "";' for row in site.front.files),
        "    }",
        f"    limit_conn_zone $place zone={ZONE}:64k;",
        "",
    ]


def rules(hop: Hop) -> list[str]:
    """How many are let in, and what the next one is told: in `server`."""
    most = hop.get("limit_conn")
    if most is None:
        return []
    status, again = value_of(hop, "limit_conn_status"), value_of(hop, "retry_after_s")
    return [
        *explained(most.why, f"limit_conn {ZONE} {plain(most)};", _INNER),
        *explained(status.why, f"limit_conn_status {plain(status)};", _INNER),
        f"{_INNER}error_page {plain(status)} @no_place;",
        f"{_INNER}location @no_place {{",
        f"{_INNER}    default_type text/plain;",
        *explained(again.why, f"add_header Retry-After {plain(again)} always;", _INNER + "    "),
        f'{_INNER}    return {plain(status)} "no place is free: ask again later\\n";',
        f"{_INNER}}}",
    ]
