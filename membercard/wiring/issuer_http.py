"""An issuer over HTTP: POST of a JSON object whose ``data`` are data objects in hex, with a response of the same form.

``{"data": "9F2608..."}`` gives ``{"data": "8A023030910A..."}``: 8A, then 91 and scripts 71 or 72 where there are any.
"""

from __future__ import annotations

import json

from membercard.errors import SettingsError
from membercard.wiring.bounded_http import Endpoint, ExchangeFault, post
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8A_RESPONSE_CODE,
    TAG_71_ISSUER_SCRIPT_1,
    TAG_72_ISSUER_SCRIPT_2,
    TAG_91_ISSUER_AUTHENTICATION_DATA,
    TAG_99_PIN_DATA,
)
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.errors import CodecError, TlvError
from terminal.tlv import decode, encode, split, tlv

_TIMEOUT = 15.0
"""Seconds for a whole exchange, from the resolution of the name to the last byte of the answer."""
_FIELDS = (TAG_8A_RESPONSE_CODE, TAG_91_ISSUER_AUTHENTICATION_DATA)
_SCRIPTS = (TAG_71_ISSUER_SCRIPT_1, TAG_72_ISSUER_SCRIPT_2)


class HttpIssuer:
    """An issuer behind a URL; https, except on a loopback address. Every fault of an exchange is an ``Unable``, at most
    ``timeout`` seconds after its start. Raises SettingsError for an invalid URL."""

    def __init__(self, url: str, timeout: float = _TIMEOUT) -> None:
        try:
            self._endpoint = Endpoint.parse(url)
        except CodecError as fault:
            raise SettingsError(f"--online wants a URL such as http://127.0.0.1:8583/authorize: {fault}") from None
        self._timeout = timeout

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        body = json.dumps({"data": field_data(request).hex().upper()}).encode()
        try:
            reply = post(self._endpoint, body, "application/json", self._timeout)
        except ExchangeFault as fault:
            return Unable(fault.reason, sent=fault.sent)
        if reply.status != 200:
            return Unable(f"it answered HTTP {reply.status}", sent=True)
        return _response(reply.body)


def field_data(request: OnlineRequest) -> bytes:
    """The request as data objects: card number, field 55, and the PIN block (99) where there is one."""
    digits = request.card_number + "F" * (len(request.card_number) % 2)
    objects = [tlv(TAG_5A_PAN, bytes.fromhex(digits))]
    objects += [tlv(tag, value) for tag, value in request.data.items() if tag != TAG_5A_PAN]
    if TAG_5F34_PAN_SEQUENCE not in request.data:
        objects.append(tlv(TAG_5F34_PAN_SEQUENCE, bytes.fromhex(f"{request.sequence:02d}")))
    if request.pin_block is not None:
        objects.append(tlv(TAG_99_PIN_DATA, request.pin_block))
    return encode(objects)


def _response(content: bytes) -> OnlineResponse | Unable:
    """The answer; an empty object is an absent one, and a script is not read here."""
    values = dict[int, bytes]()
    try:
        objects = split(bytes.fromhex(json.loads(content)["data"]))
        for tag, raw in objects:
            value = decode(raw, lengths="any")[0].value if tag in _FIELDS else b""
            if value and values.setdefault(tag, value) != value:
                return Unable(f"its answer has two different {tag}", sent=True)
    except (ValueError, KeyError, TypeError, TlvError, RecursionError):
        return Unable("its answer cannot be read", sent=True)
    code = values.get(TAG_8A_RESPONSE_CODE)
    if code is None:
        return Unable("its answer has no response code", sent=True)
    scripts = tuple(raw for tag, raw in objects if tag in _SCRIPTS)
    return OnlineResponse(code, values.get(TAG_91_ISSUER_AUTHENTICATION_DATA), scripts)
