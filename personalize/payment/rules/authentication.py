"""Rules for offline data authentication: the methods in the AIP must have their data on the card, and these must
verify."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date

from personalize.payment.image import CardImage, ImageOptions
from personalize.payment.prepare import CRT
from personalize.payment.rules.data import day, pan_of
from personalize.payment.rules.rule import Rule
from personalize.profiles.payment import CRT_ORDER
from terminal.crypto import sm2
from terminal.emv.authentication import rsa as oda
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F24_EXPIRATION_DATE,
    TAG_5F25_EFFECTIVE_DATE,
    TAG_5F28_ISSUER_COUNTRY,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8E_CVM_LIST,
    TAG_8F_CA_KEY_INDEX,
    TAG_9F0D_IAC_DEFAULT,
    TAG_9F0E_IAC_DENIAL,
    TAG_9F0F_IAC_ONLINE,
    TAG_9F07_USAGE_CONTROL,
    TAG_9F4A_STATIC_TAG_LIST,
    TAG_9F32_ISSUER_EXPONENT,
    TAG_9F46_ICC_CERTIFICATE,
    TAG_9F47_ICC_EXPONENT,
    TAG_9F48_ICC_REMAINDER,
    TAG_90_ISSUER_CERTIFICATE,
    TAG_92_ISSUER_REMAINDER,
    TAG_93_SIGNED_STATIC_DATA,
)
from terminal.errors import CryptoError
from terminal.keys import Sealed

_SDA, _DDA, _CDA = 0x40, 0x20, 0x01
_ISSUER = {TAG_8F_CA_KEY_INDEX: "CA key index", TAG_90_ISSUER_CERTIFICATE: "issuer certificate"}
_ISSUER_RSA = {TAG_9F32_ISSUER_EXPONENT: "issuer exponent"}
_CHIP, _CHIP_RSA = {TAG_9F46_ICC_CERTIFICATE: "ICC certificate"}, {TAG_9F47_ICC_EXPONENT: "ICC exponent"}
_LAST_EMV_SFI = 10
_STATIC = {TAG_93_SIGNED_STATIC_DATA: "signed static data"}
_COVERED = {
    TAG_5A_PAN: "5A",
    TAG_5F24_EXPIRATION_DATE: "5F24",
    TAG_5F34_PAN_SEQUENCE: "5F34",
    TAG_9F07_USAGE_CONTROL: "9F07",
    TAG_8E_CVM_LIST: "8E",
    TAG_5F28_ISSUER_COUNTRY: "5F28",
} | {
    tag: f"{tag:04X}"
    for tag in (TAG_9F0D_IAC_DEFAULT, TAG_9F0E_IAC_DENIAL, TAG_9F0F_IAC_ONLINE, TAG_5F25_EFFECTIVE_DATE)
}
_CDA_BYTES = 205
_EXPONENTS = (3, 65537)
_SEAL = 28
"""Nonce and tag of sealed bytes."""


def _data(image: CardImage) -> Iterator[str]:
    for options in image.options:
        wanted: dict[int, str] = {}
        if options.first & (_SDA | _DDA | _CDA):
            wanted |= _ISSUER | ({} if options.sm else _ISSUER_RSA)
        if options.first & (_DDA | _CDA):
            wanted |= _CHIP | ({} if options.sm else _CHIP_RSA)
        if options.first & _SDA:
            wanted |= _STATIC
        known = image.elements(options)
        for tag, name in wanted.items():
            if tag not in known and _readable(image, options):
                yield f"the AIP of DGI {options.dgi:04X} promises what needs the {name} ({tag:02X})"


def _readable(image: CardImage, options: ImageOptions) -> bool:
    return options.afl is not None and all(place in image.records for place, _ in options.places())


def _tag_list(image: CardImage) -> Iterator[str]:
    value = image.value(TAG_9F4A_STATIC_TAG_LIST)
    if value is not None and value != b"\x82":
        yield "the static data tag list (9F4A) names more than the AIP"


def _covered(image: CardImage) -> Iterator[str]:
    for options in image.options:
        if not options.first & (_SDA | _DDA | _CDA) or not _readable(image, options):
            continue
        signed = {int(item.tag) for place, s in options.places() if s for item in image.content(place)}
        for tag, name in _COVERED.items():
            if tag not in signed and tag in image.elements(options):
                yield f"{name} is not among the signed records that DGI {options.dgi:04X} names"


def _static(image: CardImage, options: ImageOptions) -> bytes:
    """The static data to be authenticated: of SFI 1 to 10 what is inside the template, of 11 to 30 the whole record.
    EMV 4.4 Book 3, 10.3."""
    contents = [
        image.content(place).encode() if place[0] <= _LAST_EMV_SFI else image.records.get(place, b"")
        for place, signed in options.places()
        if signed
    ]
    return b"".join(contents) + (options.aip if image.elements(options).get(TAG_9F4A_STATIC_TAG_LIST) else b"")


def _expiries(image: CardImage, options: ImageOptions) -> tuple[str, list[tuple[str, date]]]:
    """The first fault of the chain (empty where all verifies), and the end of each certificate."""
    if options.sm:
        return _sm_chain(image, options)
    return _rsa_chain(image, options)


def _rsa_chain(image: CardImage, options: ImageOptions) -> tuple[str, list[tuple[str, date]]]:
    authority, pan, known = image.authorities.rsa, pan_of(image), image.elements(options)
    if (
        authority is None
        or pan is None
        or any(tag not in known for tag in (TAG_90_ISSUER_CERTIFICATE, TAG_9F32_ISSUER_EXPONENT))
    ):
        return "", []
    ends = []
    try:
        issuer = oda.issuer_key(
            authority,
            known[TAG_90_ISSUER_CERTIFICATE],
            remainder=known.get(TAG_92_ISSUER_REMAINDER, b""),
            exponent=known[TAG_9F32_ISSUER_EXPONENT],
            pan=pan,
        )
        ends.append(("issuer", issuer.expires))
        static = _static(image, options)
        if TAG_93_SIGNED_STATIC_DATA in known:
            oda.static_signature(issuer.key, known[TAG_93_SIGNED_STATIC_DATA], static=static)
        if TAG_9F46_ICC_CERTIFICATE in known and TAG_9F47_ICC_EXPONENT in known:
            remainder, exponent = known.get(TAG_9F48_ICC_REMAINDER, b""), known[TAG_9F47_ICC_EXPONENT]
            icc = oda.icc_key(
                issuer.key,
                known[TAG_9F46_ICC_CERTIFICATE],
                remainder=remainder,
                exponent=exponent,
                pan=pan,
                static=static,
            )
            ends.append(("ICC", icc.expires))
    except oda.OdaFailed as fault:
        return str(fault), ends
    return "", ends


def _sm_chain(image: CardImage, options: ImageOptions) -> tuple[str, list[tuple[str, date]]]:
    """JR/T 0025.17: plain certificates of 142 and 148 bytes with the signature at the end."""
    known, static = image.elements(options), _static(image, options)
    issuer, icc = known.get(TAG_90_ISSUER_CERTIFICATE, b""), known.get(TAG_9F46_ICC_CERTIFICATE)
    if len(issuer) != 142 or (icc is not None and len(icc) != 148):
        return "a certificate is not 142 bytes (90) or 148 (9F46)", []
    ends = [("issuer", _month(issuer[5:7]))] + ([("ICC", _month(icc[11:13]))] if icc else [])
    public = issuer[14:78]
    signatures = [("issuer certificate", image.authorities.sm, issuer[:-64], issuer[-64:])]
    if icc is not None:
        signatures.append(("ICC certificate", public, icc[:-64] + static, icc[-64:]))
    if (signed := known.get(TAG_93_SIGNED_STATIC_DATA)) is not None:
        signatures.append(("signed static data", public, signed[:-64] + static, signed[-64:]))
    for what, key, message, signature in signatures:
        try:
            if key is not None and not sm2.verify(key, message, signature):
                return f"{what}: signature failed", _days(ends)
        except CryptoError:
            return f"{what}: the signer's key is no point of the curve", _days(ends)
    return "", _days(ends)


def _days(ends: list[tuple[str, date | None]]) -> list[tuple[str, date]]:
    return [(name, end) for name, end in ends if end is not None]


def _month(value: bytes) -> date | None:
    """The last day of MMYY; None for an invalid month."""
    first = day(value[1:] + value[:1] + b"\x01")
    return first and first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _genuine(image: CardImage) -> Iterator[str]:
    for options in image.options:
        fault, _ = _expiries(image, options) if options.first & (_SDA | _DDA | _CDA) else ("", [])
        if fault:
            yield f"the chain that DGI {options.dgi:04X} names does not verify: {fault}"


def _outlives(image: CardImage) -> Iterator[str]:
    expires = day(image.value(TAG_5F24_EXPIRATION_DATE))
    for options in image.options:
        _, ends = _expiries(image, options) if options.first & (_SDA | _DDA | _CDA) else ("", [])
        for name, end in ends:
            if expires and expires > end:
                yield f"the {name} certificate ends in {end:%m/%Y}, before the card (5F24)"


def _certified_years(image: CardImage) -> Iterator[str]:
    profile = image.profile
    if profile.authenticates and profile.trust.certificate_years < profile.validity_years:
        yield (
            f"certificates of {profile.trust.certificate_years} years end before cards of "
            f"{profile.validity_years} years"
        )


def _exponents(image: CardImage) -> Iterator[str]:
    for tag, name in ((TAG_9F32_ISSUER_EXPONENT, "issuer"), (TAG_9F47_ICC_EXPONENT, "ICC")):
        value = image.value(tag)
        if value is not None and int.from_bytes(value, "big") not in _EXPONENTS:
            yield f"the {name} public key exponent ({tag:04X}) is neither 3 nor 65537"


def _key_lengths(image: CardImage) -> Iterator[str]:
    """A certificate is as long as the key that signed it."""
    for options in image.options:
        known = image.elements(options)
        issuer, icc = len(known.get(TAG_90_ISSUER_CERTIFICATE, b"")), len(known.get(TAG_9F46_ICC_CERTIFICATE, b""))
        if not options.sm and issuer and icc > issuer:
            yield f"the issuer key behind DGI {options.dgi:04X} is longer than the CA key that certifies it"
        elif not options.sm and icc and image.profile.chip_rsa.bits // 8 > icc:
            yield f"the chip key is longer than the issuer key that certifies it in DGI {options.dgi:04X}"


def _chip_rsa(image: CardImage) -> Iterator[str]:
    wanted = any(options.first & (_DDA | _CDA) and not options.sm for options in image.options)
    parts = [image.part(CRT + at) for at in range(len(CRT_ORDER))]
    there = [part for part in parts if part]
    if wanted and len(there) < len(parts):
        yield f"{len(parts) - len(there)} of the chip key's five components (8201 to 8205) are missing"
    elif there and not wanted:
        yield "there is an RSA chip key (8201 to 8205), but the AIP promises neither DDA nor CDA"
    sizes = {len(part.value.blob) - _SEAL for part in there if isinstance(part.value, Sealed)}
    if len(sizes) > 1 or (sizes and sizes != {image.profile.chip_rsa.bits // 16}):
        yield "the components of the chip key (8201 to 8205) are not each half as long as the modulus"


def _chip_sm(image: CardImage) -> Iterator[str]:
    wanted = any(options.first & (_DDA | _CDA) and options.sm for options in image.options)
    dgi = image.profile.authentication.sm_key_dgi
    part = image.part(int(dgi, 16))
    if wanted and part is None:
        yield f"the card promises to sign with SM2, but has no SM2 key ({dgi})"
    elif part and isinstance(part.value, Sealed) and len(part.value.blob) - _SEAL != sm2.PRIVATE:
        yield f"the SM2 key ({dgi}) is not {sm2.PRIVATE} bytes"


def _cda_size(image: CardImage) -> Iterator[str]:
    for options in image.options:
        if options.first & _CDA and not options.sm and image.profile.chip_rsa.bits // 8 > _CDA_BYTES:
            yield f"the chip key has more than {_CDA_BYTES} bytes, so a CDA response fits no GENERATE AC answer"


def _index(image: CardImage) -> Iterator[str]:
    for options in image.options:
        trust = image.profile.trust
        index, wanted = (
            image.elements(options).get(TAG_8F_CA_KEY_INDEX),
            trust.sm_ca_index if options.sm else trust.ca_index,
        )
        if index is not None and index.hex().upper() != wanted:
            yield f"the CA key index (8F) that DGI {options.dgi:04X} leads to is not {wanted}"


def _scheme(image: CardImage) -> Iterator[str]:
    rid = bytes.fromhex(image.profile.trust.rid)
    if image.profile.authenticates and image.application.instance_aid[:5] != rid:
        yield "the AID begins with another RID than that of the CA key: no terminal finds the key"


RULES = (
    Rule("authentication-data", "EMV 4.4 Book 3, 7.2; JR/T 0025.17", _data),
    Rule("static-tag-list", "EMV 4.4 Book 3, 10.3", _tag_list),
    Rule("unsigned-element", "EMV 4.4 Book 2, 5.1.1 and 6.1.1", _covered),
    Rule("certificate", "EMV 4.4 Book 2, 5.3, 5.4 and 6.4; JR/T 0025.17", _genuine),
    Rule("certificate-expiry", "EMV 4.4 Book 2, 5.3 step 9, 6.4 step 9", _outlives),
    Rule("certificate-years", "EMV 4.4 Book 2, 5.3 step 9, 6.4 step 9", _certified_years),
    Rule("exponent", "EMV 4.4 Book 2, B2.1", _exponents),
    Rule("key-lengths", "EMV 4.4 Book 2, 5.1 and 6.1", _key_lengths),
    Rule("chip-key", "EMV CPS 1.1, annex A; EMV 4.4 Book 2, 6.1", _chip_rsa),
    Rule("chip-key-sm2", "JR/T 0025.17; the profile: payment.authentication.sm_key_dgi", _chip_sm),
    Rule("cda-key-size", "EMV 4.4 Book 2, D1.2", _cda_size),
    Rule("ca-index", "EMV 4.4 Book 2, 5.2; the profile: payment.trust", _index),
    Rule("ca-scheme", "EMV 4.4 Book 2, 5.2", _scheme),
)
