"""Data preparation of the payment application: from PAN and person to the data groupings of EMV CPS.

What goes where is docs/card-layout.md. EMV 4.4 Books 2 and 3; EMV CPS 1.1; JR/T 0025 (PBOC 3.0).
"""

from __future__ import annotations

import calendar
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from personalize.certificates import sm_certificates
from personalize.certificates.chains import IssuingChains, RsaIssuingChain, SmIssuingChain
from personalize.certificates.rsa_certificates import icc_certificate, signed_static_data
from personalize.dossiers.dossier import PAYMENT, DossierApplication, DossierPart
from personalize.encoding import Item, inside, join, pack, record, years_after
from personalize.errors import PrepareError
from personalize.keypool import ChipKey
from personalize.payment import elements
from personalize.payment.verification import ICVV, verification_value
from personalize.profiles.payment import CRT_ORDER, MastersSection, PaymentApplication
from personalize.protocols import CardToPrepare, PreparationRun
from terminal.crypto import sm2
from terminal.emv.data.records import Afl, AflEntry
from terminal.emv.data.tags import (
    TAG_8F_CA_KEY_INDEX,
    TAG_9F10_IAD,
    TAG_9F32_ISSUER_EXPONENT,
    TAG_9F46_ICC_CERTIFICATE,
    TAG_9F47_ICC_EXPONENT,
    TAG_9F48_ICC_REMAINDER,
    TAG_9F74_ECASH_AUTHORIZATION_CODE,
    TAG_82_AIP,
    TAG_90_ISSUER_CERTIFICATE,
    TAG_92_ISSUER_REMAINDER,
    TAG_93_SIGNED_STATIC_DATA,
    TAG_94_AFL,
)
from terminal.keys import KeyCustody, KeyRef, Sealed
from terminal.member.values import IdType
from terminal.tlv import tlv

FCI, CONTACTLESS_FCI, ISSUER_DATA = 0x9102, 0x9103, 0x9200
CARD_DATA, INTERNAL_DATA = 0x0D01, 0x0E01
OPTIONS, ECASH_OPTIONS, CONTACTLESS_OPTIONS = 0x9104, 0x9203, 0x9207
SM = 2
"""Offset of the DGIs of processing options for SM2 on a card with both algorithms."""
KEYS, KEY_CHECKS, PIN, PIN_TRIES, CRT = 0x8000, 0x9000, 0x8010, 0x9010, 0x8201

_SCRIPT_MAC = 4
"""Default length of a script MAC in bytes."""
SHARED, RSA_FILE, SM_FILE, ECASH_FILE = 1, 2, 3, 4
"""SFIs: records of both algorithms, certificates of each, records of e-cash payments."""


@dataclass(frozen=True, slots=True)
class PaymentAccount:
    """Account and person of one card's payment application. ``sequence`` is the PAN sequence number, 5F34."""

    pan: str = field(repr=False)
    sequence: int
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    id_type: IdType = IdType.RESIDENT_ID


def expiry(profile: PaymentApplication, today: date) -> date:
    """The last day of the month in which the card ends: the same month is printed on the card and stands in track 2."""
    day = years_after(today, profile.validity_years)
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


