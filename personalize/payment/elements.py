"""The data elements of the payment application, from profile and account. EMV 4.4 Book 3, annex A; JR/T 0025.5."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from personalize import encoding
from personalize.encoding import Item, join, record
from personalize.errors import PrepareError
from personalize.profiles.payment import LogSection, PaymentApplication
from terminal.emv.data.bits import AIP
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.elements.choices import LogFile, Priority
from terminal.emv.data.elements.structures import Track2
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F2D_LANGUAGES,
    TAG_5F20_CARDHOLDER_NAME,
    TAG_5F24_EXPIRATION_DATE,
    TAG_5F25_EFFECTIVE_DATE,
    TAG_5F28_ISSUER_COUNTRY,
    TAG_5F30_SERVICE_CODE,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_8E_CVM_LIST,
    TAG_9F0B_CARDHOLDER_NAME_EXTENDED,
    TAG_9F0D_IAC_DEFAULT,
    TAG_9F0E_IAC_DENIAL,
    TAG_9F0F_IAC_ONLINE,
    TAG_9F07_USAGE_CONTROL,
    TAG_9F08_CARD_VERSION,
    TAG_9F1F_TRACK_1_DISCRETIONARY_DATA,
    TAG_9F4A_STATIC_TAG_LIST,
    TAG_9F4D_LOG_ENTRY,
    TAG_9F4F_LOG_FORMAT,
    TAG_9F5C_CUMULATIVE_UPPER_LIMIT,
    TAG_9F6D_ECASH_RESET_THRESHOLD,
    TAG_9F11_CODE_TABLE,
    TAG_9F12_PREFERRED_NAME,
    TAG_9F14_LOWER_OFFLINE_LIMIT,
    TAG_9F23_UPPER_OFFLINE_LIMIT,
    TAG_9F38_PDOL,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_9F44_APPLICATION_CURRENCY_EXPONENT,
    TAG_9F49_DDOL,
    TAG_9F51_CARD_RISK_CURRENCY,
    TAG_9F52_DEFAULT_ACTION,
    TAG_9F53_INTERNATIONAL_CURRENCY_LIMIT,
    TAG_9F54_CUMULATIVE_LIMIT,
    TAG_9F56_ISSUER_AUTHENTICATION_INDICATOR,
    TAG_9F57_CARD_RISK_COUNTRY,
    TAG_9F58_CARD_LOWER_OFFLINE_LIMIT,
    TAG_9F59_CARD_UPPER_OFFLINE_LIMIT,
    TAG_9F61_ID_NUMBER,
    TAG_9F62_ID_TYPE,
    TAG_9F72_INTERNATIONAL_COUNTRY_LIMIT,
    TAG_9F77_ECASH_BALANCE_LIMIT,
    TAG_9F78_ECASH_TRANSACTION_LIMIT,
    TAG_9F79_ECASH_BALANCE,
    TAG_50_LABEL,
    TAG_57_TRACK_2,
    TAG_82_AIP,
    TAG_87_PRIORITY,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
    TAG_DF4D_LOAD_LOG_ENTRY,
    TAG_DF4F_LOAD_LOG_FORMAT,
)
from terminal.member.values import IdType
from terminal.tlv import Tag, tlv

_PBOC: Final = STANDARD.known(bytes.fromhex("A000000333")).elements
"""EMV's data elements and PBOC's own, by tag."""

VERSIONS = {"pboc-des": 0x01, "cvn10": 0x0A, "cvn17": 0x11, "cvn18": 0x12, "cvn22": 0x22}
"""Cryptogram version numbers in the issuer application data."""

_TDES, _SM4 = 0x01, 0x04
"""Algorithm identifier in the last byte of PBOC's issuer application data."""


def item(tag: int, value: Any) -> Item:
    """A value as PBOC's data element with that tag holds it. Raises PrepareError for one that does not fit."""
    return encoding.item(_PBOC[tag], value)


def aip(profile: PaymentApplication) -> bytes:
    """The application interchange profile. EMV 4.4 Book 3, C1."""
    oda = profile.authentication
    flags = AIP.TERMINAL_RISK_MANAGEMENT
    for flag, wanted in (
        (AIP.SDA, oda.static),
        (AIP.DDA, oda.dynamic),
        (AIP.CARDHOLDER_VERIFICATION, bool(profile.cvm_list)),
        (AIP.ISSUER_AUTHENTICATION, profile.issuer_authentication),
        (AIP.CDA, oda.combined),
    ):
        if wanted:
            flags |= flag
    return flags.encode()


