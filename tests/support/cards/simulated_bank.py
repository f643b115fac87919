"""A test bank and a card of it, played by pyemv."""

from __future__ import annotations

from datetime import date

import psec
import pyemv

from simulators.cryptograms.algorithms import IssuerMasters
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.accounts import BankAccount, BankAccounts, OpeningRule
from simulators.issuer.host import IssuerHost, IssuerKeys, IssuerResponse
from terminal.secret import Secret
from terminal.tlv import Tlvs, decode
from tests.support.cards.issuer_requests import AC, IAD, PAN, SMC, SMI, message, purchase

TODAY = date(2026, 11, 22)
PEK, PEK_AES = bytes(range(16)), bytes(range(32))
KEYS = IssuerKeys({Cipher.TDES: IssuerMasters(Secret(AC), Secret(SMI), Secret(SMC), "A")}, Secret(PEK), Secret(PEK_AES))


class Card:
    """A Visa card of version 10 or 18 by pyemv."""

    def __init__(self, name: str = "cvn10", pan: str = PAN) -> None:
        make = {"cvn10": pyemv.cvn.VisaCVN10, "cvn18": pyemv.cvn.VisaCVN18}[name]
        self.name, self.pan = name, pan
        self.keys = make(AC, SMI, SMC, pan, "01")

    def cryptogram(self, values: dict[int, bytes]) -> bytes:
        fields = {f"tag_{tag:02x}": value for tag, value in values.items() if tag not in (0x9F10, 0x9F27)}
        iad = values[0x9F10]
        own = {"cvr": iad[3:7]} if self.name == "cvn10" else {"tag_9f10": iad}
        return bytes(self.keys.generate_ac(**fields, **own))

    def says(self, atc: int = 1, amount: int = 1234, kind: int = 0x80, **more: bytes) -> bytes:
        values = purchase(IAD[self.name], atc, amount, kind)
        for tag in [int(name[1:], 16) for name in more]:
            if tag in values:
                values[tag] = more.pop(f"t{tag:02x}")
        return message(values, self.cryptogram(values), self.pan, **more)

    def arqc(self, atc: int = 1, amount: int = 1234) -> bytes:
        return self.cryptogram(purchase(IAD[self.name], atc, amount))


def account(**changes: object) -> BankAccount:
    opened = BankAccount(PAN, 1, date(2031, 12, 31), balance=10_000, limit=5_000, pin=Secret(b"271828"))
    for name, value in changes.items():
        setattr(opened, name, value)
    return opened


def bank(*accounts: BankAccount, opening: OpeningRule | None = None, keys: IssuerKeys = KEYS) -> IssuerHost:
    return IssuerHost(keys, BankAccounts(accounts, opening), today=lambda: TODAY)


def objects(answer: IssuerResponse) -> Tlvs:
    return decode(answer.data, padding="reject")


def pin_block(pin: str, form: int, pan: str = PAN) -> bytes:
    if form == 4:
        return bytes(psec.pinblock.encipher_pinblock_iso_4(PEK_AES, pin, pan))
    encode = {0: psec.pinblock.encode_pinblock_iso_0, 3: psec.pinblock.encode_pinblock_iso_3}[form]
    return bytes(psec.des.encrypt_tdes_ecb(PEK, encode(pin, pan)))
