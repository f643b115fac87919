"""Application selection: the candidate list and the final selection. EMV 4.4 Book 1, 12.

``build_candidates`` reads the card's directory (PSE), or selects each AID of the terminal; ``choose`` selects by the
cardholder's choice or by priority. Both note each decision in the state.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from terminal.apdu import Sender
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.elements.codecs import counted
from terminal.emv.data.records import read_command
from terminal.emv.data.tags import (
    TAG_4F_ADF_NAME,
    TAG_6F_FCI,
    TAG_9F11_CODE_TABLE,
    TAG_9F12_PREFERRED_NAME,
    TAG_9F38_PDOL,
    TAG_50_LABEL,
    TAG_61_DIRECTORY_ENTRY,
    TAG_70_RECORD,
    TAG_84_DF_NAME,
    TAG_87_PRIORITY,
    TAG_88_SFI,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.emv.transaction.exchange import objects, select, transmit
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import Cardholder, Choice
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage
from terminal.tlv import Tlv, Tlvs

PSE: Final = b"1PAY.SYS.DDF01"
CODE_TABLES: Final = frozenset(range(1, 11))
"""Parts of ISO/IEC 8859 that a terminal can declare in 9F40. EMV 4.4 Book 4, Annex A3, tables 31 and 32."""
MOST_NEXT: Final = 32
"""Limit of SELECT next for one name: a card that never ends its list must not block the terminal."""

_CARD_BLOCKED, _APPLICATION_BLOCKED, _NO_RECORD = 0x6A81, 0x6283, 0x6A83
_DIRECTORY, _LIST, _FINAL = "EMV 4.4 Book 1, 12.3.2", "EMV 4.4 Book 1, 12.3.3", "EMV 4.4 Book 1, 12.4"


class Supported(NamedTuple):
    """An application that the terminal supports: its AID (5 to 16 bytes), and the application selection indicator:
    ``partial`` when a longer name of the card that begins with it matches too. EMV 4.4 Book 1, 12.3.1."""

    aid: bytes
    partial: bool = True

    def matches(self, name: bytes) -> bool:
        return name == self.aid or (self.partial and name.startswith(self.aid))


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application that card and terminal have in common. ``priority`` is 1 (first) to 15, 0 for none; ``confirm``
    says that it needs the cardholder's confirmation. ``table`` is the directory's code table (9F11), None for none: it
    applies to an application without one of its own. EMV 4.4 Book 1, 12.2.2; 12.2.3, table 13."""

    name: bytes
    supported: Supported
    label: str
    priority: int
    confirm: bool
    table: bytes | None = None


class Selected(NamedTuple):
    """The selected application: its full name (84), the terminal's entry for it, its FCI, its label for the display.

    EMV 4.4 Book 1, 11.3.4.
    """

    name: bytes
    supported: Supported
    fci: Tlvs
    label: str

    @property
    def pdol(self) -> bytes:
        """The PDOL, tag 9F38; empty for none."""
        return self.fci.present(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_9F38_PDOL) or b""


def build_candidates(
    state: TransactionState,
    sender: Sender,
    supported: Sequence[Supported],
    *,
    pse: bool = True,
    code_tables: Collection[int] = CODE_TABLES,
) -> list[Candidate]:
    """The candidates, highest priority first.

    ``pse``: whether the terminal uses the directory at all; ``code_tables``: the parts of ISO/IEC 8859 that its
    display supports. Raises Stop when there is none, or the card or all it has in common with the terminal is blocked,
    and TransportError. EMV 4.4 Book 1, 12.3; 12.4, step 1.
    """
    candidates = _from_directory(state, sender, supported, code_tables) if pse else None
    if not candidates:
        candidates = _from_list(state, sender, supported, code_tables)
    if not candidates:
        reason = "card and terminal have no application in common"
        state.stop(KernelStage.SELECTION, reason, _FINAL, Result.TRY_ANOTHER_INTERFACE)
    ordered = sorted(candidates, key=lambda candidate: candidate.priority or 16)
    names = ", ".join(candidate.name.hex().upper() for candidate in ordered)
    state.note(KernelStage.SELECTION, f"candidates in the order of their priority: {names}", _FINAL)
    return ordered


