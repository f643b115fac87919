"""What every answer tells a browser: load nothing from elsewhere, run nothing inline, sit in no frame, keep nothing."""

from __future__ import annotations

from typing import Final

Headers = list[tuple[bytes, bytes]]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy of pages. CSP Level 3."""
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""Of answers that are no pages."""
_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment", "serial", "usb")
_ALWAYS: Final = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),  # "no-referrer" makes browsers send forms with "Origin: null" (Fetch, 3.2)
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", ", ".join(f"{feature}=()" for feature in _FEATURES)),
)
_TLS: Final = ("strict-transport-security", "max-age=63072000")
NO_STORE: Final = (b"cache-control", b"no-store")


def headers(policy: str, *, tls: bool) -> Headers:
    """As ASGI wants them; HSTS under TLS only (RFC 6797, 7.2)."""
    pairs = [("content-security-policy", policy), *_ALWAYS, *([_TLS] if tls else [])]
    return [(name.encode(), value.encode()) for name, value in pairs]


def added(present: Headers, ours: Headers) -> Headers:
    """An answer's headers with ours; what may be kept says so itself, everything else is not stored."""
    for name, _ in present:
        if name == b"cache-control":
            return [*present, *ours]
    return [*present, *ours, NO_STORE]
