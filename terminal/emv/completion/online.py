"""Online processing: authorization by the issuer, referral, issuer authentication.

EMV 4.4 Book 3, 10.9 and 10.11; Book 4, 6.3.8 and 12.2, Annex A6 (authorization response code).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from terminal.apdu import Command, Sender
from terminal.emv.data.bits import AIP, TSI, TVR
from terminal.emv.data.elements.codecs import counted
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8A_RESPONSE_CODE,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F09_TERMINAL_VERSION,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F1E_IFD_SERIAL_NUMBER,
    TAG_9F10_IAD,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F33_TERMINAL_CAPABILITIES,
    TAG_9F34_CVM_RESULTS,
    TAG_9F35_TERMINAL_TYPE,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F41_SEQUENCE_COUNTER,
    TAG_82_AIP,
    TAG_84_DF_NAME,
    TAG_91_ISSUER_AUTHENTICATION_DATA,
    TAG_95_TVR,
)
from terminal.emv.risk.risk import digits, sequence_number
from terminal.emv.transaction.exchange import transmit
from terminal.emv.transaction.protocols import Attendant, OnlineHost, OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import NO_TVR, KernelStage

APPROVED_OFFLINE, DECLINED_OFFLINE = b"Y1", b"Z1"
UNABLE_APPROVED, UNABLE_DECLINED = b"Y3", b"Z3"
_APPROVALS: Final = frozenset((b"00", b"11"))
"""Response codes with which the terminal requests a TC. EMV 4.4 Book 4, Annex A6; ISO 8583:1987, field 39."""
_CONDITIONAL: Final = {b"08": "identification of the cardholder", b"10": "a part of the amount only"}
"""Approvals on a condition that this terminal cannot meet: it checks no identity, and is not told which part. ISO
8583:1987, field 39."""
_REFERRALS: Final = frozenset((b"01", b"02"))
"""Response codes for a voice referral."""

FIELD_55: Final = (
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F10_IAD,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F36_ATC,
    TAG_95_TVR,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_5F2A_CURRENCY,
    TAG_82_AIP,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F33_TERMINAL_CAPABILITIES,
    TAG_9F34_CVM_RESULTS,
    TAG_9F35_TERMINAL_TYPE,
    TAG_9F1E_IFD_SERIAL_NUMBER,
    TAG_84_DF_NAME,
    TAG_9F09_TERMINAL_VERSION,
    TAG_9F41_SEQUENCE_COUNTER,
    TAG_5F34_PAN_SEQUENCE,
    TAG_9F21_TRANSACTION_TIME,
)
"""Data elements of the authorization request (ISO 8583 field 55). EMV 4.4 Book 4, 12.1.1, tables 9 and 10."""


def authorize(state: TransactionState, host: OnlineHost | None, pin_block: bytes | None) -> OnlineResponse | Unable:
    """Send the authorization request. No host, a connection fault and a malformed answer are all ``Unable``."""
    source = "EMV 4.4 Book 3, 10.9"
    if host is None:
        answer: OnlineResponse | Unable = Unable("this terminal has no way to the issuer")
    else:
        data = {tag: value for tag in FIELD_55 if (value := state.value(tag))}
        request = OnlineRequest(digits(state), sequence_number(state), data, pin_block)
        try:
            answer = _in_form(host.authorize(request))
        except Exception as fault:
            # Whatever failed: the request may have reached the issuer, and the card still needs a final answer.
            answer = Unable(f"the way to the issuer failed ({type(fault).__name__})", sent=True)
    if isinstance(answer, Unable):
        state.note(KernelStage.ONLINE, f"the issuer gave no answer: {answer.reason}", source)
        return answer
    state.terminal[TAG_8A_RESPONSE_CODE] = answer.response_code
    if answer.authentication_data is not None:
        state.terminal[TAG_91_ISSUER_AUTHENTICATION_DATA] = answer.authentication_data
    if condition := _CONDITIONAL.get(answer.response_code):
        verdict = f"approves on a condition that this terminal cannot meet: {condition}"
    else:
        verdict = "approves" if approves(answer) else "wants to be called" if _refers(answer) else "declines"
    text = f"the issuer {verdict} (response code {answer.response_code.decode('ascii')})"
    state.note(KernelStage.ONLINE, f"{text} and sends {counted(len(answer.scripts), 'script')}", source)
    return answer


def approves(answer: OnlineResponse) -> bool:
    """Whether the response code approves, so that the terminal requests a TC."""
    return answer.response_code in _APPROVALS


def reserves(answer: OnlineResponse) -> bool:
    """Whether the issuer approved on a condition that this terminal cannot meet: declined, and to be reversed."""
    return answer.response_code in _CONDITIONAL


def referred(state: TransactionState, answer: OnlineResponse, attendant: Attendant | None) -> bool:
    """Whether the issuer approved a referral by telephone; without an attendant, or where the call fails, it is
    declined. The response code is left unchanged. EMV 4.4 Book 4, 6.5.2."""
    if not _refers(answer):
        return False
    approved, who = False, "there is no attendant to call the issuer"
    if attendant is not None:
        try:
            approved, who = attendant.referral(answer.response_code), "the attendant called the issuer"
        except Exception as fault:
            # The card still needs a final answer.
            who = f"the attendant could not call the issuer ({type(fault).__name__})"
    state.note(KernelStage.ONLINE, f"{who}: {'approved' if approved else 'declined'}", "EMV 4.4 Book 4, 6.5.2")
    return approved


def _refers(answer: OnlineResponse) -> bool:
    return answer.response_code in _REFERRALS


def authenticate_issuer(state: TransactionState, sender: Sender) -> None:
    """EXTERNAL AUTHENTICATE with the issuer's data (ARPC, method 1 or 2), where the card supports the command.

    A card whose AIP does not name it gets the data in the second GENERATE AC, through CDOL2. Raises Stop and
    TransportError. EMV 4.4 Book 3, 6.5.4, 10.9; Book 2, 8.2.
    """
    source = "EMV 4.4 Book 3, 10.9"
    data = state.terminal.get(TAG_91_ISSUER_AUTHENTICATION_DATA)
    if data is None:
        state.note(KernelStage.ISSUER, "the issuer sent no authentication data", source)
        return
    if not AIP.ISSUER_AUTHENTICATION.set_in(state.card.get(TAG_82_AIP, b"")):
        state.note(
            KernelStage.ISSUER, "the card takes the issuer's authentication data through CDOL2, if at all", source
        )
        return
    operation = "authenticating the issuer (EXTERNAL AUTHENTICATE)"
    response = transmit(state, KernelStage.ISSUER, sender, Command(0x00, 0x82, 0x00, 0x00, data), operation)
    bits = NO_TVR if response.sw.ok else TVR.ISSUER_AUTHENTICATION_FAILED
    text = f"{operation}: the card answered {response.sw}"
    state.note(KernelStage.ISSUER, text, source, tvr=bits, tsi=TSI.ISSUER_AUTHENTICATION_PERFORMED)


def _in_form(answer: OnlineResponse | Unable) -> OnlineResponse | Unable:
    if isinstance(answer, Unable):
        return answer
    if answer.authentication_data == b"":
        answer = replace(answer, authentication_data=None)  # Length zero is absence. EMV 4.4 Book 3, 5.2
    code, data = answer.response_code, answer.authentication_data
    if len(code) != 2 or not code.isalnum():
        return Unable("its response code is not two letters or digits", sent=True)
    if not all(isinstance(script, bytes) for script in answer.scripts):
        return Unable("its scripts are no bytes", sent=True)
    if data is not None and not 8 <= len(data) <= 16:
        return Unable("its authentication data are not 8 to 16 bytes", sent=True)
    return answer
