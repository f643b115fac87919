"""Reading a card without a verdict: the member application and the bank's payment applications, explained
and masked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.worker import ReaderSession
from terminal.apdu import Disposition, Sender, stack
from terminal.emv.data.explain import Explained, Explainer
from terminal.emv.kernel.reading import PaymentReading, read_applications
from terminal.errors import CardError, CardRefused, CodecError
from terminal.member.contents import has_no_application, read_contents

READING: Final = 20.0
"""Seconds after which a reading counts as hung."""


class CardApplicationKind(StrEnum):
    """The kind of an application on a card."""

    MEMBER = "member"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """One application. ``elements`` are its data elements, personal ones masked; ``fault`` says why some could not be
    read."""

    kind: CardApplicationKind
    aid: str
    label: str
    elements: tuple[Explained, ...]
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        """For other programs."""
        fields = {"kind": self.kind.value, "aid": self.aid, "label": self.label, "fault": self.fault}
        return fields | {"elements": [element.to_json() for element in self.elements]}


@dataclass(frozen=True, slots=True)
class CardContents:
    """What any terminal can read from the known applications. ``seconds`` runs from power-up to the end."""

    reader: str
    atr: str
    protocol: str
    seconds: float
    applications: tuple[ApplicationView, ...]

    def to_json(self) -> dict[str, Any]:
        """For other programs."""
        fields = {"reader": self.reader, "atr": self.atr, "protocol": self.protocol, "seconds": round(self.seconds, 4)}
        return fields | {"applications": [application.to_json() for application in self.applications]}


class ReadingService:
    """Reads cards. Protected data stay protected here too."""

    def __init__(self, parts: ServiceParts, readers: ReaderManager) -> None:
        self._parts, self._readers = parts, readers

    def read(self, p: Principal, reader_id: str, *, lease: str = "") -> CardContents:
        """VERIFY. Read the card in a reader that the caller leased, or that is in counter mode. Each payment
        application increments its transaction counter. Raises NotFound, LeaseLost, ReaderOut (no card, lost, hung)."""
        p.need(Permission.VERIFY)
        return self._readers.use(p, reader_id, lease, partial(self._read, reader_id), READING, counter=True)

    def _read(self, reader_id: str, session: ReaderSession) -> CardContents:
        began = time.perf_counter()
        card = session.connect()
        try:
            sender = stack(card)
            applications = [*self._member(sender), *self._payment(sender)]
            seconds = time.perf_counter() - began
            return CardContents(reader_id, card.atr.hex().upper(), card.protocol.value, seconds, tuple(applications))
        finally:
            card.close()
            session.release(Disposition.KEEP)

    def _member(self, sender: Sender) -> Iterator[ApplicationView]:
        own = self._parts.member_aid
        aid = own.hex().upper()
        explainer = Explainer(aid=own, dictionary=self._parts.dictionary)
        try:
            card = read_contents(sender, own)
        except CardRefused as no:
            if not has_no_application(no):
                yield ApplicationView(CardApplicationKind.MEMBER, aid, "", (), str(no))
        except (CardError, CodecError) as fault:
            yield ApplicationView(CardApplicationKind.MEMBER, aid, "", (), str(fault))
        else:
            elements = [
                explainer.element(int(item.tag), item.value) for record in card.records for item in record.objects
            ]
            yield ApplicationView(CardApplicationKind.MEMBER, aid, "", tuple(elements))

    def _payment(self, sender: Sender) -> Iterator[ApplicationView]:
        for reading in read_applications(sender, self._parts.terminal, self._parts.now()):
            yield ApplicationView(
                CardApplicationKind.PAYMENT,
                reading.aid.hex().upper(),
                reading.label,
                self._explained(reading),
                reading.fault,
            )

    def _explained(self, reading: PaymentReading) -> tuple[Explained, ...]:
        explainer = Explainer(aid=reading.aid, dictionary=self._parts.dictionary)
        return tuple([explainer.element(tag, value) for tag, value in reading.data.items()])
