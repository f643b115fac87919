"""Protection of writes against forged requests (CSRF): the Origin must be ours, and the session's secret must be sent.
RFC 6265bis, 5.3; OWASP, synchronizer token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

HEADER: Final = b"x-csrf-token"
FIELD: Final = "csrf"
"""The form field of pages without script: before any file in the form."""
KEY_FIELD: Final = "idempotency_key"
"""The form field that stands in for the Idempotency-Key header."""
FORM: Final = b"application/x-www-form-urlencoded"
MULTIPART: Final = b"multipart/form-data"
_PART = rb'name="%s"\r\n\r\n([!-~]{1,255})\r\n--'


def same_origin(headers: Mapping[bytes, bytes], *, tls: bool) -> bool:
    """Whether a write comes from this service's own pages. Browsers send the page's origin with every write; other
    programs send none and have no cookie. Under ``tls`` an origin without TLS counts as another site."""
    origin = headers.get(b"origin")
    if origin is not None:
        try:
            sent = urlsplit(origin.decode("latin-1"))
        except ValueError:
            return False
        own = sent.netloc.lower() == headers.get(b"host", b"").decode("latin-1").lower()
        return own and (sent.scheme == "https" or not tls)
    return headers.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none")


def knows(secret: str, given: str) -> bool:
    """Whether the secret is correct, compared in constant time. An empty secret is never correct."""
    return bool(secret) and hmac.compare_digest(secret.encode(), given.encode("utf-8", "surrogatepass"))


def form_field(name: str, content_type: bytes, head: bytes) -> str:
    """A hidden field from the beginning of a form's body; empty where it is missing."""
    if content_type.startswith(FORM):
        try:
            return dict(parse_qsl(head.decode("ascii"), max_num_fields=200)).get(name, "")
        except ValueError:
            return ""
    if content_type.startswith(MULTIPART):
        match = re.search(_PART % name.encode(), head)
        return match[1].decode("ascii") if match else ""
    return ""
