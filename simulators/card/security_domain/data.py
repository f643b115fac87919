"""GET DATA of the security domain, and STORE DATA for the domain itself. GPC 2.3.1, 11.3, 11.11 and annex H."""

from __future__ import annotations

from simulators.card.applet import Refuse
from simulators.card.config import ProductionAnswer
from simulators.card.content import CardLifeCycle
from simulators.card.keyring import Key
from simulators.card.security_domain.storedata import Encryption, StoreDataP1, Structure
from simulators.card.system import System
from terminal.apdu import Command
from terminal.errors import TlvError
from terminal.tlv import Tlv, Tlvs, decode, dgi, tlv

_IIN, _CIN = 0x42, 0x45
_PRODUCTION = {ProductionAnswer.ZERO: bytes(42), ProductionAnswer.ONES: b"\xff" * 42}
_STORED = (b"\x42", b"\x45")
_GP_RID = bytes.fromhex("2A864886FC6B")
"""1.2.840.114283, GlobalPlatform."""
_MOST_STORED = 4096
"""Bytes of STORE DATA over all blocks."""


class CardData:
    """The data objects of the card and its issuer security domain."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._card = system.nvm.scope("card")
        self._blocks: list[bytes] = []  # of an unfinished STORE DATA
        self._structure = Structure.NONE

    def abort(self) -> None:
        """Discard the blocks of an unfinished STORE DATA."""
        self._blocks = []

    def get_data(self, command: Command) -> bytes:
        """One data object with tag and length. Raises Refuse: 6A86 for a data field, 6A88 for an unknown tag."""
        if command.data:
            raise Refuse(0x6A86)
        chip = self._system.config.chip
        match command.p1 << 8 | command.p2:
            case 0x9F7F if self._system.config.production is not ProductionAnswer.NONE:
                return tlv(0x9F7F, _PRODUCTION.get(self._system.config.production, chip.encode())).encode()
            case 0x0066:
                return tlv(0x66, [self.recognition()]).encode()
            case 0x00E0:
                return self._key_information()
            case 0x00CF:
                return tlv(0xCF, chip.key_data).encode()
            case 0x00C1:
                ring = self._system.keys
                width = 2 if self._system.config.scp == 2 else 3
                return tlv(0xC1, ring.counter(ring.versions[0]).to_bytes(width, "big")).encode()
            case 0x0067:
                return self._capabilities()
            case 0x0042 | 0x0045 as tag:
                if value := self._card.get(f"{tag:02X}"):
                    return tlv(tag, value).encode()
        raise Refuse(0x6A88)

    def recognition(self) -> Tlv:
        """Card recognition data: GlobalPlatform 2.3.1, its registration, the secure channel. GPC 2.3.1, H.2."""
        config = self._system.config
        return tlv(
            0x73,
            [
                tlv(0x06, _GP_RID + b"\x01"),
                tlv(0x60, [tlv(0x06, _GP_RID + bytes((2, 2, 3, 1)))]),
                tlv(0x63, [tlv(0x06, _GP_RID + b"\x03")]),
                tlv(0x64, [tlv(0x06, _GP_RID + bytes((4, config.scp)) + _arc(config.i))]),
            ],
        )

    def store_data(self, command: Command) -> bytes:
        """One block of IIN (42) and CIN (45), as BER-TLV or in DGI 0070, while the card is not SECURED. The last block
        stores the objects of all; data that begin with another object are refused at once.

        Raises Refuse: 6A86 wrong P1, 6985 wrong block number or card SECURED, 6A84 too long, 6A80 malformed, 6A88
        another object.
        """
        last, encryption, structure = StoreDataP1.decode(command.p1)
        if encryption is not Encryption.NONE:
            raise Refuse(0x6A86)
        if self._system.state >= CardLifeCycle.SECURED:
            raise Refuse(0x6985)
        if not command.p2:
            self._blocks, self._structure = [], structure
        elif command.p2 != len(self._blocks):
            raise Refuse(0x6985)
        if structure is not self._structure:
            raise Refuse(0x6A80)
        self._blocks.append(command.data)
        data = b"".join(self._blocks)
        if len(data) > _MOST_STORED:
            raise Refuse(0x6A84)
        if len(data) >= 2 and not data.startswith((b"\x00\x70",) if structure is Structure.DGI else _STORED):
            raise Refuse(0x6A88)
        if last:
            self._blocks = []
            self._store(data, structure)
        return b""

    def _store(self, data: bytes, structure: Structure) -> None:
        try:
            if structure is Structure.DGI:
                groups = dgi.decode(data)
                if any(group.number != 0x0070 for group in groups):
                    raise Refuse(0x6A88)
                data = b"".join(group.value for group in groups)
            objects: Tlvs = decode(data, padding="reject")
        except TlvError:
            raise Refuse(0x6A80) from None
        for item in objects:
            if item.tag not in (_IIN, _CIN):
                raise Refuse(0x6A88)
            if not 1 <= len(item.value) <= 16:
                raise Refuse(0x6A80)
            self._card[f"{int(item.tag):02X}"] = item.value
        if not objects:
            raise Refuse(0x6A80)

    def _key_information(self) -> bytes:
        """GPC 2.3.1, 11.3.3.1: identifier, version, type and length of every key."""
        ring = self._system.keys
        entries = [_entry(version, key) for version in ring.versions for key in ring.keys(version)]
        return tlv(0xE0, entries).encode()

    def _capabilities(self) -> bytes:
        """Card capability information: secure channel protocol, its options and key lengths. GPC 2.3.1, H.4."""
        config = self._system.config
        channel = [tlv(0x80, bytes((config.scp,))), tlv(0x81, bytes((config.i,)))]
        if config.scp == 3:
            channel.append(tlv(0x82, b"\x07"))
        return tlv(0x67, [tlv(0xA0, channel)]).encode()


def _entry(version: int, key: Key) -> Tlv:
    return tlv(0xC0, bytes((key.identifier, version, key.kind, len(key.value))))


def _arc(number: int) -> bytes:
    """One arc of an object identifier. ISO/IEC 8825-1, 8.19."""
    return bytes((number,)) if number < 0x80 else bytes((0x80 | number >> 7, number & 0x7F))
