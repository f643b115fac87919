"""Explains an EMV dialogue: the data of each command and answer, split by the card's own data object lists.

PDOL, CDOLs and DDOL define how the terminal's data are joined, and the format of an answer depends on its command. So
exchanges are explained in order, by one ``Conversation``. EMV 4.4 Book 3, 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from terminal.apdu import TraceEntry
from terminal.emv.data.explain import Explained, Explainer
from terminal.emv.data.records import card_objects
from terminal.emv.data.tags import (
    TAG_6F_FCI,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F38_PDOL,
    TAG_9F49_DDOL,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
    TAG_83_COMMAND_TEMPLATE,
    TAG_84_DF_NAME,
    TAG_91_ISSUER_AUTHENTICATION_DATA,
    TAG_94_AFL,
)
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol, Tlvs, decode

_LISTS = (TAG_9F38_PDOL, TAG_8C_CDOL1, TAG_8D_CDOL2, TAG_9F49_DDOL)
_SECURE_MESSAGING = 0x0C
_BY_NAME = 0x04
_FORMAT_1 = {
    0xA8: ((TAG_82_AIP, 2), (TAG_94_AFL, None)),
    0xAE: ((TAG_9F27_CID, 1), (TAG_9F36_ATC, 2), (TAG_9F26_AC, 8), (TAG_9F10_IAD, None)),
    0x88: ((TAG_9F4B_SIGNED_DYNAMIC_DATA, None),),
}
"""Content of an answer in format 1 (tag 80), by instruction: tags and lengths, None for the rest."""


class Conversation:
    """Explains exchanges in their order. ``explainer`` decides whether personal data are shown."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._lists: dict[int, Dol] = {}
        self._cryptograms = 0
        self._unfinished: tuple[bytes, bytes, bytes] | None = None

    def entry(self, entry: TraceEntry) -> tuple[Explained, ...]:
        """One entry of a trace with data: the bytes on the wire, GET RESPONSE and repetitions included.

        An answer in several pieces is explained at its last one. Empty for an entry that was redacted or has no answer.
        """
        if entry.sw is None or (entry.command_length and entry.command_data is None):
            return ()
        if entry.response_length and entry.response_data is None:
            return ()
        header, sent, answer = entry.header, entry.command_data or b"", entry.response_data or b""
        if header[1] == 0xC0 and self._unfinished is not None:
            header, sent, begun = self._unfinished
            answer = begun + answer
        self._unfinished = (header, sent, answer) if entry.sw >> 8 == 0x61 else None
        if entry.sw >> 8 in (0x61, 0x6C):
            return ()
        return self.exchange(header, sent, answer)

    def exchange(self, header: bytes, sent: bytes, answer: bytes) -> tuple[Explained, ...]:
        """One command and the data of its answer. Empty where there is nothing to explain, and for PINs."""
        cla, ins = header[0], header[1]
        if cla & _SECURE_MESSAGING:
            return ()
        lines: list[Explained] = []
        command = self._commands().get(ins) if ins != 0xA4 or header[2] == _BY_NAME else None
        if sent and command is not None:
            lines += _guarded(lambda: command(sent))
        if ins in (0xA4, 0xB2, 0xA8, 0xAE, 0x88, 0xCA) and answer:
            lines += _guarded(lambda: self._answer(ins, answer))
        if ins == 0xAE and answer:
            self._cryptograms += 1
        return tuple(lines)

    def _commands(self) -> dict[int, Callable[[bytes], Iterator[Explained]]]:
        return {
            0xA4: self._selected,
            0xA8: self._options,
            0xAE: lambda sent: self._filled(TAG_8D_CDOL2 if self._cryptograms else TAG_8C_CDOL1, sent),
            0x88: lambda sent: self._filled(TAG_9F49_DDOL, sent),
            0x82: lambda sent: iter((self._explainer.element(TAG_91_ISSUER_AUTHENTICATION_DATA, sent),)),
        }

    def _selected(self, name: bytes) -> Iterator[Explained]:
        self._explainer = replace(self._explainer, aid=name)
        self._lists.clear()
        self._cryptograms = 0
        yield self._explainer.element(TAG_84_DF_NAME, name)

    def _options(self, sent: bytes) -> Iterator[Explained]:
        values = decode(sent).need(TAG_83_COMMAND_TEMPLATE)
        return self._filled(TAG_9F38_PDOL, values)

    def _filled(self, number: int, data: bytes) -> Iterator[Explained]:
        if (dol := self._lists.get(number)) is not None and dol.length == len(data):
            yield from self._explainer.filled(dol, data)
        elif data:
            yield Explained(None, "data", f"{len(data)} bytes for a list that was not seen")

    def _answer(self, ins: int, answer: bytes) -> Iterator[Explained]:
        objects, _ = card_objects(answer)
        self._remember(objects)
        if (value := objects.get(TAG_80_FORMAT_1)) is not None and ins in _FORMAT_1:
            yield from self._format_1(ins, value)
            return
        name = objects.get(TAG_6F_FCI, TAG_84_DF_NAME)
        if name is not None:
            self._explainer = replace(self._explainer, aid=name)
        yield from self._explainer.objects(objects)

    def _format_1(self, ins: int, value: bytes) -> Iterator[Explained]:
        at = 0
        for tag, length in _FORMAT_1[ins]:
            stop = len(value) if length is None else at + length
            if piece := value[at:stop]:
                yield self._explainer.element(tag, piece)
            at = stop

    def _remember(self, objects: Tlvs) -> None:
        """Store the lists that later commands use."""
        for item in objects:
            if item.tag in _LISTS:
                try:
                    self._lists[item.tag] = Dol.parse(item.value)
                except TlvError:
                    self._lists.pop(item.tag, None)
            elif item.children:
                self._remember(item.children)


def _guarded(explained: Callable[[], Iterator[Explained]]) -> list[Explained]:
    """The lines; for bytes that are no data objects, a line that says so."""
    lines: list[Explained] = []
    try:
        lines.extend(explained())
    except CodecError as error:
        lines.append(Explained(None, "data", "", fault=str(error)))
    return lines
