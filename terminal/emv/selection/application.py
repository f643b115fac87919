"""Application initiation and reading: GET PROCESSING OPTIONS and the records. EMV 4.4 Book 3, 10.1 and 10.2."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from terminal.apdu import Command, Sender
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.elements.codecs import counted
from terminal.emv.data.records import Afl, Record, read_command
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F24_EXPIRATION_DATE,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_77_FORMAT_2,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
    TAG_83_COMMAND_TEMPLATE,
    TAG_94_AFL,
    TAG_97_TDOL,
    TAG_98_TC_HASH,
)
from terminal.emv.selection.selection import CODE_TABLES, Selected, Supported, build_candidates, choose
from terminal.emv.transaction.exchange import FAULTY_ICC, MOST_DATA, objects, remark_length, transmit
from terminal.emv.transaction.protocols import Cardholder
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol, Tlvs, asks_for, tlv

MOST_RECORDS: Final = 256
"""More than any card has (the largest application files hold a few dozen): a hostile AFL must not hold the terminal."""
MANDATORY: Final = {
    TAG_5F24_EXPIRATION_DATE: "expiry date",
    TAG_5A_PAN: "card number",
    TAG_8C_CDOL1: "CDOL1",
    TAG_8D_CDOL2: "CDOL2",
}
"""EMV 4.4 Book 3, 7.2, table 28."""

_CONDITIONS_NOT_SATISFIED = 0x6985
_LAST_EMV_SFI = 10
_INITIATE, _READ = "EMV 4.4 Book 3, 10.1", "EMV 4.4 Book 3, 10.2"


class Opened(NamedTuple):
    """An initiated application. ``pdol_data`` are the bytes sent for its PDOL (part of a CDA signature); ``aip`` is 2
    bytes."""

    selected: Selected
    pdol_data: bytes
    aip: bytes
    afl: Afl


class CardRecords(NamedTuple):
    """The records of the AFL, in its order. ``unfit`` is the reason why offline data authentication must fail: a
    signed record of SFI 11 to 30 that is no 70 template. EMV 4.4 Book 3, 10.3."""

    records: tuple[Record, ...]
    unfit: str | None = None


def open_application(
    state: TransactionState,
    sender: Sender,
    supported: Sequence[Supported],
    cardholder: Cardholder | None,
    *,
    prepare: Callable[[Selected], None],
    pse: bool = True,
    code_tables: Collection[int] = CODE_TABLES,
) -> Opened:
    """Select an application and initiate it; one that answers 6985 gives way to the next candidate.

    ``prepare`` brings the terminal data of the selected application into ``state.terminal`` before the PDOL is filled.
    Raises Stop and TransportError. EMV 4.4 Book 1, 12; Book 3, 10.1.
    """
    candidates = build_candidates(state, sender, supported, pse=pse, code_tables=code_tables)
    while True:
        selected, candidates = choose(state, sender, candidates, cardholder, code_tables=code_tables)
        prepare(selected)
        opened = initiate(state, sender, selected)
        if opened is not None:
            return opened


def initiate(state: TransactionState, sender: Sender, selected: Selected) -> Opened | None:
    """GET PROCESSING OPTIONS; None when the card answers 6985 (conditions not satisfied).

    AIP and AFL go into ``state.card``. Raises Stop and TransportError. EMV 4.4 Book 3, 6.5.8, 10.1.
    """
    pdol_data = fill(state, KernelStage.INITIATION, "PDOL", selected.pdol)
    if len(template := tlv(TAG_83_COMMAND_TEMPLATE, pdol_data).encode()) > MOST_DATA:
        state.stop(
            KernelStage.INITIATION, f"the PDOL asks for {len(pdol_data)} bytes, which no command carries", FAULTY_ICC
        )
    operation = "getting processing options"
    response = transmit(state, KernelStage.INITIATION, sender, Command(0x80, 0xA8, data=template, ne=256), operation)
    if response.sw == _CONDITIONS_NOT_SATISFIED:
        state.note(
            KernelStage.INITIATION,
            f"the application is not to be used now: {response.sw}; the next is tried",
            _INITIATE,
        )
        return None
    if not response.sw.ok:
        state.stop(KernelStage.INITIATION, f"{operation}: the card answered {response.sw}", _INITIATE)
    tlvs = objects(state, KernelStage.INITIATION, operation, response.data)
    parts = _options(tlvs) if tlvs is not None else None
    if parts is None:
        state.stop(
            KernelStage.INITIATION, f"{operation}: the answer holds no AIP and AFL in format 80 or 77", FAULTY_ICC
        )
    aip, raw = parts
    try:
        afl = Afl.parse(raw)
    except CodecError as fault:
        state.stop(KernelStage.INITIATION, f"the application file locator is in error: {fault}", _READ)
    state.card |= {TAG_82_AIP: aip, TAG_94_AFL: raw}
    records = f"{counted(sum([e.last - e.first + 1 for e in afl.entries]), 'record')} to be read (AFL)"
    state.note(KernelStage.INITIATION, f"application profile (AIP) {aip.hex().upper()}, {records}", _INITIATE)
    return Opened(selected, pdol_data, aip, afl)


def read_application(state: TransactionState, sender: Sender, opened: Opened) -> CardRecords:
    """Read every record of the AFL; the data elements of the card that are known go into ``state.card``.

    A status word other than 9000, a record out of form, an element twice, a mandatory element that is missing and a
    list of GENERATE AC out of form end the transaction. Raises Stop and TransportError.
    EMV 4.4 Book 3, 6.5.11, 7.2, 7.5, 10.2.
    """
    places = list(opened.afl.records())
    if len(places) > MOST_RECORDS:
        state.stop(KernelStage.READING, f"the AFL names {len(places)} records; {MOST_RECORDS} are the most", _READ)
    records, unfit = [], None
    for sfi, number, signed in places:
        record = _read(state, sender, sfi, number, signed)
        if isinstance(record, Record):
            records.append(record)
        elif signed:
            unfit = record
    _store(state, records)
    _check_mandatory(state)
    state.note(KernelStage.READING, f"{counted(len(places), 'record')} read, every mandatory element is there", _READ)
    return CardRecords(tuple(records), unfit)


def fill(state: TransactionState, stage: KernelStage, name: str, dol: bytes) -> bytes:
    """The data for a data object list of the card, each fitted by its format. Raises Stop for a list out of form.

    EMV 4.4 Book 3, 5.4.
    """
    try:
        parsed = Dol.parse(dol)
    except TlvError as fault:
        state.stop(stage, f"the {name} is out of form: {fault}", FAULTY_ICC)
    return parsed.fill(state.values(), STANDARD.known(state.aid).formats)


def _options(tlvs: Tlvs) -> tuple[bytes, bytes] | None:
    """AIP and AFL of either format, None where the answer is out of form. EMV 4.4 Book 3, 6.5.8.4."""
    if (plain := tlvs.only(TAG_80_FORMAT_1)) is not None:
        return (plain.value[:2], plain.value[2:]) if len(plain.value) >= 6 else None
    if (template := tlvs.only(TAG_77_FORMAT_2)) is None:
        return None
    present = [item for item in template.children if item.value]
    aips, afls = ([item for item in present if item.tag == tag] for tag in (TAG_82_AIP, TAG_94_AFL))
    if len(aips) != 1 or len(afls) != 1 or len(aips[0].value) != 2:
        return None
    return aips[0].value, afls[0].value


def _read(state: TransactionState, sender: Sender, sfi: int, number: int, signed: bool) -> Record | str:
    """One record; the fault as text for one of SFI 11 to 30 that is no 70 template: their form is proprietary."""
    operation = f"reading SFI {sfi}, record {number}"
    response = transmit(state, KernelStage.READING, sender, read_command(sfi, number), operation)
    if not response.sw.ok:
        state.stop(KernelStage.READING, f"{operation}: the card answered {response.sw}", _READ)
    try:
        record = Record.decode(sfi, number, signed, response.data)
    except CodecError as fault:
        if sfi > _LAST_EMV_SFI:
            return str(fault)
        state.stop(KernelStage.READING, f"{operation}: {fault}", FAULTY_ICC)
    if record.long_length:
        remark_length(state, KernelStage.READING, operation)
    return record


def _store(state: TransactionState, records: Iterable[Record]) -> None:
    """Store the card data that are known in a record; nothing else can reach a data object list. What stands inside
    another template of the record, or belongs into another template, is unknown; what is empty is absent.
    EMV 4.4 Book 3, 5.2, 7.5, 10.2."""
    seen: set[int] = set()
    known_tags = STANDARD.known(state.aid).of_a_record
    for record in records:
        for tag, value, _ in record.objects:
            if tag not in known_tags or not value:
                continue
            if tag in seen:
                place = f"SFI {record.sfi}, record {record.number}"
                state.stop(KernelStage.READING, f"{tag} occurs twice, again in {place}", _READ)
            seen.add(tag)
            state.card[tag] = value


def _check_mandatory(state: TransactionState) -> None:
    missing = [f"{name} ({tag:02X})" for tag, name in MANDATORY.items() if tag not in state.card]
    if missing:
        state.stop(KernelStage.READING, f"mandatory data are missing: {', '.join(missing)}", _READ)
    if card_number(state.card[TAG_5A_PAN]) is None:
        state.stop(KernelStage.READING, "the card number is out of form", FAULTY_ICC)
    _check_lists(state)


def _check_lists(state: TransactionState) -> None:
    """Stop for a list of GENERATE AC that cannot be filled: of CDOL2, and the TDOL that it names, the terminal would
    see it only after the issuer has answered. EMV 4.4 Book 3, 5.4, 9.2."""
    first, second = state.card[TAG_8C_CDOL1], state.card[TAG_8D_CDOL2]
    lists = {"CDOL1": first, "CDOL2": second}
    if asks_for(first, TAG_98_TC_HASH) or asks_for(second, TAG_98_TC_HASH):
        lists["TDOL"] = state.card.get(TAG_97_TDOL, b"")
    for name, dol in lists.items():
        try:
            length = Dol.parse(dol).length
        except TlvError as fault:
            state.stop(KernelStage.READING, f"the {name} is out of form: {fault}", FAULTY_ICC)
        if name != "TDOL" and not 0 < length <= MOST_DATA:
            state.stop(KernelStage.READING, f"{name} asks for {length} bytes, which no command carries", FAULTY_ICC)


def card_number(pan: bytes) -> str | None:
    """The digits of tag 5A (cn, padded with F), at most 19; None when it is out of form. EMV 4.4 Book 3, 4.3."""
    digits = pan.hex().rstrip("f")
    return digits if digits.isdigit() and 8 <= len(digits) <= 19 and len(pan) <= 10 else None
