"""Data that a card gives without any key, for `membercard gp info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from membercard import output, settings
from terminal.apdu import Atr, Transport, stack
from terminal.errors import CardError, CodecError
from terminal.globalplatform import AuthenticationGuard, CardRecognition, Cplc, SecurityDomain
from terminal.globalplatform.cplc import as_date
from terminal.globalplatform.tolerant import says_something
from terminal.keys import MemoryCustody

_UNDECODED = {0xCF: "key diversification data", 0x42: "issuer number", 0x45: "card image number", 0x67: "capabilities"}


def card_facts(transport: Transport) -> dict[str, Any]:
    """Everything that the card gives without authentication; a missing value is null or a text with the reason."""
    domain = SecurityDomain(stack(transport), MemoryCustody(simulation=True), AuthenticationGuard())
    facts: dict[str, Any] = {"atr": transport.atr.hex().upper(), "protocol": transport.protocol.value}
    try:
        facts["bit_rate"] = Atr.parse(transport.atr).bit_rate()
    except CodecError as error:
        facts["bit_rate"] = f"unknown: {error}"
    domain.select()
    facts["security_domain"] = domain.name.hex().upper() or None
    readings: dict[str, Callable[[], Any]] = {
        "chip_serial": domain.chip,
        "production": lambda: _production(domain.cplc()),
        "recognition": lambda: _recognition(domain.recognition()),
        "keys": lambda: [str(key) for key in domain.key_information()],
    }
    readings |= {name: partial(domain.get_data, tag) for tag, name in _UNDECODED.items()}
    for name, read in readings.items():
        try:
            facts[name] = output.plain(read())
        except CardError as error:
            facts[name] = f"not available: {error}"
    if domain.remarks:
        facts["remarks"] = list(dict.fromkeys(domain.remarks))
    return facts


def _recognition(card: CardRecognition) -> dict[str, Any]:
    protocols = [f"SCP{scp:02X} i={i:02X}" for scp, i in card.protocols]
    return {
        "globalplatform": card.version,
        "protocols": protocols,
        "configuration": card.configuration,
        "chip": card.chip,
    }


def _production(cplc: Cplc) -> dict[str, str | None]:
    """The fields in hex, valid dates as dates, unset fields as null."""
    today = settings.load().today()
    shown: dict[str, str | None] = {}
    for name in Cplc.__slots__:
        raw: bytes = getattr(cplc, name)
        day = as_date(raw, today) if name.endswith("_date") else None
        shown[name] = day.isoformat() if day else raw.hex().upper() if says_something(raw) else None
    return shown


def flat(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        label = prefix + name.replace("_", " ")
        if isinstance(value, dict):
            yield from flat(value, f"{label}: ")
        elif isinstance(value, list):
            yield label, "\n".join(map(str, value))
        elif value not in (None, ""):
            yield label, str(value)