def signed(profile: PaymentApplication, pan: str, sequence: int, today: date, expires: date) -> list[Item]:
    """The elements that the issuer's signature covers. EMV 4.4 Book 3, 7.2, and Book 2, 5.1.1."""
    items = [
        item(TAG_5A_PAN, pan),
        item(TAG_5F34_PAN_SEQUENCE, sequence),
        item(TAG_5F24_EXPIRATION_DATE, expires),
        item(TAG_5F25_EFFECTIVE_DATE, today),
        (TAG_9F07_USAGE_CONTROL, bytes.fromhex(profile.usage_control)),
        (TAG_8E_CVM_LIST, bytes.fromhex(profile.cvm_list)),
        (TAG_9F0D_IAC_DEFAULT, bytes.fromhex(profile.action_codes.default)),
        (TAG_9F0E_IAC_DENIAL, bytes.fromhex(profile.action_codes.denial)),
        (TAG_9F0F_IAC_ONLINE, bytes.fromhex(profile.action_codes.online)),
        (TAG_8C_CDOL1, bytes.fromhex(profile.cdol1)),
        (TAG_8D_CDOL2, bytes.fromhex(profile.cdol2)),
        (TAG_9F08_CARD_VERSION, bytes.fromhex(profile.version)),
        item(TAG_5F28_ISSUER_COUNTRY, profile.country),
        item(TAG_9F42_APPLICATION_CURRENCY, profile.currency),
        item(TAG_9F44_APPLICATION_CURRENCY_EXPONENT, profile.currency_exponent),
        item(TAG_5F30_SERVICE_CODE, profile.service_code),
    ]
    if profile.chip_key:
        items.append((TAG_9F49_DDOL, bytes.fromhex(profile.ddol)))
    if profile.authenticates:
        items.append(item(TAG_9F4A_STATIC_TAG_LIST, (Tag(TAG_82_AIP),)))
    if profile.risk.terminal_velocity:
        items += [
            item(TAG_9F14_LOWER_OFFLINE_LIMIT, profile.risk.lower_consecutive),
            item(TAG_9F23_UPPER_OFFLINE_LIMIT, profile.risk.upper_consecutive),
        ]
    return [(tag, value) for tag, value in items if value]


def unsigned(
    profile: PaymentApplication,
    pan: str,
    expires: date,
    name: str,
    id_number: str,
    id_type: IdType = IdType.RESIDENT_ID,
    *,
    icvv: str = "",
) -> list[Item]:
    """The elements that no signature covers. ``icvv``: for 57 and 9F1F, where the profile has one."""
    rule = profile.stripe.icvv if profile.stripe else None
    track1, track2 = profile.track1_discretionary, profile.track2_discretionary
    if rule:
        track1, track2 = rule.placed(track1, icvv, 1) if track1 else "", rule.placed(track2, icvv)
    track = Track2(pan, f"{expires:%y%m}", profile.service_code, track2)
    items = [item(TAG_57_TRACK_2, track), *_names(profile, name)]
    if track1:
        items.append(item(TAG_9F1F_TRACK_1_DISCRETIONARY_DATA, track1))
    if profile.identity:
        items += [item(TAG_9F61_ID_NUMBER, id_number), item(TAG_9F62_ID_TYPE, id_type)]
    return items


def _names(profile: PaymentApplication, name: str) -> list[Item]:
    """5F20, or 9F0B for a name of more than 26 bytes; both where the profile says so. A name that is cut ends with a
    whole character. An omitted name is a space and a slash (ISO/IEC 7813:2006, 3). Raises PrepareError for no name.
    EMV 4.4 Book 3, annex A; JR/T 0025.5.
    """
    if profile.name == "blank":
        return [(TAG_5F20_CARDHOLDER_NAME, b" /")]
    if not name.strip():
        raise PrepareError("there is no name for the payment application")
    short = _cut(name, 26)
    if short == name.encode("gb18030"):
        return [(TAG_5F20_CARDHOLDER_NAME, short.ljust(2))]
    extended = (TAG_9F0B_CARDHOLDER_NAME_EXTENDED, _cut(name, 45))
    return [extended] if profile.long_name == "extended" else [(TAG_5F20_CARDHOLDER_NAME, short), extended]


def _cut(name: str, most: int) -> bytes:
    """As many whole characters of a name in GB 18030 as fit."""
    encoded = b""
    for character in name:
        encoded_character = character.encode("gb18030")
        if len(encoded) + len(encoded_character) > most:
            break
        encoded += encoded_character
    return encoded


def fci(profile: PaymentApplication, pdol: str) -> bytes:
    """The whole A5 template with this PDOL (in hex; none where it is empty). EMV 4.4 Book 1, 11.3.4."""
    items = [
        tlv(TAG_50_LABEL, profile.label.encode("ascii", "replace")),
        tlv(*priority(profile)),
        *([tlv(TAG_9F38_PDOL, bytes.fromhex(pdol))] if pdol else []),
        tlv(TAG_5F2D_LANGUAGES, profile.language.encode("ascii", "replace")),
    ]
    if profile.preferred_name:
        items += [tlv(*code_table(profile)), tlv(TAG_9F12_PREFERRED_NAME, _preferred(profile))]
    logs = [tlv(*item(tag, LogFile(log.sfi, log.records))) for tag, _, log in _logs(profile)]
    if logs:
        items.append(tlv(TAG_BF0C_FCI_DISCRETIONARY, logs))
    return tlv(TAG_A5_FCI_PROPRIETARY, items).encode()