def choose(
    state: TransactionState,
    sender: Sender,
    candidates: Sequence[Candidate],
    cardholder: Cardholder | None,
    *,
    code_tables: Collection[int] = CODE_TABLES,
) -> tuple[Selected, list[Candidate]]:
    """Select one candidate; also returns those that are left, in case the card does not open it.

    ``cardholder`` None is a terminal that neither offers a choice nor takes confirmations. After one question to the
    cardholder every candidate that is left needs confirmation. The FCI goes into
    ``state.card``. Raises Stop when nothing is left or the cardholder declines, and TransportError.
    EMV 4.4 Book 1, 12.4.
    """
    left = list(candidates)
    while True:
        picked, with_choice = _pick(state, left, cardholder)
        left.remove(picked)
        if with_choice:
            left = [replace(candidate, confirm=True) for candidate in left]
        selected = _select(state, sender, picked, code_tables)
        if selected is not None:
            return selected, left


def _from_directory(
    state: TransactionState, sender: Sender, supported: Sequence[Supported], code_tables: Collection[int]
) -> list[Candidate] | None:
    """The candidates of the PSE; None where there is no usable directory."""
    operation = "selecting the payment system environment"
    response = select(state, sender, PSE, operation)
    if response.sw == _CARD_BLOCKED:
        state.stop(KernelStage.SELECTION, f"the card is blocked or knows no SELECT: {response.sw}", _DIRECTORY)
    if not response.sw.ok:
        state.note(KernelStage.SELECTION, f"no directory (PSE): {response.sw}; the list of AIDs is used", _DIRECTORY)
        return None
    fci = objects(state, KernelStage.SELECTION, operation, response.data)
    sfi = fci.present(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_88_SFI) if fci is not None else None
    if (
        fci is None
        or fci.present(TAG_6F_FCI, TAG_84_DF_NAME) != PSE
        or sfi is None
        or len(sfi) != 1
        or not 1 <= sfi[0] <= 10
    ):
        state.note(
            KernelStage.SELECTION, "the FCI of the directory is out of form; the list of AIDs is used", _DIRECTORY
        )
        return None
    entries = _entries(state, sender, sfi[0])
    if entries is None:
        return None
    table = fci.present(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_9F11_CODE_TABLE)
    candidates: list[Candidate] = []
    for entry in entries:
        name = entry.present(TAG_4F_ADF_NAME) or b""
        match = _match(supported, name)
        if match is not None and 5 <= len(name) <= 16:
            _add(candidates, _candidate(name, match, entry, table, code_tables))
    what = f"the directory (PSE) names {counted(len(entries), 'application')}, the terminal knows {len(candidates)}"
    state.note(KernelStage.SELECTION, what if candidates else f"{what}; the list of AIDs is used", _DIRECTORY)
    return candidates


def _entries(state: TransactionState, sender: Sender, sfi: int) -> list[Tlvs] | None:
    """The entries of the directory file, records from 1 until 6A83; None when the directory is unusable."""
    entries: list[Tlvs] = []
    for number in range(1, 255):
        operation = f"reading record {number} of the directory"
        response = transmit(state, KernelStage.SELECTION, sender, read_command(sfi, number), operation)
        if response.sw == _NO_RECORD:
            break
        record = objects(state, KernelStage.SELECTION, operation, response.data) if response.sw.ok else None
        template = record.only(TAG_70_RECORD) if record is not None else None
        if template is None:
            why = "is out of form" if response.sw.ok else f"cannot be read: {response.sw}"
            state.note(
                KernelStage.SELECTION, f"record {number} of the directory {why}; the list of AIDs is used", _DIRECTORY
            )
            return None
        entries += [entry.children for entry in template.children.find_all(TAG_61_DIRECTORY_ENTRY)]
    return entries


