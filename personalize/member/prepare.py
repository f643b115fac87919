"""Data preparation of the member application: an approved member becomes its data groupings.

What goes where is docs/card-layout.md; certificates are EMV 4.4 Book 2, chapters 5 and 6.
"""

from __future__ import annotations

import secrets
from datetime import date

from personalize.certificates.rsa_certificates import icc_certificate, signed_static_data
from personalize.dossiers.dossier import MEMBER, DossierApplication, DossierPart
from personalize.encoding import inside, join, record, years_after, yymmdd
from personalize.errors import PrepareError
from personalize.keypool import CRT_DGIS, ChipKey
from personalize.profiles.profile import EntitlementSection
from personalize.protocols import CardToPrepare, PreparationRun
from registry.values import MemberToPrepare
from terminal.keys import Diversification, application_data
from terminal.tlv import tlv

PROTECTED, READ_KEYS = 0x0501, 0x8030
"""DGIs of the record that is read with the read keys, and of these keys."""


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
        self._shared = {0x0102: record(self._validity_record()), 0x0103: record(self._lists())}
        self._shared |= {0x0301: record(join((0xDF28, self._entitlements()))), 0x9102: self._fci()}
        self._shared[0x9104] = join((0x82, self._aip()), (0x94, self._afl()))

    @property
    def key_names(self) -> tuple[str, ...]:
        masters = (master.name for master in (*self._masters, self._read_master, self._seal_key))
        return (self.profile.trust.issuer_key, *masters)

    def applications(self, card: CardToPrepare) -> tuple[DossierApplication, ...]:
        layout, member, card_number, shared = self.profile.member, card.member, card.card_number, self._shared
        sequence, context = member.sequence, card.context
        signed = [record(self._identity(member, card_number)), shared[0x0103]]
        aip = self._aip()
        static = b"".join(inside(r) for r in signed) + aip  # as 9F4A says
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
            DossierPart(0x0102, shared[0x0102]),
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
        expires = years_after(self.today, validity.card_years)
        return join(
            (0x5A, bytes.fromhex(card_number + "F" * (len(card_number) % 2))),
            (0x5F34, bytes.fromhex(f"{member.sequence:02d}")),
            (0x5F24, yymmdd(expires)),
            (0x5F25, yymmdd(self.today)),
            (0x9F07, bytes.fromhex(layout.usage_control)),
            (0x9F08, bytes.fromhex(layout.version)),
            (0xDF21, bytes.fromhex(member.member_number)),
            (0xDF22, member.unit_code.encode("ascii")),
            (0xDF23, _text(member.unit_name, "the unit name")),
            (0xDF24, _text(member.name, "the member's name")),
            (0xDF25, b"\x01" if member.gender == "男" else b"\x02"),
            (0xDF26, bytes((member.category,))),
            (0xDF2A, bytes.fromhex(self.profile.scheme)),
            (0xDF2B, (member.id_number[-4:] + member.mobile[-4:]).encode("ascii")),
        )

    def _validity_record(self) -> bytes:
        validity = self.profile.validity
        return join(
            (0xDF27, yymmdd(years_after(self.today, validity.membership_years))),
            (0xDF29, yymmdd(years_after(self.today, validity.cover_years))),
        )

    def _lists(self) -> bytes:
        layout = self.profile.member
        tags = ((0x8C, layout.cdol1), (0x8D, layout.cdol2), (0x8E, layout.cvm_list), (0x9F49, layout.ddol))
        return join(*((tag, bytes.fromhex(value)) for tag, value in tags))

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
        shared = [
            (0x8F, bytes.fromhex(self.profile.trust.ca_index)),
            (0x92, chain.certificate.remainder),
            (0x9F32, chain.certificate.exponent),
            (0x9F4A, b"\x82"),
        ]
        parts = [
            DossierPart(0x0201, record(join((0x90, chain.certificate.certificate)))),
            DossierPart(
                0x0202, record(join((0x9F46, icc.certificate), (0x9F47, icc.exponent), (0x9F48, icc.remainder)))
            ),
            DossierPart(0x0203, record(join(*(item for item in shared if item[1])))),
        ]
        if layout.static_signature:
            signature = signed_static_data(sign, chain.issuer_size, static, authentication_code=b"\xda\xc0")
            parts.append(DossierPart(0x0204, record(join((0x93, signature)))))
        return parts

    def _aip(self) -> bytes:
        """EMV 4.4 Book 3, C1: DDA 20, CDA 01, SDA 40, cardholder verification 10."""
        layout = self.profile.member
        return bytes((0x21 | (0x40 if layout.static_signature else 0) | (0x10 if layout.pin else 0), 0))

    def _afl(self) -> bytes:
        certificates = 4 if self.profile.member.static_signature else 3
        return bytes.fromhex(f"08010101 08020200 08030301 1001{certificates:02d}00 18010100")

    def _fci(self) -> bytes:
        layout = self.profile.member
        return tlv(
            0xA5,
            [
                tlv(0x50, layout.label.encode("ascii")),
                tlv(0x9F38, bytes.fromhex(layout.pdol)),
                tlv(0x5F2D, layout.language.encode("ascii")),
                tlv(0xBF0C, [tlv(0x9F4D, bytes.fromhex("040A"))]),
            ],
        ).encode()

    def _entitlements(self) -> bytes:
        return b"".join(_entitlement(e, self.today) for e in self.profile.member.entitlements)

    def _protected(self, member: MemberToPrepare) -> bytes:
        return record(
            join(
                (0x9F61, member.id_number.encode("ascii")),
                (0x9F62, b"\x00"),
                (0xDF2C, bytes.fromhex("0" + member.mobile)),
            )
        )


_PERIODS = {"day": 1, "month": 2, "quarter": 3, "year": 4}


def _entitlement(entry: EntitlementSection, today: date) -> bytes:
    start = today
    if entry.period != "day":
        month = {"month": today.month, "quarter": (today.month - 1) // 3 * 3 + 1, "year": 1}[entry.period]
        start = today.replace(month=month, day=1)
    return bytes.fromhex(entry.benefit_class) + bytes((entry.limit, 0, _PERIODS[entry.period])) + yymmdd(start)


def _text(text: str, what: str) -> bytes:
    encoded = text.encode("gb18030")
    if not 0 < len(encoded) <= 60:
        raise PrepareError(f"{what} takes {len(encoded)} bytes in GB 18030; 1 to 60 fit the card")
    return encoded