def priority(profile: PaymentApplication) -> Item:
    """The application priority indicator. EMV 4.4 Book 1, 12.2.3."""
    return item(TAG_87_PRIORITY, Priority(profile.priority, confirmation=False))


def code_table(profile: PaymentApplication) -> Item:
    """The issuer code table index, format n: part 10 of ISO/IEC 8859 is the byte 10."""
    return item(TAG_9F11_CODE_TABLE, int(str(profile.code_table), 16))


def _logs(profile: PaymentApplication) -> list[tuple[int, int, LogSection]]:
    """Tag of the entry, tag of the format, log: transactions (EMV 4.4 Book 3, annex D) and loads (JR/T 0025.13)."""
    logs = (
        (TAG_9F4D_LOG_ENTRY, TAG_9F4F_LOG_FORMAT, profile.log),
        (TAG_DF4D_LOAD_LOG_ENTRY, TAG_DF4F_LOAD_LOG_FORMAT, profile.e_cash.load_log if profile.e_cash else None),
    )
    return [(entry, form, log) for entry, form, log in logs if log]


def _preferred(profile: PaymentApplication) -> bytes:
    try:
        return profile.preferred_name.encode(f"iso8859_{profile.code_table}")
    except UnicodeEncodeError:
        raise PrepareError(
            f"the preferred name has characters that code table {profile.code_table} (ISO/IEC 8859) lacks"
        ) from None


def card_data(profile: PaymentApplication) -> bytes:
    """DGI 0D01: data of card risk management that GET DATA returns. JR/T 0025.5."""
    risk = profile.risk
    items = [
        item(TAG_9F51_CARD_RISK_CURRENCY, profile.currency),
        item(TAG_9F53_INTERNATIONAL_CURRENCY_LIMIT, risk.international_consecutive),
        item(TAG_9F54_CUMULATIVE_LIMIT, risk.cumulative),
        item(TAG_9F58_CARD_LOWER_OFFLINE_LIMIT, risk.lower_consecutive),
        item(TAG_9F59_CARD_UPPER_OFFLINE_LIMIT, risk.upper_consecutive),
        item(TAG_9F5C_CUMULATIVE_UPPER_LIMIT, risk.cumulative_upper),
        item(TAG_9F72_INTERNATIONAL_COUNTRY_LIMIT, risk.international_country_consecutive),
    ]
    items += [(tag, bytes.fromhex(log.format)) for _, tag, log in _logs(profile)]
    if purse := profile.e_cash:
        items += [
            item(TAG_9F77_ECASH_BALANCE_LIMIT, purse.balance_limit),
            item(TAG_9F78_ECASH_TRANSACTION_LIMIT, purse.transaction_limit),
            item(TAG_9F6D_ECASH_RESET_THRESHOLD, purse.reset_threshold),
            item(TAG_9F79_ECASH_BALANCE, 0),
        ]
    return record(join(*items))


def internal_data(profile: PaymentApplication) -> bytes:
    """DGI 0E01: data of card risk management that cannot be read."""
    items = (
        (TAG_9F52_DEFAULT_ACTION, bytes.fromhex(profile.risk.default_action)),
        (TAG_9F56_ISSUER_AUTHENTICATION_INDICATOR, bytes.fromhex(profile.risk.issuer_authentication)),
        item(TAG_9F57_CARD_RISK_COUNTRY, profile.country),
    )
    return record(join(*items))


def issuer_data(profile: PaymentApplication) -> bytes:
    """The initial 9F10: the card fills in the verification results.

    A card of PBOC has version 01 under 3DES and under SM4 alike: its last byte names the algorithm of the
    cryptogram. JR/T 0025.5, 9F10 (length, key index, version, results, algorithm); VIS 1.5, IAD formats 0 and 2.
    """
    if profile.issuer_data:
        return bytes.fromhex(profile.issuer_data)
    index, version = bytes.fromhex(profile.derivation_index), bytes((VERSIONS[profile.cryptogram],))
    match profile.cryptogram:
        case "pboc-des":
            return b"\x07" + index + version + bytes(4) + bytes((_TDES if profile.rsa else _SM4,))
        case "cvn22":
            return b"\x1f" + version + index + bytes(29)
        case _:
            return b"\x06" + index + version + bytes(4)


def version_in(data: bytes) -> int | None:
    """The cryptogram version that issuer application data name; None for an unknown layout."""
    at = {0x06: 2, 0x07: 2, 0x1F: 1}.get(data[0] if data else 0)
    return data[at] if at is not None and len(data) > at else None


def scheme(profile: PaymentApplication) -> bytes:
    """How the chip uses its keys: cryptogram version, fold of SM4 (00 XOR, 01 the left half), bytes of a script MAC.

    A grouping of this program (``keys.scheme_dgi``): no public document defines one.
    """
    return bytes((VERSIONS[profile.cryptogram], profile.sm4_fold == "left", profile.script_mac))
