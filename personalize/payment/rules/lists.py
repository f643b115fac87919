"""Rules for data object lists and the CVM list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from personalize.payment.image import LOGS, CardImage, parsed
from personalize.payment.prepare import CONTACTLESS_OPTIONS, ECASH_OPTIONS, OPTIONS, PIN, PIN_TRIES, SM
from personalize.payment.rules.data import OFFLINE_PIN
from personalize.payment.rules.rule import Rule
from terminal.emv.data.dictionary import lookup
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_8A_RESPONSE_CODE,
    TAG_8E_CVM_LIST,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F2D_ICC_PIN_CERTIFICATE,
    TAG_9F7A_ECASH_INDICATOR,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_9F46_ICC_CERTIFICATE,
    TAG_9F49_DDOL,
    TAG_9F74_ECASH_AUTHORIZATION_CODE,
    TAG_9F79_ECASH_BALANCE,
    TAG_91_ISSUER_AUTHENTICATION_DATA,
    TAG_95_TVR,
    TAG_BF0C_FCI_DISCRETIONARY,
    TAG_DF69_SM_INDICATOR,
)

_CDA, _DDA, _CARDHOLDER = 0x01, 0x20, 0x10
_CRYPTOGRAM_INPUT = (
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_95_TVR,
    TAG_5F2A_CURRENCY,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
)
"""EMV 4.4 Book 2, 8.1.1; 9F37 has a rule of its own."""
_MOST = 252
"""Bytes that a terminal can send for one list: 255, less tag and length of the command template 83."""

_TWINS = (OPTIONS + SM, ECASH_OPTIONS + SM, CONTACTLESS_OPTIONS + SM)
_CONTACTLESS_SM2 = CONTACTLESS_OPTIONS + SM
_ECASH, _ECASH_INPUT, _CODE = (
    (ECASH_OPTIONS, ECASH_OPTIONS + SM),
    (TAG_9F7A_ECASH_INDICATOR, TAG_9F02_AMOUNT, TAG_5F2A_CURRENCY),
    6,
)
_METHODS = {*range(0x00, 0x06), 0x1E, 0x1F, *range(0x20, 0x3F)}
_ENCIPHERED = {0x04, 0x05}
_AMOUNTS = range(6, 10)


def _formats(image: CardImage) -> Iterator[str]:
    for name, value in image.raw_lists():
        dol = parsed(value)
        if dol is None:
            yield f"the {name} ends inside an entry"
        elif dol.length > _MOST:
            yield f"the {name} asks for {dol.length} bytes; a command has room for {_MOST}"
        elif any(entry.tag.constructed for entry in dol.entries):
            yield f"the {name} asks for a template, which is always answered with zeros"


def _twice(image: CardImage) -> Iterator[str]:
    for name, dol in image.lists():
        counts = Counter(int(entry.tag) for entry in dol.entries)
        for tag in (tag for tag, count in counts.items() if count > 1):
            yield f"the {name} asks for {tag:02X} more than once"


def _entry_lengths(image: CardImage) -> Iterator[str]:
    """A terminal truncates or pads an element whose length differs in the list, and the card reads a wrong value."""
    for name, dol in image.lists():
        for entry in dol.entries:
            known = lookup(int(entry.tag), image.application.instance_aid)
            if known and not known.min <= entry.length <= known.max:
                yield f"the {name} asks for {entry.length} bytes of {entry.tag}, which has {known.min}" + (
                    f" to {known.max}" if known.max > known.min else ""
                )


def _cdol1_unpredictable(image: CardImage) -> Iterator[str]:
    if image.asks("CDOL1", TAG_9F37_UNPREDICTABLE_NUMBER) is False:
        yield "the CDOL1 does not ask for the unpredictable number (9F37): cryptograms could be made ahead"


def _cdol1_input(image: CardImage) -> Iterator[str]:
    missing = [f"{tag:02X}" for tag in _CRYPTOGRAM_INPUT if image.asks("CDOL1", tag) is False]
    if missing:
        yield f"the CDOL1 does not ask for {', '.join(missing)}, which every cryptogram covers"


def _cdol2_response(image: CardImage) -> Iterator[str]:
    if image.asks("CDOL2", TAG_8A_RESPONSE_CODE) is False:
        yield "the CDOL2 does not ask for the authorisation response code (8A): the card cannot know what was decided"


def _cda_lists(image: CardImage) -> Iterator[str]:
    if image.offers(_CDA) and image.asks("CDOL2", TAG_9F37_UNPREDICTABLE_NUMBER) is False:
        yield "the AIP promises CDA, but the CDOL2 does not ask for the unpredictable number (9F37)"


def _issuer_authentication(image: CardImage) -> Iterator[str]:
    if (
        not image.offers(0x04)
        and image.asks("CDOL2", TAG_91_ISSUER_AUTHENTICATION_DATA) is False
        and image.profile.risk.issuer_authentication == "80"
    ):
        yield "issuer authentication is mandatory (9F56), but neither AIP nor CDOL2 (91) lets it in"


def _ddol(image: CardImage) -> Iterator[str]:
    if image.offers(_DDA) and image.value(TAG_9F49_DDOL) is None:
        yield "the AIP promises DDA, but there is no DDOL (9F49)"


def _ddol_unpredictable(image: CardImage) -> Iterator[str]:
    if image.asks("DDOL", TAG_9F37_UNPREDICTABLE_NUMBER) is False:
        yield "the DDOL (9F49) does not ask for the unpredictable number (9F37): dynamic authentication fails"


def _sm_indicator(image: CardImage) -> Iterator[str]:
    twins = [options.dgi for options in image.options if options.dgi in _TWINS]
    if any(dgi != _CONTACTLESS_SM2 for dgi in twins) and not image.asks("PDOL", TAG_DF69_SM_INDICATOR):
        yield "a card with both algorithms does not ask for DF69 in its PDOL, so it cannot choose"
    if _CONTACTLESS_SM2 in twins and not image.asks("contactless PDOL", TAG_DF69_SM_INDICATOR):
        yield "a card with both algorithms does not ask for DF69 in its contactless PDOL (9103), so it cannot choose"


def _ecash_options(image: CardImage) -> Iterator[str]:
    promised = [options for options in image.options if options.dgi in _ECASH]
    if image.card_data.get(TAG_9F79_ECASH_BALANCE) is not None and not promised:
        yield "there is an e-cash balance (9F79), but no options (9203) that lead to it"
    missing = [f"{tag:02X}" for tag in _ECASH_INPUT if not image.asks("PDOL", tag)]
    if promised and missing:
        yield f"the PDOL does not ask for {', '.join(missing)}, so the card never pays from its e-cash"
    for options in promised:
        code = image.elements(options).get(TAG_9F74_ECASH_AUTHORIZATION_CODE)
        if code is None and options.afl is not None:
            yield f"the AFL of DGI {options.dgi:04X} leads to no 9F74, by which terminals know e-cash"
        elif code is not None and len(code) != _CODE:
            yield f"the e-cash authorization code (9F74) has {len(code)} bytes, not {_CODE}"


def _log_format(image: CardImage) -> Iterator[str]:
    for name, entry, form in LOGS:
        if (
            image.fci.get(TAG_BF0C_FCI_DISCRETIONARY, entry) is not None
            and image.asks(name, TAG_9A_TRANSACTION_DATE) is None
        ):
            yield f"there is a log ({entry:04X}), but no format ({form:04X}) that a terminal could read it with"


def _log_input(image: CardImage) -> Iterator[str]:
    lists = dict(image.lists())
    known = {TAG_9F36_ATC} | {int(entry.tag) for name in ("PDOL", "CDOL1") if name in lists for entry in lists[name]}
    for name, tag, _ in LOGS:
        missing = [f"{entry.tag}" for entry in lists.get(name, ()) if int(entry.tag) not in known]
        if image.fci.get(TAG_BF0C_FCI_DISCRETIONARY, tag) is not None and "CDOL1" in lists and missing:
            yield f"the {name} has {', '.join(missing)}, for which neither PDOL nor CDOL1 asks the terminal"


def _cvm(image: CardImage) -> tuple[bytes, list[tuple[int, int]]]:
    """Amounts and rules of a well-formed list; empty for another."""
    value = image.value(TAG_8E_CVM_LIST) or b""
    if len(value) < 10 or len(value) % 2 or len(value) > 252:
        return b"", []
    return value[:8], [(value[at], value[at + 1]) for at in range(8, len(value), 2)]


def _cvm_format(image: CardImage) -> Iterator[str]:
    value = image.value(TAG_8E_CVM_LIST)
    if value is None:
        return
    _, rules = _cvm(image)
    if not rules:
        yield "the CVM list (8E) is not two amounts of 4 bytes and 1 to 122 rules of 2"
    for method, condition in rules:
        if method & 0x80 or method & 0x3F not in _METHODS:
            yield f"the CVM list (8E) has the reserved method {method:02X}"
        if 0x0A <= condition <= 0x7F:
            yield f"the CVM list (8E) has the reserved condition {condition:02X}"


def _cvm_amounts(image: CardImage) -> Iterator[str]:
    amounts, rules = _cvm(image)
    used = {condition for _, condition in rules if condition in _AMOUNTS}
    if used and image.value(TAG_9F42_APPLICATION_CURRENCY) is None:
        yield "CVM conditions compare amounts in the card's currency, but 9F42 is not on the card"
    for at, conditions, name in ((0, {6, 7}, "X"), (4, {8, 9}, "Y")):
        if used & conditions and amounts[at : at + 4] == bytes(4):
            yield f"CVM conditions compare with amount {name}, which is zero"


def _cvm_promised(image: CardImage) -> Iterator[str]:
    promised, there = image.offers(_CARDHOLDER), image.value(TAG_8E_CVM_LIST) is not None
    if promised and not there:
        yield "the AIP promises cardholder verification, but there is no CVM list (8E)"
    elif there and not promised:
        yield "there is a CVM list (8E), but the AIP promises no cardholder verification"


def _pin(image: CardImage) -> Iterator[str]:
    methods = {method & 0x3F for method, _ in _cvm(image)[1]} & OFFLINE_PIN
    there = image.part(PIN) is not None
    if methods and not there:
        yield "the CVM list (8E) has offline PIN, but no PIN is on the card (8010)"


def _pin_tries(image: CardImage) -> Iterator[str]:
    tries = image.plain(PIN_TRIES)
    if (image.part(PIN) is None) != (image.part(PIN_TRIES) is None):
        yield "PIN (8010) and PIN tries (9010) do not come together"
    elif tries and (len(tries) != 2 or not 1 <= tries[1] <= 15 or tries[0] > tries[1]):
        yield "the PIN tries (9010) are not tries left and a limit of 1 to 15"


def _enciphered(image: CardImage) -> Iterator[str]:
    methods = {method & 0x3F for method, _ in _cvm(image)[1]} & _ENCIPHERED
    if methods and image.value(TAG_9F46_ICC_CERTIFICATE) is None and image.value(TAG_9F2D_ICC_PIN_CERTIFICATE) is None:
        yield "the CVM list (8E) has enciphered offline PIN, but the card has no key to encipher with (9F46 or 9F2D)"


RULES = (
    Rule("dol-format", "EMV 4.4 Book 3, 5.4", _formats),
    Rule("dol-duplicate", "EMV 4.4 Book 3, 5.4", _twice),
    Rule("dol-length", "EMV 4.4 Book 3, 5.4 and annex A1", _entry_lengths),
    Rule("cdol1-9f37", "EMV 4.4 Book 2, 8.1.1", _cdol1_unpredictable),
    Rule("cdol1-input", "EMV 4.4 Book 2, 8.1.1", _cdol1_input),
    Rule("cdol2-response-code", "EMV 4.4 Book 4, A6; JR/T 0025.5, CDOL2", _cdol2_response),
    Rule("cda-cdol2", "EMV 4.4 Book 2, 6.6", _cda_lists),
    Rule("issuer-authentication", "EMV 4.4 Book 3, 10.9; JR/T 0025.5, 9F56", _issuer_authentication),
    Rule("dda-ddol", "EMV 4.4 Book 2, 6.5.1", _ddol),
    Rule("ddol-9f37", "EMV 4.4 Book 2, 6.5.1", _ddol_unpredictable),
    Rule("sm-indicator", "JR/T 0025.17", _sm_indicator),
    Rule("e-cash-options", "JR/T 0025.13", _ecash_options),
    Rule("log-format", "EMV 4.4 Book 3, annex D; JR/T 0025.13", _log_format),
    Rule("log-input", "EMV 4.4 Book 3, annex D", _log_input),
    Rule("cvm-format", "EMV 4.4 Book 3, 10.5 and C3", _cvm_format),
    Rule("cvm-amounts", "EMV 4.4 Book 3, 10.5 and C3", _cvm_amounts),
    Rule("cvm-promised", "EMV 4.4 Book 3, 10.5 and C1", _cvm_promised),
    Rule("pin-missing", "EMV 4.4 Book 3, 10.5.1; EMV CPS 1.1, annex A", _pin),
    Rule("pin-tries", "EMV CPS 1.1, annex A", _pin_tries),
    Rule("enciphered-pin-key", "EMV 4.4 Book 2, 7.1", _enciphered),
)
