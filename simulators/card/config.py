"""The configuration of a blank chip: production data, protocols, stock keys, ATR."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import xor

from simulators.card.keyring import CardKeySet
from terminal.apdu import LinkProtocol
from terminal.crypto import des, kdf
from terminal.secret import Secret

ISD_AID = bytes.fromhex("A000000151000000")
TEST_KEY = bytes(range(0x40, 0x50))
"""The published test key of blank stock. GPC 2.3.1; EMV CPS 1.1 test vectors."""

_SCP02_I = (0x05, 0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75)
"""Three keys, explicit initiation, C-MAC on the modified command, ICV zero; then ICV encryption (10), R-MAC (20) and
the pseudo-random challenge (40). GPC 2.3.1, E.1.1."""
_SCP03_I = tuple(i | s for i in (0x00, 0x10, 0x20, 0x30, 0x60, 0x70) for s in (0, 1))


class KeyDiversification(StrEnum):
    """How the stock keys of a chip are derived from the supplier's KMC."""

    NONE = "none"
    VISA2 = "visa2"
    EMV_CPS = "emv-cps"
    KDF3 = "kdf3"


class ProductionAnswer(StrEnum):
    """What the chip answers when it is asked for its production data (9F7F): makers leave them unset, or out."""

    SET = "set"
    ZERO = "00"
    ONES = "ff"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ProductionData:
    """Card production life cycle data: numbers of 2 bytes (``serial`` and the equipment ids: 4). GPC 2.1.1 tag 9F7F.

    Dates are binary coded decimal as YDDD: 0x6326 is day 326 of a year ending in 6.
    """

    serial: int
    batch: int = 0x0001
    fabrication_date: int = 0x6001
    fabricator: int = 0x4790
    ic_type: int = 0x5168
    os: int = 0x4D42
    os_date: int = 0x6001
    os_level: int = 0x0100

    def __post_init__(self) -> None:
        if not 0 <= self.serial <= 0xFFFFFFFF or not 0 <= self.batch <= 0xFFFF:
            raise ValueError("a chip has a serial number of 4 bytes and a batch number of 2")

    def encode(self) -> bytes:
        """42 bytes; the fields of the card manufacturer and the personalizer are zero on blank stock."""
        start = (self.fabricator, self.ic_type, self.os, self.os_date, self.os_level, self.fabrication_date)
        words = b"".join(word.to_bytes(2, "big") for word in start)
        return words + self.serial.to_bytes(4, "big") + self.batch.to_bytes(2, "big") + bytes(24)

    @property
    def chip_serial(self) -> str:
        """Fabrication date, serial number, batch and fabricator: 20 hex digits, unique to the chip."""
        return f"{self.fabrication_date:04X}{self.serial:08X}{self.batch:04X}{self.fabricator:04X}"

    @property
    def key_data(self) -> bytes:
        """Key diversification data, ten bytes: VISA2 and EMV CPS take the serial number from them."""
        head, tail = self.batch.to_bytes(2, "big"), self.fabrication_date.to_bytes(2, "big")
        return b"\x00\x00" + head + self.serial.to_bytes(4, "big") + tail


