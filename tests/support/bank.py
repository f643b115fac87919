"""A bank for tests: payment profiles, prepared payment dossiers, and ways to break them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Self

from personalize.dossiers.dossier import DIRECTORY, PAYMENT, Dossier, DossierApplication, DossierPart
from personalize.keypool import ChipKey, sealed_key
from personalize.payment.image import Authorities
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from terminal.crypto.rsa import RsaPublic
from terminal.tlv import Tlv, Tlvs, decode, tlv
from tests.support import issuer, profiles

PAN = "6210971300000000016"
SM_PDOL = "9F1A029F3704DF6901"
ECASH = {"balance_limit": 100_000, "transaction_limit": 50_000, "reset_threshold": 1_000}
_CARD_DATA = (0x0D01, 0x0E01)
ECASH_PDOL = "9F7A019F02065F2A02DF6901"


def profile(**changes: Any) -> Profile:
    """The shipped profile with a payment application, changed: ``risk={"cumulative": 5}`` changes one field of it."""
    shipped = profiles.plain(profiles.BANK)
    data = shipped.model_dump()
    _merge(data["payment"], changes)
    return Profile.model_validate(data)


def _merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


@cache
def chip_key() -> ChipKey:
    custody = issuer.custody()
    return sealed_key(custody, custody.latest("seal"), issuer.chip_keys()[0])


def preparer(wanted: Profile | None = None) -> Preparer:
    return Preparer(wanted or profile(), issuer.custody(), today=issuer.TODAY)


def dossier(wanted: Profile | None = None, **member: object) -> Dossier:
    """A prepared dossier of one member with PAN."""
    wanted = wanted or profile()
    number = wanted.card_number.number(7)
    return preparer(wanted).prepare(issuer.member(**member), number, chip_key(), PAN, chip_key())


def authorities() -> Authorities:
    custody = issuer.custody()
    ca = custody.info(custody.latest("pay-ca"))
    assert ca.modulus
    assert ca.exponent
    return Authorities(RsaPublic(ca.modulus, ca.exponent), custody.info(custody.latest("pay-ca-sm2")).point)


@dataclass(frozen=True)
class Card:
    """A profile and a dossier of it; each method gives one with something changed."""

    profile: Profile
    dossier: Dossier

    @classmethod
    def of(cls, **changes: Any) -> Self:
        wanted = profile(**changes)
        return cls(wanted, dossier(wanted))

    @property
    def payment(self) -> DossierApplication:
        assert self.dossier.payment
        return self.dossier.payment

    def judged_by(self, **changes: Any) -> Self:
        """The same card under another profile."""
        return replace(self, profile=profile(**changes))

    def dgi(self, number: int, value: Any) -> Self:
        """A grouping with another value; None takes it out."""
        parts = [p for p in self.payment.parts if p.number != number]
        old = next((p for p in self.payment.parts if p.number == number), DossierPart(number, b""))
        return self._with(parts if value is None else [*parts, replace(old, value=value)])

    def twice(self, number: int) -> Self:
        return self._with([*self.payment.parts, *(p for p in self.payment.parts if p.number == number)])

    def fci(self, tag: int, value: bytes | None) -> Self:
        return self.dgi(0x9102, _changed(self.payment.plain(0x9102), tag, value))

    def stripe(self, track1: str | None = None, track2: str | None = None, track3: str | None = None) -> Self:
        """The same card with other tracks on its stripe."""
        pairs = zip(self.dossier.stripe, (track1, track2, track3), strict=True)
        one, two, three = (old if new is None else new for old, new in pairs)
        return replace(self, dossier=replace(self.dossier, stripe=(one, two, three)))

    def face(self, **texts: str) -> Self:
        return replace(self, dossier=replace(self.dossier, face=texts))

    def options(self, tag: int, change: Callable[[bytes], bytes], dgi: int = 0x9104) -> Self:
        items = decode(self.payment.plain(dgi))
        new = b"".join(tlv(i.tag, change(i.value) if i.tag == tag else i.value).encode() for i in items)
        return self.dgi(dgi, new)

    def data(self, tag: int, value: bytes | None) -> Self:
        dgi = next((at for at in _CARD_DATA if decode(self.payment.plain(at))[0].children.find(tag)), _CARD_DATA[0])
        return self.dgi(dgi, _changed(self.payment.plain(dgi), tag, value))

    def element(self, tag: int, value: bytes | None) -> Self:
        """An element of the record that has it."""
        for (sfi, number), record in self.payment.records().items():
            if decode(record)[0].children.find(tag) and sfi << 8 | number not in _CARD_DATA:
                return self.dgi(sfi << 8 | number, _changed(record, tag, value))
        raise KeyError(f"{tag:X}")

    def add(self, place: int, tag: int, value: bytes) -> Self:
        record = decode(self.payment.plain(place))[0]
        return self.dgi(place, tlv(record.tag, record.value + tlv(tag, value).encode()).encode())

    def directory(self, at: int, dgi: int, change: Callable[[bytes], bytes]) -> Self:
        one = self.dossier.directories[at]
        parts = tuple(
            replace(p, value=change(p.value)) if p.number == dgi and isinstance(p.value, bytes) else p
            for p in one.parts
        )
        others = list(self.dossier.directories)
        others[at] = replace(one, parts=parts)
        return replace(self, dossier=self.dossier.with_applications((DIRECTORY,), others))

    def _with(self, parts: list[DossierPart]) -> Self:
        payment = replace(self.payment, parts=tuple(parts))
        changed = self.dossier.with_applications((PAYMENT, DIRECTORY), (payment, *self.dossier.directories))
        return replace(self, dossier=changed)


def _changed(template: bytes, tag: int, value: bytes | None) -> bytes:
    """A template with an element changed, taken out (None) or added."""
    outer = decode(template)[0]
    items = [i for item in outer.children for i in _one(item, tag, value)]
    if value is not None and outer.children.find(tag) is None and not _deeper(outer.children, tag):
        items.append(tlv(tag, value))
    return tlv(outer.tag, items).encode()


def _deeper(items: Tlvs, tag: int) -> bool:
    return any(item.tag.constructed and item.children.find(tag) for item in items)


def _one(item: Tlv, tag: int, value: bytes | None) -> list[Tlv]:
    if item.tag == tag:
        return [] if value is None else [tlv(tag, value)]
    if item.tag.constructed and item.children.find(tag):
        return [tlv(item.tag, [i for child in item.children for i in _one(child, tag, value)])]
    return [item]
