"""Certificates for tests, made by the `openssl` program: of an authority, for a time, sealed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    """Where a certificate, with what it is signed by, and its key lie."""

    certificate: Path
    key: Path


def openssl(*words: object) -> bytes:
    """What `openssl WORDS` prints."""
    argv = ["openssl", *map(str, words)]
    return subprocess.run(argv, capture_output=True, check=True, timeout=30).stdout


def signed(folder: Path, name: str = "a.test", days: int = 30) -> Files:
    """A certificate of an authority, good for `name` and 127.0.0.1 until in so many days."""
    folder.mkdir(exist_ok=True)
    root, root_key = folder / "root.pem", folder / "root.key"
    if not root.exists():
        made = ("-x509", "-nodes", "-subj", "/CN=an authority", "-days", 365)
        openssl("req", *made, *_EC, "-keyout", root_key, "-out", root)
    asked, key, leaf = (folder / f"{name}.{kind}" for kind in ("csr", "key", "crt"))
    openssl("req", "-new", "-nodes", *_EC, "-subj", f"/CN={name}", "-keyout", key, "-out", asked)
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
    by = ("-CA", root, "-CAkey", root_key, "-CAcreateserial", "-extfile", names)
    openssl("x509", "-req", "-in", asked, *by, "-days", days, "-out", leaf)
    chain = folder / f"{name}.pem"
    chain.write_bytes(leaf.read_bytes() + root.read_bytes())
    return Files(chain, key)


_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
