"""GET DATA of the security domain, and STORE DATA for the domain itself. GPC 2.3.1, 11.3, 11.11 and annex H."""

from __future__ import annotations

from simulators.card.applet import Refuse
from simulators.card.content import CardLifeCycle
from simulators.card.keyring import Key
from simulators.card.system import System
from terminal.apdu import Command
from terminal.errors import TlvError
from terminal.tlv import Tlv, Tlvs, decode, dgi, tlv

_IIN, _CIN = 0x42, 0x45
_GP_RID = bytes.fromhex("2A864886FC6B")
"""1.2.840.114283, GlobalPlatform."""


class CardData:
    """The data objects of the card and its issuer security domain."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._card = system.nvm.scope("card")

    def get_data(self, command: Command) -> bytes:
        """One data object with tag and length. Raises Refuse: 6A86 for a data field, 6A88 for an unknown tag."""
        if command.data:
            raise Refuse(0x6A86)
        chip = self._system.config.chip
        match command.p1 << 8 | command.p2:
            case 0x9F7F:
                return tlv(0x9F7F, chip.encode()).encode()
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
        """IIN (42) and CIN (45) of the card, as BER-TLV or in DGI 0070, while the card is not SECURED.

        Raises Refuse: 6A86 wrong P1 or not a single last block, 6A80 malformed, 6A88 another object, 6985 card SECURED.
        """
        if command.p1 & 0x07 or command.p1 & 0x60 or not command.p1 & 0x80 or command.p2:
            raise Refuse(0x6A86)
        if self._system.state >= CardLifeCycle.SECURED:
            raise Refuse(0x6985)
        try:
            data = command.data
            if command.p1 & 0x18 == 0x08:
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
        return b""

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
