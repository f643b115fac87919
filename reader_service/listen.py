"""Where the service listens: address, TLS files, and the access rules that follow from them."""

from __future__ import annotations

import errno
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reader_service import process
from reader_service.access.addresses import is_loopback
from reader_service.access.settings import LISTENERS, LOOPBACK, AccessSettings
from reader_service.errors import Invalid
from reader_service.tls import TlsFiles

_BACKLOG: Final = 2048
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. ``cert`` and ``key`` are PEM files; with ``client_ca`` only stations whose certificate it signed
    come in. ``names``: further host names that this service answers to. ``port`` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8080
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        return self.cert is not None

    def check(self) -> None:
        """Raises Invalid: for anything but this machine without TLS, and for TLS files that do not fit."""
        if (self.cert is None) != (self.key is None):
            raise Invalid("TLS needs both: a certificate (--tls-cert) and its key (--tls-key)")
        if self.client_ca is not None and not self.tls:
            raise Invalid("stations can show certificates (--client-ca) only over TLS: give --tls-cert and --tls-key")
        if not self.tls and self.host != "localhost" and not is_loopback(self.host):
            raise Invalid(
                f"without TLS the service listens on this machine only, not on {self.host}: passwords and personal "
                "data would cross the network in clear; give --tls-cert and --tls-key, or leave --host away"
            )
        self.tls_files()

    def open(self) -> socket.socket:
        """The listening socket. Raises Invalid where something else listens there, OSError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise Invalid(f"port {self.port} of {self.host} is taken; name another with --port") from None
            raise

    def tls_files(self) -> TlsFiles | None:
        """The TLS files, None without TLS. Raises Invalid for files that do not fit."""
        return TlsFiles(self.cert, self.key, self.client_ca) if self.cert and self.key else None

    def access_settings(self, tls: TlsFiles | None = None) -> AccessSettings:
        """The access rules for this address: the service answers for the names in its certificate, and in a renewed one
        where ``tls`` is in use, to as many listeners as the limit of open files allows."""
        tls = tls or self.tls_files()
        named = [*LOOPBACK, *self.names, *(tls.names() if tls else ())]
        listeners = min(LISTENERS, process.listeners())
        if listeners < LISTENERS:
            _log.warning(
                "the limit of open files leaves room for %d listeners at once, and not for %d", listeners, LISTENERS
            )
        return AccessSettings(
            hosts=tuple(dict.fromkeys(name.lower() for name in named)),
            renewed_hosts=tls.names if tls else tuple,
            tls=self.tls,
            listeners=listeners,
        )
