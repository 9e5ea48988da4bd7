"""TLS on a process's sockets, through memory: reads and writes as the system's, of plain bytes.

One read of a socket takes all that is there, where OpenSSL alone takes a record's head and its body
one by one (docs/design/0026). Must not know requests, counts or states.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import Final

from holdfast.load.connection import Fault
from holdfast.model.errors import BadInput

HTTP_1: Final = "http/1.1"
HTTP_2: Final = "h2"
RAW_BYTES: Final = 65_536
"""Read from a socket at once; where fewer came, no more is there now."""


class _Channel:
    """TLS of one connection; `owed`: sealed bytes that the socket did not take yet."""

    __slots__ = ("incoming", "is_sealed", "outgoing", "owed", "tls")

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.owed = b""
        self.is_sealed = False
        """What is being written is sealed, and some of it owed."""

    def has_more(self) -> bool:
        """Whether bytes were read from the socket and not from here."""
        return bool(self.incoming.pending or self.tls.pending())


class Tls:
    """The connections of one process that speak TLS. Errors are OSErrors, as the system's are."""

    def __init__(self, ca: str, host: str, protocol: str) -> None:
        self._context, self._protocol = context_of(ca), protocol
        self._context.set_alpn_protocols([protocol])
        self._name = host.partition(":")[0]
        self._channels: dict[int, _Channel] = {}

    def shake(self, fd: int) -> bool:
        """Go on with the handshake as far as it goes now; True when it is done."""
        channel = self._channels.get(fd)
        if channel is None:
            channel = self._channels[fd] = _Channel(self._context, self._name)
        try:
            while not self._is_shaken(fd, channel):
                raw = os.read(fd, RAW_BYTES)
                if not raw:
                    raise Fault("handshake", "the server closed in the handshake")
                channel.incoming.write(raw)
        except BlockingIOError:
            return False
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Fault("handshake", f"the server broke it off: {error.strerror}") from None
        if self._protocol == HTTP_2 != channel.tls.selected_alpn_protocol():
            raise Fault("handshake", "the server does not speak h2 (ALPN)")
        return True

    def _is_shaken(self, fd: int, channel: _Channel) -> bool:
        """One step of the handshake, and what it has to say to the server."""
        try:
            channel.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush(fd, channel)
            return False
        except ssl.SSLCertVerificationError as error:
            raise Fault("certificate", error.verify_message) from None
        except ssl.SSLError as error:
            raise Fault("handshake", _told(error)) from None
        self._flush(fd, channel)
        return True

    def read(self, fd: int, most: int) -> bytes:
        """All that is there to read, up to `most` bytes; nothing once the server closed."""
        channel, got, is_all = self._channels[fd], b"", False
        while len(got) < most:
            try:
                if not channel.has_more():
                    if got and is_all:  # with nothing yet, the server's end may be behind it
                        break
                    raw = os.read(fd, RAW_BYTES)
                    if not raw:
                        return got
                    is_all = len(raw) < RAW_BYTES
                    channel.incoming.write(raw)
                got += channel.tls.read(most - len(got))
            except ssl.SSLWantReadError:  # a part of a record, or nothing of the application's
                continue
            except BlockingIOError:
                break
            except ssl.SSLZeroReturnError:
                return got
            except ssl.SSLError as error:
                raise Fault("tls", _told(error)) from None
        if channel.outgoing.pending:  # an answer of TLS itself, to a new key
            with suppress(BlockingIOError):
                self._flush(fd, channel)
        if not got:
            channel.tls.write(b"")  # gives back 15 KB, kept since TLS 1.3's tickets were read
            raise BlockingIOError
        return got

    def write(self, fd: int, data: bytes) -> int:
        """Seal and write; 0 until the socket took all of it, to be called again with the same."""
        channel = self._channels[fd]
        if not channel.is_sealed:
            try:
                channel.tls.write(data)
            except ssl.SSLError as error:
                raise Fault("tls", _told(error)) from None
            channel.is_sealed = True
        self._flush(fd, channel)
        channel.is_sealed = bool(channel.owed)
        return 0 if channel.owed else len(data)

    def _flush(self, fd: int, channel: _Channel) -> None:
        channel.owed += channel.outgoing.read()
        if channel.owed:
            channel.owed = channel.owed[os.write(fd, channel.owed) :]

    def forget(self, fd: int) -> None:
        """The connection is closed."""
        self._channels.pop(fd, None)


def context_of(ca: str) -> ssl.SSLContext:
    """What verifies servers by the certificates of a file, or none where no file is given.

    Raises BadInput for a file that holds none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        try:
            context.load_verify_locations(ca)
        except (OSError, ValueError) as wrong:
            hint = "name a file of certificates (PEM) that you can read"
            raise BadInput(f"cannot read certificates: {wrong}", place=ca, hint=hint) from None
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _told(error: ssl.SSLError) -> str:
    """What OpenSSL says is wrong, in its own words."""
    return (error.reason or error.strerror or "broken").lower().replace("_", " ")
