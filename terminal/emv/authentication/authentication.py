"""Offline data authentication in a transaction: choice of method and algorithm, and the result.

EMV 4.4 Book 3, 10.3; Book 2, 5 and 6; JR/T 0025.17 for SM2. ``authenticate`` runs before terminal action analysis;
for CDA, ``verify_combined`` completes it with the answer to GENERATE AC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Self

from terminal.apdu import Command, Sender
from terminal.emv.authentication import combined
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.authentication.chains import Chain, chain_for
from terminal.emv.authentication.rsa import Check, CombinedData, OdaFailed, Signed
from terminal.emv.data.bits import AIP, TSI, TVR, TerminalCapabilities
from terminal.emv.data.tags import (
    TAG_8F_CA_KEY_INDEX,
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F4C_ICC_DYNAMIC_NUMBER,
    TAG_9F22_TERMINAL_CA_KEY_INDEX,
    TAG_9F33_TERMINAL_CAPABILITIES,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F45_DATA_AUTHENTICATION_CODE,
    TAG_9F49_DDOL,
    TAG_77_FORMAT_2,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
)
from terminal.emv.selection.application import CardRecords, fill
from terminal.emv.transaction.exchange import FAULTY_ICC, MOST_DATA, objects, transmit
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import NO_TVR, KernelStage
from terminal.tlv import Tlvs, asks_for

_CHOICE: Final = "EMV 4.4 Book 3, 10.3"
_STAGE: Final = KernelStage.AUTHENTICATION


class Method(StrEnum):
    """A method, with its section of EMV 4.4 Book 2 and the TVR bit for its failure."""

    source: str
    failed: TVR

    def __new__(cls, name: str, source: str, failed: TVR) -> Self:
        method = str.__new__(cls, name)
        method._value_ = name
        method.source = source
        method.failed = failed
        return method

    CDA = "CDA", "EMV 4.4 Book 2, 6.6", TVR.CDA_FAILED
    DDA = "DDA", "EMV 4.4 Book 2, 6.5", TVR.DDA_FAILED
    SDA = "SDA", "EMV 4.4 Book 2, 5", TVR.SDA_FAILED


@dataclass(frozen=True, slots=True)
class Authentication:
    """The result so far. ``method`` None: card and terminal have none in common. ``passed`` None: CDA with valid
    certificates, whose signature comes with GENERATE AC. ``chain`` holds the card's keys, also for an enciphered PIN.
    """

    method: Method | None
    passed: bool | None
    chain: Chain

    @property
    def request_cda(self) -> bool:
        """Whether GENERATE AC can ask for a CDA signature."""
        return self.method is Method.CDA and self.passed is None


def choose_method(state: TransactionState) -> Method | None:
    """CDA, else DDA, else SDA: the first that both AIP and terminal capabilities (9F33) have. EMV 4.4 Book 3, 10.3."""
    card, terminal = state.card.get(TAG_82_AIP, b"")[:2], state.terminal.get(TAG_9F33_TERMINAL_CAPABILITIES, b"")
    if AIP.CDA.set_in(card) and TerminalCapabilities.CDA.set_in(terminal):
        return Method.CDA
    if AIP.DDA.set_in(card) and TerminalCapabilities.DDA.set_in(terminal):
        return Method.DDA
    return Method.SDA if AIP.SDA.set_in(card) and TerminalCapabilities.SDA.set_in(terminal) else None


def authenticate(
    state: TransactionState,
    sender: Sender,
    records: CardRecords,
    store: CaStore,
    today: date,
    *,
    default_ddol: bytes | None,
) -> Authentication:
    """Choose the method and carry it out; for CDA, verify the certificates now and the signature later.

    ``default_ddol`` is used for a card without a DDOL. Failures set TVR bits; an answer to INTERNAL AUTHENTICATE that
    is out of form ends the transaction. Raises Stop and TransportError. EMV 4.4 Book 3, 10.3.
    """
    chain = chain_for(state, records, store, today)
    method = choose_method(state)
    if method is None:
        text = "card and terminal have no method of offline data authentication in common"
        state.note(_STAGE, text, _CHOICE, tvr=TVR.ODA_NOT_PERFORMED)
        return Authentication(None, None, chain)
    selected = TVR.SDA_SELECTED if method is Method.SDA else NO_TVR
    state.note(_STAGE, f"{method} with {chain.algorithm} is chosen by AIP and terminal", _CHOICE, tvr=selected)
    try:
        if method is Method.SDA:
            state.card[TAG_9F45_DATA_AUTHENTICATION_CODE] = chain.prove_static()
        else:
            chain.prove_card_key()
        if method is Method.DDA:
            _challenge(state, sender, chain, default_ddol)
    except OdaFailed as failure:
        _failed(state, method, failure)
        return Authentication(method, False, chain)
    state.terminal[TAG_9F22_TERMINAL_CA_KEY_INDEX] = state.card[TAG_8F_CA_KEY_INDEX]
    if method is Method.CDA:
        text = "the certificates of issuer and card are genuine; the signature comes with the cryptogram"
        state.note(_STAGE, text, method.source)
        return Authentication(method, None, chain)
    text = "the static data are the issuer's" if method is Method.SDA else "the card is genuine and so are its data"
    state.note(_STAGE, f"{method} succeeded: {text}", method.source, tsi=TSI.ODA_PERFORMED)
    return Authentication(method, True, chain)


def verify_combined(
    state: TransactionState,
    authentication: Authentication,
    answer: Tlvs,
    sent: Sequence[bytes],
    *,
    signed: CombinedData | None = None,
) -> CombinedData | None:
    """Verify the CDA signature in an answer to GENERATE AC; None, with the TVR bit set, when it is not right.

    ``answer`` are the objects inside the 77 template; ``sent`` the data for PDOL, CDOL1 and, for the second GENERATE
    AC, CDOL2, as they went to the card; ``signed`` what ``signed_data`` gave for this answer. The cryptogram is the one
    in the result. EMV 4.4 Book 2, 6.6.2.
    """
    try:
        chain, number = authentication.chain, _unpredictable(state)
        verified = combined.verify_answer(chain, answer, sent, number, signed=signed)
    except OdaFailed as failure:
        _failed(state, Method.CDA, failure)
        return None
    state.card[TAG_9F4C_ICC_DYNAMIC_NUMBER] = verified.number
    text = "CDA succeeded: the card signed its cryptogram and the data of this transaction"
    state.note(_STAGE, text, Method.CDA.source, tsi=TSI.ODA_PERFORMED)
    return verified


def signed_data(state: TransactionState, authentication: Authentication, answer: Tlvs) -> CombinedData | None:
    """The data inside a CDA signature that the card's key made over this transaction's unpredictable number; None for
    any other signature. Their CID decides the kind of the cryptogram, whatever the answer says in clear. ``answer`` as
    in ``verify_combined``. EMV 4.4 Book 4, 6.3.2.1."""
    try:
        signature = answer.present(TAG_9F4B_SIGNED_DYNAMIC_DATA) or b""
        return combined.signed_data(authentication.chain, signature, _unpredictable(state))
    except OdaFailed:
        return None


def combined_missing(state: TransactionState, why: str) -> None:
    """Note that the card gave no CDA signature although one was requested. EMV 4.4 Book 2, 6.6.2."""
    _failed(state, Method.CDA, OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA, why))


def _unpredictable(state: TransactionState) -> bytes:
    return state.terminal.get(TAG_9F37_UNPREDICTABLE_NUMBER, b"")


def _challenge(state: TransactionState, sender: Sender, chain: Chain, default_ddol: bytes | None) -> None:
    """INTERNAL AUTHENTICATE with the DDOL's data. EMV 4.4 Book 2, 6.5.1; Book 3, 6.5.9."""
    ddol = state.card.get(TAG_9F49_DDOL, default_ddol)
    if ddol is None or not asks_for(ddol, TAG_9F37_UNPREDICTABLE_NUMBER):
        raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA, "DDOL with 9F37")
    data = fill(state, _STAGE, "DDOL", ddol)
    if len(data) > MOST_DATA:
        raise OdaFailed(Signed.DYNAMIC, Check.DYNAMIC_DATA, f"the DDOL asks for {len(data)} bytes")
    operation = "authenticating the card (INTERNAL AUTHENTICATE)"
    response = transmit(state, _STAGE, sender, Command(0x00, 0x88, data=data, ne=256), operation)
    if not response.sw.ok:
        state.stop(_STAGE, f"{operation}: the card answered {response.sw}", FAULTY_ICC)
    tlvs = objects(state, _STAGE, operation, response.data)
    if tlvs is None or len(tlvs) != 1 or tlvs[0].tag not in (TAG_80_FORMAT_1, TAG_77_FORMAT_2):
        state.stop(_STAGE, f"{operation}: the answer is neither format 80 nor 77", FAULTY_ICC)
    signature = (
        tlvs[0].value if tlvs[0].tag == TAG_80_FORMAT_1 else tlvs[0].children.present(TAG_9F4B_SIGNED_DYNAMIC_DATA)
    )
    if signature is None:
        state.stop(_STAGE, f"{operation}: the answer lacks its signature (9F4B)", "EMV 4.4 Book 3, 6.5.9.4")
    state.card[TAG_9F4C_ICC_DYNAMIC_NUMBER] = chain.dynamic(signature, data).number


def _failed(state: TransactionState, method: Method, failure: OdaFailed) -> None:
    """ "ICC data missing" is set for what table 35 names; data missing in an answer are not in that table. EMV 4.4 Book
    3, 7.5."""
    bits = method.failed | (TVR.ICC_DATA_MISSING if failure.check is Check.DATA else NO_TVR)
    state.note(_STAGE, f"{method} failed: {failure}", method.source, tvr=bits, tsi=TSI.ODA_PERFORMED)
