"""The TLS files of the service, renewed while it runs; when they expire; alerts for refused clients."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from reader_service.errors import Invalid
from terminal import private_files
from terminal.errors import MembercardError

SOON: Final = timedelta(days=30)
"""How long before the end of a certificate the log warns, once a day."""
_PROTOCOL_VERSION: Final = bytes.fromhex("15030100020246")
"""The alert for what is no TLS, for which OpenSSL has none. RFC 8446, 5.1, 6.2."""
_DAILY: Final = timedelta(days=1)
_log = logging.getLogger(__name__)


class HandshakeRefused(ssl.SSLError):
    """A handshake that one side refused. ``alert`` is the TLS record that tells the client, empty where the client
    refused. RFC 8446, 6."""

    def __init__(self, cause: ssl.SSLError, alert: bytes) -> None:
        super().__init__(*cause.args)
        self.alert = _PROTOCOL_VERSION if cause.reason == "WRONG_VERSION_NUMBER" and not alert else alert
        reason = (cause.reason or "unknown reason").replace("_", " ").lower()
        verify = getattr(cause, "verify_message", "")
        self.sentence = f"{reason} ({verify})" if verify else reason
        self.plain_http = cause.reason == "HTTP_REQUEST"


class _Handshake(ssl.SSLObject):
    """Both event loops close a connection whose handshake fails, and leave the alert in the buffer."""

    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as refused:
            raise HandshakeRefused(refused, self.outgoing.read()) from refused


class _ServerContext(ssl.SSLContext):
    sslobject_class = _Handshake

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        wrapped = super().wrap_bio(incoming, outgoing, *args, **kwargs)
        if isinstance(wrapped, _Handshake):
            wrapped.outgoing = outgoing
        return wrapped


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The files as they were at one time. ``names``: the host names of the certificate; ``ends``: label, subject and
    end of each certificate."""

    context: ssl.SSLContext
    names: tuple[str, ...]
    begins: datetime
    ends: tuple[tuple[str, str, datetime], ...]

    def valid(self, now: datetime) -> bool:
        return self.begins <= now and all(now < end for label, _, end in self.ends if label == CERTIFICATE)


CERTIFICATE: Final = "certificate"
CLIENT_CA: Final = "client-ca"
_SHOWN: Final = {CERTIFICATE: "the TLS certificate", CLIENT_CA: "the CA of client certificates"}


class TlsFiles:
    """The TLS files of the service. ``context`` is for new connections. With ``client_ca`` only clients with a
    certificate of that CA connect. Raises Invalid for files that do not fit."""

    def __init__(
        self,
        cert: Path,
        key: Path,
        client_ca: Path | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cert, self._key, self._client_ca, self._clock = cert, key, client_ca, clock
        self._loaded = self._load()
        self._warned_at: datetime | None = None

    @property
    def context(self) -> ssl.SSLContext:
        return self._loaded.context

    def names(self) -> tuple[str, ...]:
        """Host names and addresses of the certificate in use. RFC 5280, 4.2.1.6."""
        return self._loaded.names

    def renew(self) -> None:
        """Read the files again for connections that begin from now on. Files that do not fit are logged, and the ones
        in use stay."""
        try:
            private_files.tighten(self._key, "the TLS key", required=True)
            loaded, now = self._load(), self._clock()
            if self._loaded.valid(now) and not loaded.valid(now):
                raise Invalid("the new certificate has expired, or is not valid yet")
        except MembercardError as fault:
            _log.error("the TLS files were not renewed, those in use stay: %s", fault)
            return
        except Exception as fault:  # whatever is in the files, the service goes on with what it has
            _log.error("the TLS files were not renewed, those in use stay", exc_info=fault)
            return
        self._loaded, self._warned_at = loaded, None
        until = min(end for label, _, end in loaded.ends if label == CERTIFICATE)
        _log.info("the TLS files were renewed; the certificate is valid until %s", f"{until:%Y-%m-%d}")
        self.warn()

    def seconds_left(self) -> dict[str, float]:
        """Seconds until the first certificate of each kind expires; negative afterwards."""
        now, left = self._clock(), dict[str, float]()
        for label, _, end in self._loaded.ends:
            seconds = (end - now).total_seconds()
            left[label] = min(seconds, left.get(label, seconds))
        return left

    def warn(self) -> None:
        """Log, at most once a day, what has expired or will soon."""
        now = self._clock()
        if self._warned_at is not None and now - self._warned_at < _DAILY:
            return
        self._warned_at = now
        if now < self._loaded.begins:
            _log.error(
                "the TLS certificate is not valid before %s; clients refuse it", f"{self._loaded.begins:%Y-%m-%d}"
            )
        for label, subject, end in self._loaded.ends:
            what = f"{_SHOWN[label]} ({subject})" if subject else _SHOWN[label]
            if end <= now:
                _log.error("%s expired on %s; renew it and send SIGHUP", what, f"{end:%Y-%m-%d}")
            elif end - now < SOON:
                days = (end - now).days
                _log.warning("%s expires on %s, in %d days; renew it and send SIGHUP", what, f"{end:%Y-%m-%d}", days)

    def _load(self) -> _Loaded:
        for path in filter(None, (self._cert, self._key, self._client_ca)):
            _check_readable(path)
        context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
            chain = x509.load_pem_x509_certificates(self._cert.read_bytes())
            authorities = []
            if self._client_ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self._client_ca)
                authorities = x509.load_pem_x509_certificates(self._client_ca.read_bytes())
            ends = [(CERTIFICATE, _common_name(one), one.not_valid_after_utc) for one in chain]
            ends += [(CLIENT_CA, _common_name(one), one.not_valid_after_utc) for one in authorities]
            names = _names(chain[0])
        except ssl.SSLError as e:
            reason = e.reason or "unreadable"
            raise Invalid(f"the TLS files do not fit together or are not PEM: {reason}") from None
        except OSError as e:
            raise Invalid(f"cannot read a TLS file: {e.strerror}") from None
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            raise Invalid("the TLS files do not fit together or are not PEM: a certificate is malformed") from None
        return _Loaded(context, names, max(one.not_valid_before_utc for one in chain), tuple(ends))


def _check_readable(path: Path) -> None:
    """Raises Invalid with the name of the file, which OpenSSL leaves out; it would wait at a pipe for ever."""
    try:
        if path.exists() and not path.is_file():
            raise Invalid(f"cannot read a TLS file: {path} is no regular file")
        with path.open("rb"):
            pass
    except OSError as e:
        raise Invalid(f"cannot read a TLS file: {e.strerror}: {path}") from None


def _no_password() -> str:
    """A key under a password would have the service wait at a terminal that nobody sees."""
    return ""


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    shown = [f"[{address}]" if address.version == 6 else str(address) for address in addresses]
    return tuple(name.lower() for name in (*names.get_values_for_type(x509.DNSName), *shown))