class PaymentPreparer:
    """Prepares payment applications for one profile on one day. Thread-safe when ``custody`` is.

    Raises CustodyError when a key is missing, PrepareError when data do not fit the card.
    """

    def __init__(
        self,
        profile: PaymentApplication,
        custody: KeyCustody,
        *,
        today: date,
        chains: IssuingChains,
        chip_sm_key: Callable[[], sm2.Sm2Private] = sm2.generate,
    ) -> None:
        self._profile, self._custody, self._today = profile, custody, today
        self._chip_sm_key = chip_sm_key
        self._rsa, self._sm = chains.payment, chains.payment_sm
        self._seal_key = custody.latest("seal")
        self._expires, self._aip = expiry(profile, today), elements.aip(profile)
        self._icvv_rule = profile.stripe.icvv if profile.stripe else None
        self._shared = tuple(_shared(profile))
        self._tdes = self._masters(profile.keys.tdes) if profile.rsa else None
        self._sm4 = self._masters(profile.keys.sm4) if profile.sm else None

    @classmethod
    def for_run(cls, run: PreparationRun) -> PaymentPreparer | None:
        """The preparer of a run; None for a profile without payment application."""
        profile = run.profile.payment
        return cls(profile, run.custody, today=run.today, chains=run.chains) if profile else None

    @property
    def key_names(self) -> tuple[str, ...]:
        """Every key that preparation uses, for a worker's snapshot."""
        signers = [chain.issuer.name for chain in (self._rsa, self._sm) if chain]
        masters = [ref.name for refs in (self._tdes, self._sm4) if refs for ref in refs]
        verification = [self._icvv_rule.key] if self._icvv_rule else []
        return (*signers, *masters, *verification, self._seal_key.name)

    def applications(self, card: CardToPrepare) -> tuple[DossierApplication, ...]:
        if not card.pan:
            raise PrepareError("the payment application needs an account number, and none was given")
        member = card.member
        sequence = self._profile.pan.first_sequence + member.sequence - 1
        account = PaymentAccount(
            card.pan, sequence, member.person.name, member.person.number_on_card, member.person.document_type
        )
        return (self.prepare(account, card.payment_key, card.context),)

    def prepare(self, account: PaymentAccount, key: ChipKey | None, context: str) -> DossierApplication:
        """The application of one card. ``key``: the chip's RSA key, used for no other card; None where the profile
        asks for none. ``context`` is bound to every sealed value."""
        profile = self._profile
        expires, aip = self._expires, self._aip
        signed = pack(elements.signed(profile, account.pan, account.sequence, self._today, expires))
        static = b"".join(map(inside, signed)) + aip  # as 9F4A names it
        person = account.name, account.id_number, account.id_type
        unsigned = elements.unsigned(profile, account.pan, expires, *person, icvv=self._icvv(account))
        chains = self._authentication(account, key, static, context)
        records = _numbered(SHARED, signed)
        if profile.e_cash:
            records[ECASH_FILE, 1] = record(
                join(elements.item(TAG_9F74_ECASH_AUTHORIZATION_CODE, profile.e_cash.authorization_code))
            )
        parts: list[DossierPart] = [*self._shared]
        if len(chains) != 1:
            records |= _numbered(SHARED, pack(unsigned), after=len(signed))
        secrets_: list[DossierPart] = []
        for offset, file, items, key_parts in chains:
            own = pack([*items, *unsigned] if len(chains) == 1 else items)
            records |= _numbered(file, own)
            parts += self._options(offset, records, {SHARED, file}, len(signed))
            secrets_ += key_parts
        if not chains:
            parts += self._options(0, records, {SHARED}, 0)
        parts += [DossierPart(sfi << 8 | number, whole) for (sfi, number), whole in records.items()]
        parts += [*self._keys(account), *self._pin(context), *secrets_]
        package, module, instance = map(bytes.fromhex, (profile.package_aid, profile.module_aid, profile.aid))
        return DossierApplication(PAYMENT, package, module, instance, tuple(parts))

    def _icvv(self, account: PaymentAccount) -> str:
        """The chip's verification value; empty where the profile has none."""
        rule = self._icvv_rule
        return verification_value(self._custody, rule, account.pan, self._expires, ICVV) if rule else ""

    def _authentication(
        self, account: PaymentAccount, key: ChipKey | None, static: bytes, context: str
    ) -> list[tuple[int, int, list[Item], list[DossierPart]]]:
        """For each algorithm: offset of its options' DGIs, file of its certificates, elements in that file, secret
        DGIs."""
        if not self._profile.authenticates:
            return []
        algorithms = []
        if self._rsa:
            algorithms.append((0, RSA_FILE, *self._with_rsa(self._rsa, account, key, static)))
        if self._sm:
            algorithms.append((SM if self._rsa else 0, SM_FILE, *self._with_sm(self._sm, account, static, context)))
        return algorithms

    def _options(
        self, offset: int, records: dict[tuple[int, int], bytes], files: set[int], signed: int
    ) -> list[DossierPart]:
        """Processing options: for debit; for e-cash, whose AFL names 9F74 too; for contactless, with 9F10."""
        usual = _located(self._aip, records, files, signed)
        parts = [DossierPart(OPTIONS + offset, usual)]
        if self._profile.e_cash:
            parts.append(
                DossierPart(ECASH_OPTIONS + offset, _located(self._aip, records, files | {ECASH_FILE}, signed))
            )
        if self._profile.q_pboc:
            parts.append(DossierPart(CONTACTLESS_OPTIONS + offset, usual + _issuer_data(self._profile)))
        return parts

    def _with_rsa(
        self, chain: RsaIssuingChain, account: PaymentAccount, key: ChipKey | None, static: bytes
    ) -> tuple[list[Item], list[DossierPart]]:
        profile = self._profile
        certificate = chain.certificate
        items = [
            (TAG_8F_CA_KEY_INDEX, bytes.fromhex(profile.trust.ca_index)),
            (TAG_90_ISSUER_CERTIFICATE, certificate.certificate),
            (TAG_92_ISSUER_REMAINDER, certificate.remainder),
            (TAG_9F32_ISSUER_EXPONENT, certificate.exponent),
        ]
        parts = []

        def sign(message: bytes) -> bytes:
            return self._custody.sign(chain.issuer, message)

        if profile.authentication.static:
            code = bytes.fromhex(profile.authentication.data_code)
            items.append(
                (
                    TAG_93_SIGNED_STATIC_DATA,
                    signed_static_data(sign, chain.issuer_size, static, authentication_code=code),
                )
            )
        if profile.chip_key:
            if key is None:
                raise PrepareError("the payment application needs an RSA chip key, and none was given")
            icc = icc_certificate(
                sign,
                chain.issuer_size,
                key.modulus,
                key.exponent,
                pan=account.pan,
                expires=chain.expires,
                serial=_serial(),
                static=static,
            )
            items += [
                (TAG_9F46_ICC_CERTIFICATE, icc.certificate),
                (TAG_9F47_ICC_EXPONENT, icc.exponent),
                (TAG_9F48_ICC_REMAINDER, icc.remainder),
            ]
            by_name = dict(zip(CRT_ORDER, key.components, strict=True))
            parts = [
                DossierPart(CRT + at, by_name[name], padded=True) for at, name in enumerate(profile.chip_rsa.crt_order)
            ]
        return [item for item in items if item[1]], parts

    def _with_sm(
        self, chain: SmIssuingChain, account: PaymentAccount, static: bytes, context: str
    ) -> tuple[list[Item], list[DossierPart]]:
        profile = self._profile
        items = [
            (TAG_8F_CA_KEY_INDEX, bytes.fromhex(profile.trust.sm_ca_index)),
            (TAG_90_ISSUER_CERTIFICATE, chain.certificate),
        ]
        parts = []

        def sign(message: bytes) -> bytes:
            return self._custody.sign_sm2(chain.issuer, message)

        if profile.authentication.static:
            code = bytes.fromhex(profile.authentication.data_code)
            items.append(
                (TAG_93_SIGNED_STATIC_DATA, sm_certificates.signed_static_data(sign, static, authentication_code=code))
            )
        if profile.chip_key:
            key = self._chip_sm_key()
            dgi = int(profile.authentication.sm_key_dgi, 16)
            icc = sm_certificates.icc_certificate(
                sign, key.public, pan=account.pan, expires=chain.expires, serial=_serial(), static=static
            )
            items.append((TAG_9F46_ICC_CERTIFICATE, icc))
            parts.append(DossierPart(dgi, self._sealed(key.encode(), f"{context}/payment/{dgi:04X}"), padded=True))
        return items, parts

    def _keys(self, account: PaymentAccount) -> list[DossierPart]:
        """The symmetric keys and their check values. EMV CPS 1.1, annex A."""
        keys = self._profile.keys
        sm4, sm4_checks = int(keys.sm4_dgi, 16), int(keys.sm4_check_dgi, 16)
        parts = []
        # Option B is defined with SHA-1 for 3DES keys alone.
        for masters, option, secret, checks in (
            (self._tdes, keys.option, KEYS, KEY_CHECKS),
            (self._sm4, None, sm4, sm4_checks),
        ):
            if masters is not None:
                derived = self._custody.application_keys(masters, account.pan, account.sequence, option=option)
                parts += [DossierPart(checks, b"".join(derived.kcvs)), DossierPart(secret, derived)]
        return parts

    def _pin(self, context: str) -> list[DossierPart]:
        """The offline PIN, drawn and sealed by custody, and its tries."""
        rule = self._profile.pin
        if rule is None:
            return []
        sealed = self._custody.new_pin(rule.digits, self._seal_key, f"{context}/payment/8010")
        return [DossierPart(PIN_TRIES, bytes((rule.tries, rule.tries))), DossierPart(PIN, sealed, padded=True)]

    def _sealed(self, data: bytes, context: str) -> Sealed:
        return self._custody.seal(self._seal_key, data, context)

    def _masters(self, names: MastersSection) -> tuple[KeyRef, KeyRef, KeyRef]:
        latest = self._custody.latest
        return latest(names.ac), latest(names.smi), latest(names.smc)


