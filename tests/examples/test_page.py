"""The plain app with large answers: over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.running import get, running_app


@pytest.mark.slow
def test_a_page_is_of_32_kb_and_made_for_its_request(tmp_path: Path) -> None:
    """The answer has 32,768 bytes, says so, and begins with the path that was asked for."""
    with running_app("page:app", tmp_path, {"PAGE_MEAN_S": "0.01"}) as app:
        reply = get(app.ports[0], "/page/7")
    assert (reply.status, len(reply.body)) == (200, 32_768)
    assert reply.headers["content-length"] == "32768"
    assert reply.body.startswith(b"/page/7.")
