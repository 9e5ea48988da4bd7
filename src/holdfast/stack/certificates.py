"""The certificate of a stack's edge: whether it is good, where the edge finds it, when it changed.

Judged by OpenSSL itself, through a handshake in memory. Knows no process of an edge.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls

MOST_BYTES: Final = 2**20
"""No chain and no key is as long."""
SOON_S: Final = 14 * 86_400.0
"""certbot renews a month before the end: whose certificate ends sooner is not renewed."""
LIFE_DAYS: Final = 365
"""How long one that signs itself is good for."""
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""Verification errors of OpenSSL (x509_vfy.h)."""
_LOOKS_LIKE: Final = {
    _EXPIRED: "the certificate has expired",
    _NOT_YET: "the certificate is not good yet",
}


class Pair(msgspec.Struct, frozen=True):
    """A certificate that serves: chain and key as one PEM without empty lines, and what to note."""

    pem: bytes
    notes: tuple[str, ...] = ()


def read_pair(tls: Tls, now_s: float) -> Pair:
    """The pair of the table's files, at this time (seconds since 1970).

    Raises BadInput where a file is missing or cannot be read, the key is another's or is sealed
    by a passphrase, or the certificate has expired, is not good yet or is not of the host names.
    """
    chain = [block for kind, block in _blocks(tls.certificate) if kind == "CERTIFICATE"]
    if not chain:
        hint = "name the file of the chain in PEM, like certbot's `fullchain.pem`"
        raise BadInput("there is no certificate in it", place=tls.certificate, hint=hint)
    pem = b"\n".join((*chain, _key(tls.key))) + b"\n"
    server = _server(tls, pem)
    found = _shaken(tls, server, chain[0], "")
    for name in tls.hostnames:
        _shaken(tls, server, chain[0], name)
    return Pair(pem, tuple(_notes(tls, found, len(chain), now_s)))


def self_signed(tls: Tls) -> Pair:
    """A pair made for the run, for the table's host names, or this machine's own.

    Raises BadInput where there is no `openssl`, or it refuses the names.
    """
    names = tls.hostnames or LOCAL
    said = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    argv = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-keyout", "-", "-days", str(LIFE_DAYS), "-subj", "/O=holdfast, for trials"),
        *("-addext", f"subjectAltName={said}"),
    ]
    try:
        made = subprocess.run(argv, capture_output=True, check=True, timeout=30).stdout
    except FileNotFoundError:
        hint = "install it (Debian: `apt-get install openssl`), or name a certificate's files"
        raise BadInput("`openssl`, which makes certificates, is not installed", hint=hint) from None
    except subprocess.SubprocessError as error:
        output = getattr(error, "stderr", b"").decode(errors="replace").strip()
        fault = f"`openssl` makes no certificate for {', '.join(names)}"
        raise BadInput(fault, place="edge.tls.hostnames", hint=output or str(error)) from None
    return Pair(b"\n".join(found[0] for found in _BLOCK.finditer(made)) + b"\n")


def seen(tls: Tls) -> tuple[tuple[int, ...], ...]:
    """What tells that a file is another now, of both; through symlinks, as certbot has them."""
    found = []
    for path in (tls.certificate, tls.key):
        with contextlib.suppress(OSError):
            at = os.stat(path)
            found.append((at.st_dev, at.st_ino, at.st_mtime_ns, at.st_size))
    return tuple(found)


def _blocks(path: str) -> Iterator[tuple[str, bytes]]:
    """Kind and text of each PEM block of a file."""
    for found in _BLOCK.finditer(_read(path)):
        yield found[1].decode(), b"\n".join(filter(None, found[0].splitlines()))


def _read(path: str) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput("it is no file", place=path, hint="name the file itself")
        with open(path, "rb") as file:
            said = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        hint = "name a file that exists, or leave `[edge.tls]` out and use `--tls`"
        raise BadInput("there is no such file", place=path, hint=hint) from None
    except OSError as error:
        hint = "run it as a user that may read it: the edge itself need not"
        raise BadInput(f"cannot read it: {error.strerror}", place=path, hint=hint) from None
    if len(said) > MOST_BYTES:
        raise BadInput("it is longer than any certificate", place=path, hint="name a PEM file")
    return said


def _key(path: str) -> bytes:
    keys = [(kind, block) for kind, block in _blocks(path) if kind.endswith("PRIVATE KEY")]
    if not keys:
        hint = "name the file of the private key in PEM, like certbot's `privkey.pem`"
        raise BadInput("there is no private key in it", place=path, hint=hint)
    kind, block = keys[0]
    if "ENCRYPTED" in kind or b"ENCRYPTED" in block:
        hint = "nobody is there to type it: write a copy without, by `openssl pkey -in ... -out`"
        raise BadInput("the key is sealed by a passphrase", place=path, hint=hint)
    return block


def _server(tls: Tls, pem: bytes) -> ssl.SSLContext:
    """A server of the pair; read from memory, so that no other copy of the key is on a disk."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fd = os.memfd_create("certificate")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            hint = "name the key that the certificate was made with"
            fault = f"it is not the key of {tls.certificate}"
            raise BadInput(fault, place=tls.key, hint=hint) from None
        hint = "see what `openssl x509 -in ... -text` and `openssl pkey -in ...` say of the two"
        raise BadInput(f"OpenSSL refuses it: {error}", place=tls.certificate, hint=hint) from None
    finally:
        os.close(fd)
    return context


def _shaken(tls: Tls, server: ssl.SSLContext, leaf: bytes, name: str) -> dict[str, object]:
    """What a client that trusts the leaf itself is told of it, when it asks for the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(name)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=leaf.decode("ascii"))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname=name or None)
    other = server.wrap_bio(there, back, server_side=True)
    try:
        for side in (client, other, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        _refuse(tls, error, name)
    except ssl.SSLError as error:
        hint = "see what `openssl x509 -in ... -text` says of it"
        fault = f"no handshake is made with it: {error}"
        raise BadInput(fault, place=tls.certificate, hint=hint) from None
    return dict(client.getpeercert() or {})


def _refuse(tls: Tls, error: ssl.SSLCertVerificationError, name: str) -> NoReturn:
    code = error.verify_code
    if code in {_OTHER_NAME, _OTHER_ADDRESS}:
        hint = "name a certificate of it, or correct `edge.tls.hostnames`"
        fault = f"the certificate is not good for {name}"
    else:
        hint = "have it renewed (`certbot renew`), and look at this machine's clock"
        fault = _LOOKS_LIKE.get(code, f"no client takes it: {error.verify_message}")
    raise BadInput(fault, place=tls.certificate, hint=hint) from None


def _notes(tls: Tls, found: dict[str, object], chain: int, now_s: float) -> Iterator[str]:
    left_s = ssl.cert_time_to_seconds(str(found["notAfter"])) - now_s
    if left_s < SOON_S:
        ends = f"the certificate ends in {left_s / 86_400:.1f} days"
        yield f"{ends} ({found['notAfter']}): {tls.certificate}"
    if found["subject"] == found["issuer"]:
        yield f"the certificate is signed by itself: no client trusts it ({tls.certificate})"
    elif chain == 1:
        yield f"no intermediate certificate in {tls.certificate}: some clients will not trust it"


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def now_s() -> float:
    """Seconds since 1970, by which certificates end."""
    return time.time()
