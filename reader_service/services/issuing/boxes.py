"""Boxes: packed by ticking cards off, handed over level by level, and signed for; with their lists, labels and
letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from personalize.errors import NoChineseFont
from reader_service.errors import Conflict, Invalid
from reader_service.letters import letter_sender
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode, ReaderView
from reader_service.readers.worker import ReaderSession
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.handover.filling import CAPACITY
from registry.handover.values import Box, BoxCard, BoxSheet, BoxStage, CardPlaces, Level, Move, Tick
from terminal.apdu import Disposition, stack
from terminal.member.verdict import verify

_READING: Final = 20.0
"""Seconds after which reading a card counts as hung."""
_SHARED: Final = (Mode.FREE, Mode.COUNTER)
"""Modes of a reader that nobody works with alone."""


class BoxService:
    """Every change raises NotFound, and Conflict where the box or a card is at another stage."""

    def __init__(self, parts: ServiceParts, readers: ReaderManager) -> None:
        self._parts, self._registry, self._readers = parts, parts.registry, readers

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        batch_id: str | None = None,
        stage: BoxStage | None = None,
        unit_part: str | None = None,
    ) -> Page[Box]:
        """Boxes, newest first. Raises WrongCursor."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.boxes.page(cursor, limit, batch_id=batch_id, stage=stage, unit_part=unit_part)

    def box(self, p: Principal, box_id: str) -> Box:
        """Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.boxes.box(box_id)

    def cards(self, p: Principal, box_id: str) -> list[BoxCard]:
        """The cards in a box, in the order of its list. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.boxes.cards(box_id)

    def places(self, p: Principal, batch_id: str) -> CardPlaces:
        """The cards of a batch by place. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.boxes.places(batch_id)

    def of_scan(self, p: Principal, scan: str) -> str:
        """The id of the box that a scan means: of its own code, or of a card in it. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.boxes.of_scan(scan)

    def create(self, p: Principal, batch_id: str, *, capacity: int = CAPACITY, together: int = 0) -> list[Box]:
        """Boxes for all cards of a batch that are in stock, by unit."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.create(batch_id, p.name, capacity=capacity, together=together)

    def tick(self, p: Principal, box_id: str, scan: str) -> Tick:
        """Tick a card off, by its number or its chip's serial."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.tick(box_id, scan, p.name)

    def tick_inserted(self, p: Principal, box_id: str, reader_id: str) -> Tick:
        """Tick off the card in a reader that is free or in counter mode, once its chip proved that it is genuine.
        Raises ReaderOut without a card, Conflict for a reader that somebody works with, or a card that is no genuine
        one."""
        p.need(Permission.CARDS_CHANGE)
        return self.tick(p, box_id, self._number_in(reader_id))

    def readers(self, p: Principal) -> list[ReaderView]:
        """The readers in which cards can be ticked off."""
        p.need(Permission.CARDS_CHANGE)
        return [reader for reader in self._readers.views() if _shared(reader)]

    def untick(self, p: Principal, box_id: str, scan: str) -> BoxCard:
        """Take a tick back."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.untick(box_id, scan, p.name)

    def leave_out(self, p: Principal, box_id: str, cards: Sequence[str] | None, reason: str) -> Box:
        """Take cards out of an open box, None for all that nobody has ticked off. Raises Invalid without a reason."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.boxes.leave_out(box_id, cards, p.name, why)

    def discard(self, p: Principal, box_id: str, reason: str) -> Box:
        """Give up an open box. Raises Invalid without a reason."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.boxes.discard(box_id, p.name, why)

    def close(self, p: Principal, box_id: str) -> Move:
        """Pack all cards of a complete box. Raises Conflict that names the missing cards."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.close(box_id, p.name)

    def hand_over(self, p: Principal, box_id: str, level: Level, recipient: str) -> Move:
        """Hand a box over to somebody of a lower level. Raises OwnWork for the caller themselves."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.hand_over(box_id, level, recipient, p.name)

    def receipt(
        self,
        p: Principal,
        box_id: str,
        recipient: str,
        day: date,
        *,
        unsigned: Sequence[str] = (),
        unit: str = "",
        signed: int | None = None,
    ) -> Move:
        """Record what the contact of a unit signed, and which cards came back. Raises OwnWork for the caller."""
        p.need(Permission.CARDS_CHANGE)
        with translate_registry_errors():
            return self._registry.boxes.receipt(
                box_id, recipient, day, p.name, unsigned=unsigned, unit=unit, signed=signed
            )

    def return_unsigned(self, p: Principal, box_id: str, reason: str) -> Move:
        """Take all cards of a box that nobody signed for into stock. Raises Invalid without a reason."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.moves.return_unsigned(box_id, p.name, why)

    def list_pdf(self, p: Principal, box_id: str) -> bytes:
        """The delivery list as PDF, with names in clear; audited first. Raises NotFound, Conflict without a font."""
        from personalize.sheets.delivery_list import delivery_list

        return _printed(delivery_list, self._sheet(p, box_id))

    def list_xlsx(self, p: Principal, box_id: str) -> bytes:
        """The delivery list as a workbook, with names in clear; audited first. Raises NotFound."""
        from personalize.sheets.delivery_workbook import delivery_workbook

        return delivery_workbook(self._sheet(p, box_id))

    def labels_pdf(self, p: Principal, box_id: str) -> bytes:
        """The envelope labels as PDF, with names in clear; audited first. Raises NotFound, Conflict without a font."""
        from personalize.sheets.labels import labels

        return _printed(labels, self._sheet(p, box_id))

    def carriers_pdf(self, p: Principal, box_id: str, *, unit: str = "", lines: str = "", window: str = "gb") -> bytes:
        """The letters that cards are glued to as PDF, with names in clear; audited first. ``lines`` of the delivery
        list, such as ``3-7,9``, and ``unit``: only these; ``window`` is a name of ``letters.WINDOWS``.

        Raises Invalid, NotFound, Conflict where no card is chosen or without a font.
        """
        from personalize.sheets.carriers import carriers, line_numbers, selected
        from personalize.sheets.letters import WINDOWS

        try:
            numbers = line_numbers(lines)
        except ValueError:
            sentence = "lines are numbers and ranges"
            raise Invalid(sentence, {"lines": "numbers and ranges, such as 3-7,9"}, rule="lines") from None
        if window not in WINDOWS:
            raise Invalid("there is no such envelope", {"window": f"one of {', '.join(WINDOWS)}"}, rule="window")
        sender = letter_sender(self._registry)
        content = selected(self._sheet(p, box_id), unit=unit, lines=numbers)
        if not content.sections:
            raise Conflict(f"no card of box {box_id} is among these lines and this unit", reason="no-letters")
        return _printed(lambda chosen: carriers(chosen, sender, WINDOWS[window]), content)

    def _sheet(self, p: Principal, box_id: str) -> BoxSheet:
        p.need(Permission.MEMBERS_UNMASK)
        with translate_registry_errors():
            return self._registry.boxes.sheet(box_id, p.name)

    def _number_in(self, reader_id: str) -> str:
        view = self._readers.view(reader_id)
        if not _shared(view):
            raise Conflict(f"somebody works with reader {view.name}", reason="reader-in-use", name=view.name)
        return self._readers.ask(reader_id, self._proven_number, _READING)

    def _proven_number(self, session: ReaderSession) -> str:
        """Number and sequence of a card whose chip signed for them; whether it is valid is not asked here."""
        lists = self._parts.lists()
        transport = session.connect()
        try:
            aid, now, policy = self._parts.member_aid, self._parts.now(), lists.policy
            verdict = verify(stack(transport), trust=lists.trust, hotlist=None, at=now, policy=policy, aid=aid)
            proven = verdict.card
            if proven is None:
                sentence = "the card in the reader is no genuine member card that can be read: put it aside"
                raise Conflict(sentence, reason="card-unread")
            return f"{proven.card_number}-{proven.sequence}"
        finally:
            transport.close()
            session.release(Disposition.KEEP)


def _shared(reader: ReaderView) -> bool:
    return reader.mode in _SHARED and reader.lease is None


def _printed(write: Callable[[BoxSheet], bytes], content: BoxSheet) -> bytes:
    try:
        return write(content)
    except NoChineseFont as e:
        raise Conflict(str(e), reason="font-missing") from e
