"""The data elements of the payment application, from profile and account. EMV 4.4 Book 3, annex A; JR/T 0025.5."""

from __future__ import annotations

from datetime import date

from personalize.encoding import Item, join, record, yymmdd
from personalize.errors import PrepareError
from personalize.profiles.payment import LogSection, PaymentApplication
from terminal.tlv import tlv

VERSIONS = {"pboc-des": 0x01, "cvn10": 0x0A, "cvn17": 0x11, "cvn18": 0x12, "cvn22": 0x22}
"""Cryptogram version numbers in the issuer application data."""

_TDES, _SM4 = 0x01, 0x04
"""Algorithm identifier in the last byte of PBOC's issuer application data."""


def cn(digits: str) -> bytes:
    """Compressed numeric: two digits a byte, filled with F. EMV 4.4 Book 3, 4.3."""
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def n(number: int | str, size: int) -> bytes:
    """Numeric in ``size`` bytes, zeros in front. EMV 4.4 Book 3, 4.3."""
    return bytes.fromhex(str(number).zfill(2 * size))


def aip(profile: PaymentApplication) -> bytes:
    """The application interchange profile. EMV 4.4 Book 3, C1: SDA 40, DDA 20, cardholder verification 10, terminal
    risk management 08, issuer authentication by EXTERNAL AUTHENTICATE 04, CDA 01."""
    oda = profile.authentication
    first = (
        0x08
        | (0x40 if oda.static else 0)
        | (0x20 if oda.dynamic else 0)
        | (0x10 if profile.cvm_list else 0)
        | (0x04 if profile.issuer_authentication else 0)
        | (0x01 if oda.combined else 0)
    )
    return bytes((first, 0))


def signed(profile: PaymentApplication, pan: str, sequence: int, today: date, expires: date) -> list[Item]:
    """What the issuer's signature covers. EMV 4.4 Book 3, 7.2, and Book 2, 5.1.1."""
    items = [
        (0x5A, cn(pan)),
        (0x5F34, n(sequence, 1)),
        (0x5F24, yymmdd(expires)),
        (0x5F25, yymmdd(today)),
        (0x9F07, bytes.fromhex(profile.usage_control)),
        (0x8E, bytes.fromhex(profile.cvm_list)),
        (0x9F0D, bytes.fromhex(profile.action_codes.default)),
        (0x9F0E, bytes.fromhex(profile.action_codes.denial)),
        (0x9F0F, bytes.fromhex(profile.action_codes.online)),
        (0x8C, bytes.fromhex(profile.cdol1)),
        (0x8D, bytes.fromhex(profile.cdol2)),
        (0x9F08, bytes.fromhex(profile.version)),
        (0x5F28, n(profile.country, 2)),
        (0x9F42, n(profile.currency, 2)),
        (0x9F44, n(profile.currency_exponent, 1)),
        (0x5F30, n(profile.service_code, 2)),
    ]
    if profile.chip_key:
        items.append((0x9F49, bytes.fromhex(profile.ddol)))
    if profile.authenticates:
        items.append((0x9F4A, b"\x82"))
    if profile.risk.terminal_velocity:
        items += [
            (0x9F14, bytes((profile.risk.lower_consecutive,))),
            (0x9F23, bytes((profile.risk.upper_consecutive,))),
        ]
    return [item for item in items if item[1]]


def loose(profile: PaymentApplication, pan: str, expires: date, name: str, id_number: str) -> list[Item]:
    """What no signature covers."""
    items = [(0x57, track2(profile, pan, expires)), *_names(profile, name)]
    if profile.track1_discretionary:
        items.append((0x9F1F, profile.track1_discretionary.encode("ascii")))
    if profile.identity:
        items += [(0x9F61, id_number.encode("ascii")), (0x9F62, b"\x00")]
    return items


def track2(profile: PaymentApplication, pan: str, expires: date) -> bytes:
    """Track 2 equivalent data: PAN, separator D, expiry YYMM, service code, discretionary. ISO/IEC 7813:2006, 4."""
    digits = f"{pan}D{expires:%y%m}{profile.service_code}{profile.track2_discretionary}"
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def _names(profile: PaymentApplication, name: str) -> list[Item]:
    """5F20, and 9F0B for what it has no room for. A name left out is a space and a slash (ISO/IEC 7813:2006, 3)."""
    if profile.name == "blank":
        return [(0x5F20, b" /")]
    encoded = name.encode("gb18030")
    if not 0 < len(encoded) <= 45:
        raise PrepareError(f"the name takes {len(encoded)} bytes in GB 18030; 1 to 45 fit the payment application")
    if len(encoded) <= 26:
        return [(0x5F20, encoded.ljust(2))]
    return [(0x5F20, encoded[:26]), (0x9F0B, encoded)]


