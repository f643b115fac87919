"""Data preparation of the member application: an approved member becomes its data groupings.

What goes where is docs/card-layout.md; certificates are EMV 4.4 Book 2, chapters 5 and 6.
"""

from __future__ import annotations

import secrets
from datetime import date

from personalize.certificates.rsa_certificates import icc_certificate, signed_static_data
from personalize.dossiers.dossier import MEMBER, DossierApplication, DossierPart
from personalize.encoding import inside, item, join, record, years_after
from personalize.errors import PrepareError
from personalize.keypool import CRT_DGIS, ChipKey
from personalize.profiles.profile import EntitlementSection
from personalize.protocols import CardToPrepare, PreparationRun
from registry.values import MemberToPrepare
from terminal.emv.data.bits import AIP
from terminal.emv.data.records import Afl, AflEntry
from terminal.emv.data.tags import (
    TAG_5F2D_LANGUAGES,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_8E_CVM_LIST,
    TAG_8F_CA_KEY_INDEX,
    TAG_9F4A_STATIC_TAG_LIST,
    TAG_9F4D_LOG_ENTRY,
    TAG_9F32_ISSUER_EXPONENT,
    TAG_9F38_PDOL,
    TAG_9F46_ICC_CERTIFICATE,
    TAG_9F47_ICC_EXPONENT,
    TAG_9F48_ICC_REMAINDER,
    TAG_9F49_DDOL,
    TAG_50_LABEL,
    TAG_82_AIP,
    TAG_90_ISSUER_CERTIFICATE,
    TAG_92_ISSUER_REMAINDER,
    TAG_93_SIGNED_STATIC_DATA,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.keys import Diversification, application_data
from terminal.member import elements
from terminal.member.values import Category, Entitlement, MaskedIdentity, Period
from terminal.secret import Secret
from terminal.tlv import tlv

_LOG = bytes((4, 10))
"""Log entry: SFI 4, ten records. EMV 4.4 Book 3, Annex D."""
VALIDITY, PROTECTED, READ_KEYS = 0x0102, 0x0501, 0x8030
"""DGIs of the record that scripts change, of the record that is read with the read keys, and of these keys."""


class MemberPreparer:
    """Prepares the member application for one profile on one day. Thread-safe when its custody is.

    Raises CustodyError when a key is missing, PrepareError when a member's data do not fit the card.
    """

    def __init__(self, run: PreparationRun) -> None:
        self.profile, self.today = run.profile, run.today
        self._custody = custody = run.custody
        self._chain = run.chains.member
        self._seal_key = custody.latest("seal")
        ac, smi, smc = (custody.latest(name) for name in ("imk-ac", "imk-smi", "imk-smc"))
        self._masters = (ac, smi, smc)
        self._read_master = custody.latest("imk-read")
        self._shared = {0x0103: record(self._lists())}
        self._shared |= {0x0301: record(self._entitlements()), 0x9102: self._fci()}
        self._shared[0x9104] = join((TAG_82_AIP, self._aip()), (TAG_94_AFL, self._afl()))

    @property
    def key_names(self) -> tuple[str, ...]:
        masters = (master.name for master in (*self._masters, self._read_master, self._seal_key))
        return (self.profile.trust.issuer_key, *masters)

    def applications(self, card: CardToPrepare) -> tuple[DossierApplication, ...]:
        layout, member, card_number, shared = self.profile.member, card.member, card.card_number, self._shared
        sequence, context = member.sequence, card.context
        signed = [record(self._identity(member, card_number)), shared[0x0103]]
        aip = self._aip()
        static = b"".join(inside(r) for r in signed) + aip  # as 9F4A requires
        keys = self._custody.application_keys(self._masters, card_number, sequence)
        read_keys = self._custody.card_keys(
            self._read_master,
            Diversification.KDF3,
            application_data(card_number, sequence),
            layout.read_key_version,
        )
        parts = [
            DossierPart(0x9102, shared[0x9102]),
            DossierPart(0x9104, shared[0x9104]),
            DossierPart(0x0101, signed[0]),
            DossierPart(VALIDITY, record(self._validity_record(member))),
            DossierPart(0x0103, signed[1]),
            *self._certificate_parts(card_number, card.key, static),
            DossierPart(0x0301, shared[0x0301]),
            DossierPart(0x9200, bytes.fromhex("0701") + bytes(6)),
            DossierPart(0x9000, b"".join(keys.kcvs)),
            DossierPart(0x9030, bytes((layout.read_key_version,)) + b"".join(read_keys.kcvs)),
        ]
        if layout.pin:
            parts.append(DossierPart(0x9010, bytes((layout.pin.tries, layout.pin.tries))))
            pin = self._custody.new_pin(layout.pin.digits, self._seal_key, f"{context}/8010")
            parts.append(DossierPart(0x8010, pin, padded=True))
        protected = self._custody.seal(self._seal_key, self._protected(member), f"{context}/0501")
        parts += [
            DossierPart(0x8000, keys),
            DossierPart(READ_KEYS, read_keys),
            DossierPart(PROTECTED, protected, padded=True),
            *(DossierPart(dgi, sealed, padded=True) for dgi, sealed in zip(CRT_DGIS, card.key.components, strict=True)),
        ]
        package, module, instance = map(bytes.fromhex, (layout.package_aid, layout.module_aid, layout.aid))
        return (DossierApplication(MEMBER, package, module, instance, tuple(parts)),)

    def _identity(self, member: MemberToPrepare, card_number: str) -> bytes:
        layout, validity = self.profile.member, self.profile.validity
        return join(
            item(elements.CARD_NUMBER, card_number),
            item(elements.SEQUENCE, member.sequence),
            item(elements.EXPIRY_DATE, years_after(self.today, validity.card_years)),
            item(elements.EFFECTIVE_DATE, self.today),
            item(elements.USAGE_CONTROL, bytes.fromhex(layout.usage_control)),
            item(elements.VERSION, bytes.fromhex(layout.version)),
            item(elements.MEMBER_NUMBER, member.member_number),
            item(elements.UNIT_CODE, member.unit_code),
            item(elements.UNIT_NAME, member.unit_name),
            item(elements.MEMBER_NAME, member.person.name),
            item(elements.SEX, member.person.sex),
            item(elements.SCHEME, self.profile.scheme),
            item(
                elements.MASKED_IDENTITY, MaskedIdentity(member.person.number_on_card[-4:], member.person.mobile[-4:])
            ),
        )

    def _validity_record(self, member: MemberToPrepare) -> bytes:
        """The elements that scripts of the office change. Only a card that needs activation has DF2D."""
        validity = self.profile.validity
        items = [
            item(elements.VALID_THROUGH, years_after(self.today, validity.membership_years)),
            item(elements.COVER_ENDS, years_after(self.today, validity.cover_years)),
            item(elements.CATEGORY, _category(member.category)),
        ]
        if self.profile.member.activation == "required":
            items.append(item(elements.ACTIVATED_ON, None))
        return join(*items)

    def _lists(self) -> bytes:
        layout = self.profile.member
        return join(
            (TAG_8C_CDOL1, bytes.fromhex(layout.cdol1)),
            (TAG_8D_CDOL2, bytes.fromhex(layout.cdol2)),
            (TAG_8E_CVM_LIST, bytes.fromhex(layout.cvm_list)),
            (TAG_9F49_DDOL, bytes.fromhex(layout.ddol)),
        )

    def _certificate_parts(self, card_number: str, key: ChipKey, static: bytes) -> list[DossierPart]:
        chain, layout = self._chain, self.profile.member

        def sign(message: bytes) -> bytes:
            return self._custody.sign(chain.issuer, message)

        icc = icc_certificate(
            sign,
            chain.issuer_size,
            key.modulus,
            key.exponent,
            pan=card_number,
            expires=chain.expires,
            serial=int.from_bytes(secrets.token_bytes(3), "big"),
            static=static,
        )
        chip = [
            (TAG_9F46_ICC_CERTIFICATE, icc.certificate),
            (TAG_9F47_ICC_EXPONENT, icc.exponent),
            (TAG_9F48_ICC_REMAINDER, icc.remainder),
        ]
        shared = [
            (TAG_8F_CA_KEY_INDEX, bytes.fromhex(self.profile.trust.ca_index)),
            (TAG_92_ISSUER_REMAINDER, chain.certificate.remainder),
            (TAG_9F32_ISSUER_EXPONENT, chain.certificate.exponent),
            (TAG_9F4A_STATIC_TAG_LIST, bytes((TAG_82_AIP,))),
        ]
        parts = [
            DossierPart(0x0201, record(join((TAG_90_ISSUER_CERTIFICATE, chain.certificate.certificate)))),
            DossierPart(0x0202, record(join(*chip))),
            DossierPart(0x0203, record(join(*((tag, value) for tag, value in shared if value)))),
        ]
        if layout.static_signature:
            signature = signed_static_data(sign, chain.issuer_size, static, authentication_code=b"\xda\xc0")
            parts.append(DossierPart(0x0204, record(join((TAG_93_SIGNED_STATIC_DATA, signature)))))
        return parts

    def _aip(self) -> bytes:
        layout = self.profile.member
        flags = AIP.DDA | AIP.CDA
        if layout.static_signature:
            flags |= AIP.SDA
        if layout.pin:
            flags |= AIP.CARDHOLDER_VERIFICATION
        return flags.encode()

    def _afl(self) -> bytes:
        certificates = 4 if self.profile.member.static_signature else 3
        identity = (AflEntry(1, 1, 1, 1), AflEntry(1, 2, 2, 0), AflEntry(1, 3, 3, 1))
        return Afl((*identity, AflEntry(2, 1, certificates, 0), AflEntry(3, 1, 1, 0))).encode()

    def _fci(self) -> bytes:
        layout = self.profile.member
        return tlv(
            TAG_A5_FCI_PROPRIETARY,
            [
                tlv(TAG_50_LABEL, layout.label.encode("ascii")),
                tlv(TAG_9F38_PDOL, bytes.fromhex(layout.pdol)),
                tlv(TAG_5F2D_LANGUAGES, layout.language.encode("ascii")),
                tlv(TAG_BF0C_FCI_DISCRETIONARY, [tlv(TAG_9F4D_LOG_ENTRY, _LOG)]),
            ],
        ).encode()

    def _entitlements(self) -> bytes:
        entitlements = tuple([_entitlement(entry, self.today) for entry in self.profile.member.entitlements])
        return join(item(elements.ENTITLEMENTS, entitlements))

    def _protected(self, member: MemberToPrepare) -> bytes:
        return record(
            join(
                item(elements.ID_NUMBER, Secret(member.person.number_on_card.encode("utf-8"))),
                item(elements.ID_TYPE, member.person.document_type),
                item(elements.MOBILE, Secret(member.person.mobile.encode("utf-8"))),
            )
        )


def _entitlement(entry: EntitlementSection, today: date) -> Entitlement:
    """An entitlement of which nothing is used, in the period that ``today`` is in, or in the first one before that."""
    start, period = entry.start or today, Period[entry.period.upper()]
    if entry.start is None and entry.period in ("month", "quarter", "year"):
        month = {"month": today.month, "quarter": (today.month - 1) // 3 * 3 + 1, "year": 1}[entry.period]
        start = today.replace(month=month, day=1)
    return Entitlement(entry.benefit_class, entry.limit, 0, period, start, entry.pin).on(today)


def _category(number: int) -> Category:
    try:
        return Category(number)
    except ValueError:
        raise PrepareError(f"member category {number} has no meaning") from None