def _numbered(sfi: int, records: list[bytes], after: int = 0) -> dict[tuple[int, int], bytes]:
    return {(sfi, number): record for number, record in enumerate(records, after + 1)}


def _shared(profile: PaymentApplication) -> Iterator[DossierPart]:
    """The data groupings that are the same on every card of the profile."""
    yield DossierPart(FCI, elements.fci(profile, profile.pdol))
    if profile.q_pboc:
        yield DossierPart(CONTACTLESS_FCI, elements.fci(profile, profile.q_pboc.pdol))
    yield DossierPart(CARD_DATA, elements.card_data(profile))
    yield DossierPart(INTERNAL_DATA, elements.internal_data(profile))
    yield DossierPart(ISSUER_DATA, _issuer_data(profile))
    version_known = elements.version_in(elements.issuer_data(profile)) == elements.VERSIONS[profile.cryptogram]
    if not version_known or (profile.sm and profile.sm4_fold == "left") or profile.script_mac != _SCRIPT_MAC:
        yield DossierPart(int(profile.keys.scheme_dgi, 16), elements.scheme(profile))


def _issuer_data(profile: PaymentApplication) -> bytes:
    """9F10 as a data object, as banks' personalization data have it in 9200 and 9207."""
    return tlv(TAG_9F10_IAD, elements.issuer_data(profile)).encode()


def _located(aip: bytes, records: dict[tuple[int, int], bytes], files: set[int], signed: int) -> bytes:
    """82 and 94: every record of these files. EMV 4.4 Book 3, 6.5.8 and 10.2."""
    last = {sfi: max(number for at, number in records if at == sfi) for sfi in files}
    entries = [AflEntry(sfi, 1, last[sfi], signed if sfi == SHARED else 0) for sfi in sorted(last)]
    return tlv(TAG_82_AIP, aip).encode() + tlv(TAG_94_AFL, Afl(tuple(entries)).encode()).encode()


def _serial() -> int:
    return int.from_bytes(secrets.token_bytes(3), "big")