def _from_list(
    state: TransactionState, sender: Sender, supported: Sequence[Supported], code_tables: Collection[int]
) -> list[Candidate]:
    """Select each AID of the terminal, and the next name that begins with it until there is none. Where every
    application in common is blocked, the transaction ends, so that no other interface is tried."""
    candidates: list[Candidate] = []
    blocked = False
    for entry in supported:
        seen: set[bytes] = set()
        for turn in range(MOST_NEXT):
            operation = f"selecting {entry.aid.hex().upper()}" + (f", occurrence {turn + 1}" if turn else "")
            response = select(state, sender, entry.aid, operation, following=turn > 0)
            if response.sw == _CARD_BLOCKED and not turn:
                state.stop(KernelStage.SELECTION, f"the card is blocked or knows no SELECT: {response.sw}", _LIST)
            if not (response.sw.ok or response.sw == _APPLICATION_BLOCKED or (turn and response.sw.warning)):
                break
            fci = objects(state, KernelStage.SELECTION, operation, response.data)
            name = fci.present(TAG_6F_FCI, TAG_84_DF_NAME) if fci is not None else None
            if fci is None or name is None or not name.startswith(entry.aid) or name in seen:
                break
            seen.add(name)
            if not response.sw.ok:
                blocked = blocked or response.sw == _APPLICATION_BLOCKED
                state.note(KernelStage.SELECTION, f"{name.hex().upper()} is no candidate: {response.sw}", _LIST)
            elif entry.matches(name):
                inside = _template(fci, TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY)
                table = fci.present(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_9F11_CODE_TABLE)
                if inside is not None:
                    claims = _match(supported, name) or entry
                    _add(candidates, _candidate(name, claims, inside.children, table, code_tables))
            else:
                state.note(
                    KernelStage.SELECTION, f"{name.hex().upper()} is longer than the AID; a full match is asked", _LIST
                )
            if name == entry.aid or not entry.partial:
                break
    if blocked and not candidates:
        state.stop(KernelStage.SELECTION, "every application in common is blocked", _FINAL)
    state.note(KernelStage.SELECTION, f"the list of AIDs gives {counted(len(candidates), 'application')}", _LIST)
    return candidates


def _match(supported: Sequence[Supported], name: bytes) -> Supported | None:
    """The terminal's entry for a name of the card, the longest where several match."""
    return max((entry for entry in supported if entry.matches(name)), key=lambda e: len(e.aid), default=None)


def _add(candidates: list[Candidate], new: Candidate) -> None:
    if all(candidate.name != new.name for candidate in candidates):
        candidates.append(new)


def _candidate(
    name: bytes, match: Supported, inside: Tlvs, table: bytes | None, code_tables: Collection[int]
) -> Candidate:
    indicator = inside.present(TAG_87_PRIORITY) or b"\x00"
    label = display_name(
        name, inside.present(TAG_50_LABEL), inside.present(TAG_9F12_PREFERRED_NAME), table, code_tables
    )
    return Candidate(name, match, label, indicator[0] & 0x0F, bool(indicator[0] & 0x80), table)


def display_name(
    name: bytes, label: bytes | None, preferred: bytes | None, table: bytes | None, code_tables: Collection[int]
) -> str:
    """The name for the display: the preferred name where the terminal supports its code table (9F11), else the label,
    else the AID. EMV 4.4 Book 1, 12.2.4, 12.4."""
    shown = ""
    if preferred and table is not None and len(table) == 1 and table[0] in CODE_TABLES and table[0] in code_tables:
        shown = _printable(preferred.decode(f"iso8859-{table[0]}", "replace"))
    return shown or _printable((label or b"").decode("ascii", "replace")) or name.hex().upper()


