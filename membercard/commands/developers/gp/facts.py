"""Data that a card gives without any key, for `membercard gp info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from membercard import output, settings
from membercard.language import sentence, text
from terminal.apdu import Atr, Transport, stack
from terminal.errors import CardError, CodecError
from terminal.globalplatform import AuthenticationGuard, CardRecognition, Cplc, SecurityDomain
from terminal.globalplatform.cplc import as_date
from terminal.globalplatform.tolerant import says_something
from terminal.keys import MemoryCustody

_UNDECODED = {0xCF: "key diversification data", 0x42: "issuer number", 0x45: "card image number", 0x67: "capabilities"}
_LABELS = {
    "atr": "ATR",
    "globalplatform": "GlobalPlatform",
    "keys": "keys on the card",
    "ic_fabricator": "IC fabricator",
    "ic_type": "IC type",
    "ic_fabrication_date": "IC fabrication date",
    "ic_serial_number": "IC serial number",
    "ic_batch_identifier": "IC batch identifier",
    "ic_module_fabricator": "IC module fabricator",
    "ic_module_packaging_date": "IC module packaging date",
    "icc_manufacturer": "ICC manufacturer",
    "ic_embedding_date": "IC embedding date",
    "ic_pre_personalizer": "IC pre-personalizer",
    "ic_pre_personalization_date": "IC pre-personalization date",
    "ic_pre_personalization_equipment": "IC pre-personalization equipment",
    "ic_personalizer": "IC personalizer",
    "ic_personalization_date": "IC personalization date",
    "ic_personalization_equipment": "IC personalization equipment",
}
"""Names that are no plain words of the key."""


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
    """Names and values in the current language, one row for each value that is there."""
    for name, value in facts.items():
        english = name.replace("_", " ")
        label = prefix + text(_LABELS.get(name, english))
        if isinstance(value, dict):
            yield from flat(value, text("{group}: ", group=label))
        elif isinstance(value, list):
            yield label, "\n".join(sentence(str(one)) for one in value)
        elif name == "bit_rate" and not isinstance(value, str) and value:
            yield label, text("{rate:,.0f} bit/s at 4 MHz", rate=value)
        elif value not in (None, ""):
            yield label, sentence(str(value))