def fci(profile: PaymentApplication, pdol: str) -> bytes:
    """The whole A5 template with this PDOL (in hex; none where it is empty). EMV 4.4 Book 1, 11.3.4."""
    items = [
        tlv(0x50, profile.label.encode("ascii", "replace")),
        tlv(0x87, bytes((profile.priority,))),
        *([tlv(0x9F38, bytes.fromhex(pdol))] if pdol else []),
        tlv(0x5F2D, profile.language.encode("ascii", "replace")),
    ]
    if profile.preferred_name:
        items += [tlv(0x9F11, n(profile.code_table, 1)), tlv(0x9F12, _preferred(profile))]
    logs = [tlv(tag, bytes((log.sfi, log.records))) for tag, _, log in _logs(profile)]
    if logs:
        items.append(tlv(0xBF0C, logs))
    return tlv(0xA5, items).encode()


def _logs(profile: PaymentApplication) -> list[tuple[int, int, LogSection]]:
    """Tag of the entry, tag of the format, log: transactions (EMV 4.4 Book 3, annex D) and loads (JR/T 0025.13)."""
    logs = ((0x9F4D, 0x9F4F, profile.log), (0xDF4D, 0xDF4F, profile.e_cash.load_log if profile.e_cash else None))
    return [(entry, form, log) for entry, form, log in logs if log]


def _preferred(profile: PaymentApplication) -> bytes:
    try:
        return profile.preferred_name.encode(f"iso8859_{profile.code_table}")
    except UnicodeEncodeError:
        raise PrepareError(
            f"the preferred name has characters that code table {profile.code_table} (ISO/IEC 8859) lacks"
        ) from None


def card_data(profile: PaymentApplication) -> bytes:
    """DGI 0D01: what the card itself works with and GET DATA gives. JR/T 0025.5, data of card risk management."""
    risk = profile.risk
    items = [
        (0x9F51, n(profile.currency, 2)),
        (0x9F53, bytes((risk.international_consecutive,))),
        (0x9F54, n(risk.cumulative, 6)),
        (0x9F58, bytes((risk.lower_consecutive,))),
        (0x9F59, bytes((risk.upper_consecutive,))),
        (0x9F5C, n(risk.cumulative_upper, 6)),
        (0x9F72, bytes((risk.international_country_consecutive,))),
    ]
    items += [(tag, bytes.fromhex(log.format)) for _, tag, log in _logs(profile)]
    if purse := profile.e_cash:
        items += [
            (0x9F77, n(purse.balance_limit, 6)),
            (0x9F78, n(purse.transaction_limit, 6)),
            (0x9F6D, n(purse.reset_threshold, 6)),
            (0x9F79, bytes(6)),
        ]
    return record(join(*items))


def own_data(profile: PaymentApplication) -> bytes:
    """DGI 0E01: what the card works with and tells nobody."""
    items = (
        (0x9F52, bytes.fromhex(profile.risk.default_action)),
        (0x9F56, bytes.fromhex(profile.risk.issuer_authentication)),
        (0x9F57, n(profile.country, 2)),
    )
    return record(join(*items))


def issuer_data(profile: PaymentApplication) -> bytes:
    """9F10 as the card starts from it: the card fills in the verification results, and its algorithm.

    A card of PBOC has version 01 under 3DES and under SM4 alike: its last byte tells which of them computed the
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
    """The cryptogram version that issuer application data name; None for data of a layout that is not known here."""
    at = {0x06: 2, 0x07: 2, 0x1F: 1}.get(data[0] if data else 0)
    return data[at] if at is not None and len(data) > at else None


def scheme(profile: PaymentApplication) -> bytes:
    """How the chip uses its keys: cryptogram version, fold of SM4 (00 XOR, 01 the left half), bytes of a script MAC.

    Our own grouping (``keys.scheme_dgi``): no public document says how a chip is told.
    """
    return bytes((VERSIONS[profile.cryptogram], profile.sm4_fold == "left", profile.script_mac))
