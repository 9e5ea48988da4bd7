"""What tests of clients over TLS share: a certificate of the servers, and the counting app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.load.secured import Certificate, make_certificate
from tests.load.servers import Uvicorn


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def app() -> Iterator[Uvicorn]:
    """The counting app, one for each module."""
    with Uvicorn() as uvicorn:
        yield uvicorn
