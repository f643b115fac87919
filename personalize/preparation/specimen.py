"""A specimen card of a profile, made with temporary keys, for the linter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from personalize.dossiers.dossier import Dossier
from personalize.keypool import ChipKey, sealed_key
from personalize.payment.image import Authorities
from personalize.preparation.preparer import Preparer
from personalize.profiles.fields import luhn_digit
from personalize.profiles.payment import PaymentApplication
from personalize.profiles.profile import Profile
from registry.person import Person
from registry.values import MemberToPrepare
from terminal.crypto import rsa
from terminal.crypto.rsa import RsaPublic
from terminal.keys import Algorithm, MemoryCustody, Purpose
from terminal.member.values import Sex

_CA_BITS, _ISSUER_BITS = 1984, 1408
_BY = "specimen"


def specimen(profile: Profile, today: date) -> tuple[Dossier, Authorities]:
    """A card of a made-up member, and the CA keys that go with it. Keys have the names that the profile gives them;
    issuer keys are as long as the chip keys require. Takes about a second.

    Raises PrepareError where the profile's data do not fit a card, CustodyError where two of its keys share a name.
    """
    custody = MemoryCustody(simulation=True)
    for name, purpose, algorithm, bits in dict.fromkeys(_wanted(profile)):
        custody.generate(name, purpose, algorithm, by=_BY, bits=bits)
    member, payment = profile.member, profile.payment
    card_number = profile.card_number.number(0)
    key = _chip_key(custody, member.icc_key_bits, member.icc_exponent)
    pan, payment_key = "", None
    if payment:
        body = payment.pan.prefix + "0" * payment.pan.serial_digits
        pan = body + luhn_digit(body)
        if payment.rsa and payment.chip_key:
            payment_key = _chip_key(custody, payment.chip_rsa.bits, payment.chip_rsa.exponent)
    dossier = Preparer(profile, custody, today=today).prepare(_sample_member(), card_number, key, pan, payment_key)
    return dossier, _authorities(custody, payment)


def _wanted(profile: Profile) -> Iterator[tuple[str, Purpose, Algorithm, int]]:
    trust, payment = profile.trust, profile.payment
    yield trust.ca_key, Purpose.SIGN_CA, Algorithm.RSA, _CA_BITS
    yield trust.issuer_key, Purpose.SIGN_ISSUER, Algorithm.RSA, max(_ISSUER_BITS, profile.member.icc_key_bits)
    yield "seal", Purpose.SEAL, Algorithm.AES256, 0
    yield "imk-read", Purpose.READ, Algorithm.AES128, 0
    for name, purpose in (("imk-ac", Purpose.AC), ("imk-smi", Purpose.SMI), ("imk-smc", Purpose.SMC)):
        yield name, purpose, Algorithm.TDES, 0
    if payment is None:
        return
    sets = [(payment.keys.tdes, Algorithm.TDES)] if payment.rsa else []
    sets += [(payment.keys.sm4, Algorithm.SM4)] if payment.sm else []
    for masters, algorithm in sets:
        for name, purpose in ((masters.ac, Purpose.AC), (masters.smi, Purpose.SMI), (masters.smc, Purpose.SMC)):
            yield name, purpose, algorithm, 0
    stripe = payment.stripe
    for rule in (stripe.cvv, stripe.icvv) if stripe else ():
        if rule:
            yield rule.key, Purpose.CVK, Algorithm.TDES, 0
    own = payment.trust
    if payment.authenticates and payment.rsa:
        yield own.ca_key, Purpose.SIGN_CA, Algorithm.RSA, _CA_BITS
        yield own.issuer_key, Purpose.SIGN_ISSUER, Algorithm.RSA, max(_ISSUER_BITS, payment.chip_rsa.bits)
    if payment.authenticates and payment.sm:
        yield own.sm_ca_key, Purpose.SIGN_CA, Algorithm.SM2, 0
        yield own.sm_issuer_key, Purpose.SIGN_ISSUER, Algorithm.SM2, 0


def _chip_key(custody: MemoryCustody, bits: int, exponent: int) -> ChipKey:
    return sealed_key(custody, custody.latest("seal"), rsa.generate(bits, exponent))


def _sample_member() -> MemberToPrepare:
    return MemberToPrepare(
        member_id=0,
        person=Person("110101190001010009", "样卡", Sex.MALE, "13000000000"),
        unit_name="样卡",
        unit_code="81110000MC0000001X",
        member_number="000000000000",
        category=0,
        card_number=None,
        sequence=1,
    )


def _authorities(custody: MemoryCustody, payment: PaymentApplication | None) -> Authorities:
    if payment is None or not payment.authenticates:
        return Authorities()
    rsa_key, sm_key = None, None
    if payment.rsa:
        info = custody.info(custody.latest(payment.trust.ca_key))
        rsa_key = RsaPublic(info.modulus, info.exponent) if info.modulus and info.exponent else None
    if payment.sm:
        sm_key = custody.info(custody.latest(payment.trust.sm_ca_key)).point
    return Authorities(rsa_key, sm_key)
