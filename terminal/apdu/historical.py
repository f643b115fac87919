"""Historical bytes of an answer to reset: compact-TLV objects, card capabilities, storage cards.

ISO/IEC 7816-4:2020, 12.1.1; PC/SC Part 3, 3.1.3.2.3 and its supplemental document of card names.
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = {
    1: "country code",
    2: "issuer identification number",
    3: "card service data",
    4: "initial access data",
    5: "card issuer's data",
    6: "pre-issuing data",
    7: "card capabilities",
    8: "status indicator",
    0xF: "application identifier",
}
_PCSC_STORAGE = bytes.fromhex("804F0CA000000306")

_STANDARDS = {
    0x00: "",
    0x01: "ISO 14443 A, part 1",
    0x02: "ISO 14443 A, part 2",
    0x03: "ISO 14443 A, part 3",
    0x05: "ISO 14443 B, part 1",
    0x06: "ISO 14443 B, part 2",
    0x07: "ISO 14443 B, part 3",
    0x09: "ISO 15693, part 1",
    0x0A: "ISO 15693, part 2",
    0x0B: "ISO 15693, part 3",
    0x0C: "ISO 15693, part 4",
    0x0D: "contact, ISO 7816-10 I2C",
    0x0E: "contact, ISO 7816-10 extended I2C",
    0x0F: "contact, ISO 7816-10 2WBP",
    0x10: "contact, ISO 7816-10 3WBP",
    0x11: "FeliCa",
}
_CARDS = {
    0x0000: "",
    0x0001: "MIFARE Classic 1K",
    0x0002: "MIFARE Classic 4K",
    0x0003: "MIFARE Ultralight",
    0x0004: "SLE55R",
    0x0006: "SR176",
    0x0007: "SRIX4K",
    0x0008: "AT88RF020",
    0x0009: "AT88SC0204CRF",
    0x000A: "AT88SC0808CRF",
    0x000B: "AT88SC1616CRF",
    0x000C: "AT88SC3216CRF",
    0x000D: "AT88SC6416CRF",
    0x000E: "SRF55V10P",
    0x000F: "SRF55V02P",
    0x0010: "SRF55V10S",
    0x0011: "SRF55V02S",
    0x0012: "TAG-IT",
    0x0013: "LRI512",
    0x0014: "ICODE SLI",
    0x0015: "TEMPSENS",
    0x0016: "I.CODE1",
    0x0017: "PicoPass 2K",
    0x0018: "PicoPass 2KS",
    0x0019: "PicoPass 16K",
    0x001A: "PicoPass 16Ks",
    0x001B: "PicoPass 16K (8x2)",
    0x001C: "PicoPass 16Ks (8x2)",
    0x001D: "PicoPass 32KS (16+16)",
    0x001E: "PicoPass 32KS (16+8x2)",
    0x001F: "PicoPass 32KS (8x2+16)",
    0x0020: "PicoPass 32KS (8x2+8x2)",
    0x0021: "LRI64",
    0x0022: "I.CODE UID",
    0x0023: "I.CODE EPC",
    0x0024: "LRI12",
    0x0025: "LRI128",
    0x0026: "MIFARE Mini",
    0x0027: "my-d move (SLE 66R01P)",
    0x0028: "my-d NFC (SLE 66RxxP)",
    0x0029: "my-d proximity 2 (SLE 66RxxS)",
    0x002A: "my-d proximity enhanced (SLE 55RxxE)",
    0x002B: "my-d light (SRF 55V01P)",
    0x002C: "PJM Stack Tag (SRF 66V10ST)",
    0x002D: "PJM Item Tag (SRF 66V10IT)",
    0x002E: "PJM Light (SRF 66V01ST)",
    0x002F: "Jewel",
    0x0030: "Topaz",
    0x0031: "AT88SC0104CRF",
    0x0032: "AT88SC0404CRF",
    0x0033: "AT88RF01C",
    0x0034: "AT88RF04C",
    0x0035: "i-Code SL2",
    0x0036: "MIFARE Plus SL1 2K",
    0x0037: "MIFARE Plus SL1 4K",
    0x0038: "MIFARE Plus SL2 2K",
    0x0039: "MIFARE Plus SL2 4K",
    0x003A: "MIFARE Ultralight C",
    0x003B: "FeliCa",
    0x003C: "Melexis Sensor Tag (MLX90129)",
    0x003D: "MIFARE Ultralight EV1",
}


@dataclass(frozen=True, slots=True)
class CompactTlv:
    """One compact-TLV object: a tag of half a byte and up to 15 bytes."""

    tag: int
    value: bytes

    @property
    def name(self) -> str:
        return _NAMES.get(self.tag, "")


@dataclass(frozen=True, slots=True)
class HistoricalBytes:
    """Historical bytes and their contents by category byte."""

    raw: bytes

    @property
    def category(self) -> int | None:
        """00 or 80: compact-TLV; 10: reference to DIR data; other values are proprietary."""
        return self.raw[0] if self.raw else None

    @property
    def objects(self) -> tuple[CompactTlv, ...] | None:
        """The compact-TLV objects, the status of category 00 as the last; None where the bytes are not compact-TLV."""
        if self.category not in (0x00, 0x80) or self.raw.startswith(_PCSC_STORAGE):
            return None
        # Category 00 ends in a mandatory status of three bytes without a tag.
        end = len(self.raw) - (3 if self.category == 0x00 else 0)
        objects: list[CompactTlv] = []
        at = 1
        while at < end:
            tag, size = self.raw[at] >> 4, self.raw[at] & 0x0F
            if at + 1 + size > end:
                return None
            objects.append(CompactTlv(tag, self.raw[at + 1 : at + 1 + size]))
            at += 1 + size
        if at > end:
            return None
        return (*objects, CompactTlv(8, self.raw[end:])) if self.category == 0x00 else tuple(objects)

    @property
    def _third_capability(self) -> int | None:
        """Third software function table. ISO/IEC 7816-4:2020, Table 119."""
        for item in self.objects or ():
            if item.tag == 7 and len(item.value) == 3:
                return item.value[2]
        return None

    @property
    def extended_length(self) -> bool | None:
        """Whether the card supports extended Lc and Le fields; None where this is not indicated."""
        table = self._third_capability
        return None if table is None else bool(table & 0x40)

    @property
    def command_chaining(self) -> bool | None:
        """Whether the card supports command chaining; None where this is not indicated."""
        table = self._third_capability
        return None if table is None else bool(table & 0x80)

    @property
    def logical_channels(self) -> int | None:
        """Number of logical channels, 1 to 8 (8: eight or more); None where this is not indicated."""
        table = self._third_capability
        return None if table is None else (table & 0x07) + 1


@dataclass(frozen=True, slots=True)
class StorageCard:
    """A memory card as a PC/SC reader reports it; ``standard`` and ``name`` are empty or a number where unknown."""

    standard_code: int
    card_code: int

    @classmethod
    def from_historical(cls, raw: bytes) -> StorageCard | None:
        """From historical bytes with the RID of the PC/SC workgroup, A000000306; None for others."""
        if not raw.startswith(_PCSC_STORAGE) or len(raw) < len(_PCSC_STORAGE) + 3:
            return None
        return cls(raw[8], int.from_bytes(raw[9:11], "big"))

    @property
    def standard(self) -> str:
        return _STANDARDS.get(self.standard_code, f"standard {self.standard_code:02X}")

    @property
    def name(self) -> str:
        return _CARDS.get(self.card_code, f"card {self.card_code:04X}")