@dataclass(frozen=True, slots=True)
class CardConfig:
    """A blank chip. Raises ValueError for an invalid combination.

    ``scp`` is 2 or 3 and ``i`` its parameter (default 55 or 70); R-MAC under SCP02 needs i bit 20.
    ``key_size`` in bytes: 16, or for SCP03 also 24 and 32. ``key_version`` defaults to FF (SCP02) or 30 (SCP03).
    The stock keys are derived from ``kmc`` by ``diversification``; the card stores only the derived keys.
    ``ta1`` is the speed that the chip offers (FI, DI). ISO/IEC 7816-3:2006, 8.3. ``production`` is what it tells of its
    production, ``beside`` are versions of further key sets, each of one key (tokens 70, receipts 71, DAP 73; GPC 2.3.1,
    11.1.9).
    """

    chip: ProductionData
    protocol: LinkProtocol = LinkProtocol.T1
    scp: int = 3
    i: int = -1
    key_size: int = 16
    key_version: int = -1
    diversification: KeyDiversification = KeyDiversification.NONE
    kmc: Secret = field(default_factory=lambda: Secret(TEST_KEY), repr=False, compare=False)
    ta1: int = 0x96
    max_tries: int = 10
    production: ProductionAnswer = ProductionAnswer.SET
    beside: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.scp not in (2, 3):
            raise ValueError(f"SCP {self.scp:02d}: a chip has 2 or 3")
        if self.i == -1:
            object.__setattr__(self, "i", 0x55 if self.scp == 2 else 0x70)
        if self.i not in (_SCP02_I if self.scp == 2 else _SCP03_I):
            raise ValueError(f"SCP{self.scp:02d} with i = {self.i:02X}")
        if self.key_version == -1:
            object.__setattr__(self, "key_version", 0xFF if self.scp == 2 else 0x30)
        if self.key_size not in ((16,) if self.scp == 2 else (16, 24, 32)):
            raise ValueError(f"SCP{self.scp:02d} with keys of {self.key_size} bytes")
        if not (1 <= self.key_version <= 0x7F or self.key_version == 0xFF):
            raise ValueError(f"key version {self.key_version:02X}: 01 to 7F, or FF for initial keys")
        if self.key_version in self.beside or not all(1 <= version <= 0x7F for version in self.beside):
            raise ValueError("key sets beside have versions 01 to 7F, other than that of the stock keys")
        if not 0 <= self.ta1 <= 0xFF or self.max_tries < 1:
            raise ValueError("TA1 is one byte, and a chip takes at least one try")

    @property
    def contactless(self) -> bool:
        return self.protocol is LinkProtocol.CONTACTLESS

    @property
    def atr(self) -> bytes:
        return answer_to_reset(self.protocol, self.ta1)

    def stock_keys(self) -> CardKeySet:
        """ENC, MAC and DEK of this chip. EMV CPS 1.1, 4.1; GPC 2.3.1 Amendment D 1.2, 4.1.5."""
        return CardKeySet(self.key_version, *(self._stock_key(c) for c in (1, 2, 3)))

    def _stock_key(self, constant: int) -> bytes:
        kmc, data = self.kmc.reveal(), self.chip.key_data
        if self.diversification is KeyDiversification.KDF3:
            return kdf.kdf3(kmc, constant, data, 8 * self.key_size)
        if self.diversification is KeyDiversification.NONE:
            return (kmc * 2)[: self.key_size] if len(kmc) < self.key_size else kmc
        part = data[4:10] if self.diversification is KeyDiversification.EMV_CPS else data[0:2] + data[4:8]
        derived = des.ecb_encrypt(kmc, part + bytes((0xF0, constant)) + part + bytes((0x0F, constant)))
        return (derived * 2)[: self.key_size]

    def encode(self) -> bytes:
        """JSON for the card's memory: all fields but the keys."""
        chip = {name: getattr(self.chip, name) for name in ProductionData.__slots__}
        fields = ("scp", "i", "key_size", "key_version", "ta1", "max_tries")
        values = {name: getattr(self, name) for name in fields}
        texts = {"protocol": str(self.protocol), "diversification": str(self.diversification)}
        odd = {"production": str(self.production), "beside": self.beside}
        return json.dumps({"chip": chip} | values | texts | odd).encode()

    @classmethod
    def decode(cls, data: bytes) -> CardConfig:
        """The inverse of ``encode``; the KMC is not on the chip."""
        values = json.loads(data)
        values["chip"] = ProductionData(**values["chip"])
        values["protocol"] = LinkProtocol(values["protocol"])
        values["diversification"] = KeyDiversification(values["diversification"])
        values["production"] = ProductionAnswer(values.get("production", ProductionAnswer.SET))
        values["beside"] = tuple(values.get("beside", ()))
        return cls(**values)


def answer_to_reset(protocol: LinkProtocol, ta1: int) -> bytes:
    """The ATR of a contact chip, or the one that a PC/SC reader composes for a contactless chip.

    ISO/IEC 7816-3:2006, 8.2; PC/SC 2.01.14 Part 3, 3.1.3.2.3. TCK is present unless the card offers T=0 only.
    """
    # Category 80: SELECT by full and partial name, no master file; four channels numbered by card or host, extended
    # length but at T=0.
    capabilities = 0x1B if protocol is LinkProtocol.T0 else 0x5B
    historical = bytes((0x80, 0x31, 0xC1, 0x73, 0xC0, 0x01, capabilities)) + b"\x55UNION"
    count = len(historical)
    if protocol is LinkProtocol.T0:
        return bytes((0x3B, 0x10 | count, ta1)) + historical
    if protocol is LinkProtocol.T1:
        body = bytes((0x90 | count, ta1, 0x81, 0x31, 0xFE, 0x45)) + historical
    else:
        body = bytes((0x80 | count, 0x80, 0x01)) + historical
    return b"\x3b" + body + bytes((reduce(xor, body),))
