"""GENERATE AC: command data and answer. EMV 4.4 Book 3, 6.5.5, 9.2, 10.8; Book 2, 6.6, 8.1."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from terminal.apdu import Command, Sender
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.data.tags import (
    TAG_8C_CDOL1,
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_77_FORMAT_2,
    TAG_80_FORMAT_1,
    TAG_97_TDOL,
    TAG_98_TC_HASH,
)
from terminal.emv.selection.application import fill
from terminal.emv.transaction.config import ApplicationSettings
from terminal.emv.transaction.exchange import FAULTY_ICC, objects, transmit
from terminal.emv.transaction.outcome import CryptogramType
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import NO_TVR, KernelStage
from terminal.tlv import Tlvs, asks_for

_REFERENCE: Final = {CryptogramType.AAC: 0x00, CryptogramType.TC: 0x40, CryptogramType.ARQC: 0x80}
_KINDS: Final = {value: kind for kind, value in _REFERENCE.items()}
_RANK: Final = {CryptogramType.AAC: 0, CryptogramType.ARQC: 1, CryptogramType.TC: 2}
_CDA_REQUESTED: Final = 0x10
_TYPE: Final = 0xC0
"""Bits of the cryptogram information data for the kind. EMV 4.4 Book 3, 6.5.5.4, table 15."""
_ADVICE, _REASON, _SERVICE_NOT_ALLOWED = 0x08, 0x07, 0x01
_SOURCE: Final = "EMV 4.4 Book 3, 6.5.5, 10.8"
_ELEMENTS: Final = frozenset((TAG_9F27_CID, TAG_9F36_ATC, TAG_9F26_AC, TAG_9F10_IAD, TAG_9F4B_SIGNED_DYNAMIC_DATA))
"""What counts in an answer of format 2; anything else, and what is empty, is unknown or absent. EMV 4.4 Book 3, 5.2,
6.5.5.4, 7.5."""
_LENGTHS: Final = {
    TAG_9F27_CID: range(1, 2),
    TAG_9F36_ATC: range(2, 3),
    TAG_9F26_AC: range(8, 9),
    TAG_9F10_IAD: range(33),
}


@dataclass(frozen=True, slots=True)
class GenerateAcResponse:
    """One answer to GENERATE AC, well-formed but not verified. ``ac`` is empty while a CDA signature holds it, or where
    an answer without it counts as an AAC.

    ``objects`` are those inside a 77 template, none for format 1: a CDA signature is over them. EMV 4.4 Book 2, 6.6.1.
    """

    kind: CryptogramType
    cid: int
    atc: bytes
    ac: bytes
    issuer_data: bytes
    signature: bytes | None
    objects: Tlvs
    signed: bool = False
    """Whether a CDA signature that proves its CID holds the cryptogram, or one of another kind than an AAC came."""

    @property
    def advice(self) -> bool:
        """Whether the card requires an advice: CID, bit 4."""
        return bool(self.cid & _ADVICE)


def list_data(state: TransactionState, stage: KernelStage, tag: int, application: ApplicationSettings) -> bytes:
    """The data for CDOL1 or CDOL2, with the TC hash value where the list names it. Raises Stop.

    EMV 4.4 Book 3, 5.4, 9.2.2; Book 2, 8.1 (hash algorithm: SHA-1).
    """
    name = "CDOL1" if tag == TAG_8C_CDOL1 else "CDOL2"
    dol = state.card.get(tag, b"")
    if asks_for(dol, TAG_98_TC_HASH):
        tdol = state.card.get(TAG_97_TDOL)
        if tdol is None:
            # A terminal without a default TDOL uses an empty list; that does not set the bit for a default TDOL.
            own = application.default_tdol
            tdol = bytes.fromhex(own or "")
            text = f"the card has no TDOL; {'an empty one' if own is None else 'that of the terminal'} is used"
            used = NO_TVR if own is None else TVR.DEFAULT_TDOL_USED
            state.note(stage, text, "EMV 4.4 Book 3, 9.2.2", tvr=used)
        hashed = fill(state, stage, "TDOL", tdol)
        state.terminal[TAG_98_TC_HASH] = hashlib.sha1(hashed, usedforsecurity=False).digest()
    return fill(state, stage, name, dol)


SignedInformation = Callable[[Tlvs], int | None]
"""The CID inside a CDA signature, from the objects of an answer; None where the signature proves nothing."""


def generate(
    state: TransactionState,
    sender: Sender,
    stage: KernelStage,
    kind: CryptogramType,
    data: bytes,
    *,
    signed: SignedInformation | None = None,
) -> GenerateAcResponse:
    """GENERATE AC, the first or the second. The card may answer with a lower kind than requested, never with a higher
    one. ``signed`` requests a CDA signature and reads the CID in it, which decides the kind of the cryptogram: the one
    in clear may have been changed on its way. EMV 4.4 Book 4, 6.3.2.1.

    A status word other than 9000 and an answer out of form end the transaction; so does a first one of a higher or
    undefined kind, while a second one that is neither the requested TC nor an AAC counts as an AAC. Raises Stop and
    TransportError. EMV 4.4 Book 3, 6.5.5, 9.3, 10.8.
    """
    cda = signed is not None
    operation = f"asking for {kind.value}{' with a CDA signature' if cda else ''} (GENERATE AC)"
    command = Command(0x80, 0xAE, _REFERENCE[kind] | (_CDA_REQUESTED if cda else 0), 0x00, data, ne=256)
    response = transmit(state, stage, sender, command, operation)
    if not response.sw.ok:
        state.stop(stage, f"{operation}: the card answered {response.sw}", _SOURCE)
    answer = _parse(state, stage, operation, response.data, signed)
    if stage is KernelStage.COMPLETION and answer.cid & _TYPE not in (_REFERENCE[kind], _REFERENCE[CryptogramType.AAC]):
        text = f"{operation}: cryptogram information {answer.cid:02X} is no answer to it now; it counts as an AAC"
        state.note(stage, text, "EMV 4.4 Book 3, 9.3")
        answer = replace(answer, kind=CryptogramType.AAC)
    elif not answer.ac and not (cda and answer.signed):
        _malformed(state, stage, operation, "there is no cryptogram outside a signature that nobody asked for")
    elif _RANK[answer.kind] > _RANK[kind]:
        state.stop(stage, f"{operation}: the card answered a {answer.kind.value}, which is more", "EMV 4.4 Book 3, 9.3")
    if answer.kind is CryptogramType.AAC and answer.cid & _REASON == _SERVICE_NOT_ALLOWED:
        state.stop(stage, f"{operation}: the card does not allow this service", "EMV 4.4 Book 4, 6.3.7")
    state.card |= {TAG_9F27_CID: bytes((answer.cid,)), TAG_9F36_ATC: answer.atc, TAG_9F10_IAD: answer.issuer_data}
    if answer.ac:
        state.card[TAG_9F26_AC] = answer.ac
    text = (
        f"{operation}: the card answered {answer.kind.value}, transaction counter {int.from_bytes(answer.atc, 'big')}"
    )
    state.note(stage, text, _SOURCE, tsi=TSI.CARD_RISK_MANAGEMENT_PERFORMED)
    return answer


def _parse(
    state: TransactionState, stage: KernelStage, operation: str, data: bytes, signed: SignedInformation | None
) -> GenerateAcResponse:
    objects_of = objects(state, stage, operation, data)
    if objects_of is None or len(objects_of) != 1:
        _malformed(state, stage, operation, "the answer is not one data object")
    template = objects_of[0]
    if template.tag == TAG_80_FORMAT_1:
        value = template.value
        if not 11 <= len(value) <= 43:
            _malformed(state, stage, operation, f"an answer in format 1 of {len(value)} bytes")
        return _answer(state, stage, operation, value[:1], value[1:3], value[3:11], value[11:], None, Tlvs())
    if template.tag != TAG_77_FORMAT_2:
        _malformed(state, stage, operation, f"the answer is {template.tag}, not 80 or 77")
    inside = template.children
    present = [item for item in inside if item.value and item.tag in _ELEMENTS]
    values: dict[int, bytes] = {item.tag: item.value for item in present}
    if len(values) != len(present):
        _malformed(state, stage, operation, "a data object occurs twice")
    signature = values.get(TAG_9F4B_SIGNED_DYNAMIC_DATA)
    for tag in (TAG_9F27_CID, TAG_9F36_ATC) if signature is not None else (TAG_9F27_CID, TAG_9F36_ATC, TAG_9F26_AC):
        if tag not in values:
            _malformed(state, stage, operation, f"{tag:04X} is missing")
    for tag, lengths in _LENGTHS.items():
        if tag in values and len(values[tag]) not in lengths:
            _malformed(state, stage, operation, f"{tag:04X} has {len(values[tag])} bytes")
    cid = values[TAG_9F27_CID]
    proven = signed(inside) if signed is not None and signature is not None else None
    if proven is not None and proven != cid[0]:
        clear = cid.hex().upper()
        text = f"{operation}: the card signed cryptogram information {proven:02X}, and {clear} in clear does not count"
        state.note(stage, text, "EMV 4.4 Book 4, 6.3.2.1")
        cid = bytes((proven,))
    parts = (cid, values[TAG_9F36_ATC], values.get(TAG_9F26_AC, b""), values.get(TAG_9F10_IAD, b""))
    answer = _answer(state, stage, operation, *parts, signature, inside)
    holds = signature is not None and (proven is not None or answer.kind is not CryptogramType.AAC)
    return replace(answer, signed=holds)


def _answer(
    state: TransactionState,
    stage: KernelStage,
    operation: str,
    cid: bytes,
    atc: bytes,
    ac: bytes,
    issuer_data: bytes,
    signature: bytes | None,
    inside: Tlvs,
) -> GenerateAcResponse:
    kind = _KINDS.get(cid[0] & _TYPE)
    if kind is None and stage is KernelStage.COMPLETION:
        kind = CryptogramType.AAC
    if kind is None:
        _malformed(state, stage, operation, f"cryptogram information {cid.hex().upper()} names no kind of cryptogram")
    return GenerateAcResponse(kind, cid[0], atc, ac, issuer_data, signature, inside)


def _malformed(state: TransactionState, stage: KernelStage, operation: str, what: str) -> NoReturn:
    state.stop(stage, f"{operation}: {what}", FAULTY_ICC)