def _printable(text: str) -> str:
    """Without control characters: a card's text must not control a display."""
    return (text if text.isprintable() else "".join(c for c in text if c.isprintable())).strip()


def _pick(state: TransactionState, left: Sequence[Candidate], cardholder: Cardholder | None) -> tuple[Candidate, bool]:
    """The next application to select, and whether the cardholder chose or confirmed it."""
    if not left:
        state.stop(
            KernelStage.SELECTION, "the card opens no application that it has in common with the terminal", _FINAL
        )
    if cardholder is None:
        free = next((candidate for candidate in left if not candidate.confirm), None)
        if free is None:
            reason = "every application asks for the cardholder's confirmation, which this terminal cannot give"
            state.stop(KernelStage.SELECTION, reason, _FINAL)
        state.note(KernelStage.SELECTION, f"{free.label} has the highest priority", _FINAL)
        return free, False
    if len(left) == 1 and not left[0].confirm:
        state.note(KernelStage.SELECTION, f"{left[0].label} is the only application", _FINAL)
        return left[0], False
    answer = cardholder.choose([Choice(candidate.name, candidate.label) for candidate in left])
    if answer is None:
        state.stop(KernelStage.SELECTION, "the cardholder chose no application", _FINAL, Result.CANCELLED)
    if not 0 <= answer < len(left):
        raise ValueError(f"choice {answer} of {len(left)} applications")
    state.note(KernelStage.SELECTION, f"the cardholder chose {left[answer].label}", _FINAL)
    return left[answer], True


def _select(
    state: TransactionState, sender: Sender, picked: Candidate, code_tables: Collection[int]
) -> Selected | None:
    """The final SELECT; None when the card does not open the application. EMV 4.4 Book 1, 12.4."""
    operation = f"selecting {picked.name.hex().upper()}"
    response = select(state, sender, picked.name, operation)
    fci = objects(state, KernelStage.SELECTION, operation, response.data) if response.sw.ok else None
    inside = _template(fci, TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY) if fci is not None else None
    if fci is None or inside is None or fci.present(TAG_6F_FCI, TAG_84_DF_NAME) != picked.name:
        why = "its FCI is out of form" if response.sw.ok else str(response.sw)
        state.note(KernelStage.SELECTION, f"{picked.label} is not opened ({why}); it is a candidate no more", _FINAL)
        return None
    state.aid = picked.name
    objects_of = inside.children
    state.card = _fci_data(picked.name, inside)
    state.card[TAG_84_DF_NAME] = picked.name
    table = objects_of.present(TAG_9F11_CODE_TABLE) or picked.table
    label = display_name(
        picked.name, objects_of.present(TAG_50_LABEL), objects_of.present(TAG_9F12_PREFERRED_NAME), table, code_tables
    )
    state.note(KernelStage.SELECTION, f"{label} ({picked.name.hex().upper()}) is selected", _FINAL)
    return Selected(picked.name, picked.supported, fci, label)


def _template(objects_of: Tlvs, *path: int) -> Tlv | None:
    """The first template on the path that is not empty, else one that is: its elements are optional."""
    return objects_of.full(*path) or objects_of.find(*path)


def _fci_data(name: bytes, proprietary: Tlv) -> dict[int, bytes]:
    """The card data of an FCI (A5, and BF0C in it) that are known where they stand; the first of a tag. What is empty
    is absent. EMV 4.4 Book 3, 5.2, 7.5."""
    known, data = STANDARD.known(name).of_an_fci, dict[int, bytes]()
    discretionary = _template(proprietary.children, TAG_BF0C_FCI_DISCRETIONARY)
    for template in (proprietary,) if discretionary is None else (proprietary, discretionary):
        allowed = known[template.tag]
        for tag, value, _ in template.children:
            if value and tag in allowed:
                data.setdefault(tag, value)
    return data
