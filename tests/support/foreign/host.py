"""yubikit as a GlobalPlatform host over any transport, and a personalization by hand with it: the card's half meets a
host that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from terminal.apdu import Transport
from terminal.tlv import dgi
from tests.support.cards.member_specimen import MEMBER_AID, Specimen

ISD_AID = bytes.fromhex("A000000151000000")
TEST_KEYS = StaticKeys.default()
MEMBER_PACKAGE = bytes.fromhex("F04D454D424552")
BLOCK = 223
"""The most plain data whose wrapped form still fits a short command: padded to 224, and 8 of MAC."""


class OverTransport(SmartCardConnection):
    """yubikit's connection over one of ours. T=0 as PC/SC hosts do it: no Le behind data, and 6Cxx asked again."""

    def __init__(self, transport: Transport) -> None:
        self._card = transport

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self._card.exchange(apdu)
        if answer[-2] == 0x6C:
            answer = self._card.exchange(apdu[:4] + answer[-1:])
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self._card.close()


def open_domain(transport: Transport) -> SmartCardProtocol:
    """Select the security domain and open SCP03 at the full level."""
    return open_domain_over(OverTransport(transport))


def open_domain_over(connection: SmartCardConnection) -> SmartCardProtocol:
    host = SmartCardProtocol(connection)
    host.select(ISD_AID)
    host.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), TEST_KEYS))
    return host


def lv(value: bytes) -> bytes:
    return bytes((len(value),)) + value


def install(host: SmartCardProtocol, package: bytes, module: bytes, instance: bytes) -> None:
    fields = (package, module, instance, b"\x00", b"\xc9\x00", b"")
    host.send_apdu(0x80, 0xE6, 0x0C, 0x00, b"".join(map(lv, fields)))


def blocks(groups: Iterable[tuple[int, bytes]], secret: frozenset[int]) -> list[tuple[bool, bytes]]:
    """STORE DATA blocks: runs of plain and secret groupings, each run cut at BLOCK bytes; secret values encrypted under
    the DEK (AES-CBC, zero IV)."""
    runs: list[tuple[bool, bytes]] = []
    for number, value in groups:
        hidden = number in secret
        encoded = dgi.encode([(number, _encrypt(value) if hidden else value)])
        if runs and runs[-1][0] == hidden:
            runs[-1] = (hidden, runs[-1][1] + encoded)
        else:
            runs.append((hidden, encoded))
    return [(hidden, run[at : at + BLOCK]) for hidden, run in runs for at in range(0, len(run), BLOCK)]


def _encrypt(value: bytes) -> bytes:
    value += b"" if len(value) % 16 == 0 else bytes(16 - len(value) % 16)
    encryptor = Cipher(algorithms.AES(TEST_KEYS.key_dek or b""), modes.CBC(bytes(16))).encryptor()
    return encryptor.update(value)


def store(host: SmartCardProtocol, aid: bytes, specimen: Specimen) -> None:
    """INSTALL [for personalization], then all groupings."""
    host.send_apdu(0x80, 0xE6, 0x20, 0x00, b"\x00\x00" + lv(aid) + b"\x00\x00\x00")
    todo = blocks(specimen.groups.items(), specimen.secret)
    for number, (hidden, block) in enumerate(todo):
        p1 = (0x80 if number == len(todo) - 1 else 0) | (0x60 if hidden else 0) | 0x08
        host.send_apdu(0x80, 0xE2, p1, number & 0xFF, block)


def issue(transport: Transport, specimen: Specimen) -> None:
    """A blank card becomes a personalized, secured member card."""
    issue_over(OverTransport(transport), specimen)


def issue_over(connection: SmartCardConnection, specimen: Specimen) -> None:
    host = open_domain_over(connection)
    install(host, MEMBER_PACKAGE, MEMBER_AID, MEMBER_AID)
    store(host, MEMBER_AID, specimen)
    for state in (0x07, 0x0F):
        host.send_apdu(0x80, 0xF0, 0x80, state)
