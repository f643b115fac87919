"""A bank and a personalization bureau that share a transport key, and prepared cards between them."""

from __future__ import annotations

from datetime import UTC, datetime

from personalize.dossiers.dossier import DIRECTORY, PAYMENT, DossierApplication, DossierPart
from personalize.payment.bankfile import BankFileExchange, FileHead, PreparedCard
from terminal.keys import Algorithm, MemoryCustody, Purpose
from terminal.secret import Secret
from terminal.tlv import tlv

ZMK = Secret(bytes.fromhex("0123456789ABCDEF7766554433221100"))
HEAD = FileHead("FIRST BANK", 7, datetime(2026, 11, 22, 10, 30, tzinfo=UTC))
PAN = "6217001234567890"
AID = bytes.fromhex("A000000333010101")
_MASTERS = {Purpose.AC: "pay-ac", Purpose.SMI: "pay-smi", Purpose.SMC: "pay-smc"}


def party(transport: Algorithm = Algorithm.TDES, zmk: Secret = ZMK) -> BankFileExchange:
    """One side: keys of its own, and the shared transport key."""
    custody = MemoryCustody(simulation=True)
    seal = custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test").ref
    key = custody.import_key("zmk", Purpose.TRANSPORT, transport, zmk, by="test").ref
    for purpose, name in _MASTERS.items():
        custody.generate(name, purpose, Algorithm.TDES, by="test")
        custody.generate(f"{name}-sm4", purpose, Algorithm.SM4, by="test")
    return BankFileExchange(custody, key, seal)


def record(*items: tuple[int, bytes]) -> bytes:
    return tlv(0x70, [tlv(tag, value) for tag, value in items]).encode()


def identity(pan: str = PAN, sequence: int = 1) -> bytes:
    return record((0x5A, bytes.fromhex(pan + "F" * (len(pan) % 2))), (0x5F34, bytes.fromhex(f"{sequence:02d}")))


def card(
    side: BankFileExchange, reference: str = "9156130000000001234", pan: str = PAN, sequence: int = 1
) -> PreparedCard:
    """A card as the side prepares it: plain records, keys of both ciphers, a sealed PIN block, a directory."""
    custody = side.custody
    refs = [tuple(custody.latest(f"{name}{tail}") for name in _MASTERS.values()) for tail in ("", "-sm4")]
    keys, sm4 = (custody.application_keys((ac, smi, smc), pan, sequence) for ac, smi, smc in refs)
    pin = custody.seal(side.seal, bytes.fromhex("241234FFFFFFFFFF"), "pin")
    payment = DossierApplication(
        PAYMENT,
        bytes.fromhex("A00000033301"),
        AID,
        AID,
        (
            DossierPart(0x9102, tlv(0xA5, [tlv(0x50, b"UNIONPAY DEBIT")]).encode()),
            DossierPart(0x0101, identity(pan, sequence)),
            DossierPart(0x0D01, bytes(3)),
            DossierPart(0x9000, b"".join(keys.kcvs)),
            DossierPart(0x8000, keys),
            DossierPart(0x8020, sm4),
            DossierPart(0x8010, pin, padded=True),
        ),
    )
    directory = DossierApplication(
        DIRECTORY, b"1PAY.", b"1PAY.\x01", b"1PAY.SYS.DDF01", (DossierPart(0x9102, b"\xa5\x00"),)
    )
    return PreparedCard(reference, pan, sequence, payment, (directory,))
