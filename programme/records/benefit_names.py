"""Names of the benefits that cards or the office count, by the edition of the programme that was in force on a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from threading import Lock

from programme.editions import ProgrammeEdition
from registry.admin.programmes import ProgrammeEditions
from registry.programme.statement import BenefitName
from terminal.errors import CodecError


@dataclass(slots=True)
class BenefitNames:
    """Names by all editions of one registry. No edition ever changes, so that each is read once. ``zone`` is that of
    its days."""

    editions: ProgrammeEditions
    zone: tzinfo
    _read: list[tuple[date, Mapping[str, BenefitName]]] = field(default_factory=list)
    _version: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def refreshed(self) -> BenefitNames:
        """The same, with the editions that were published since. Raises RegistryError."""
        with self._lock:
            for file in self.editions.since(self._version):
                self._version = max(self._version, file.version)
                try:
                    edition = ProgrammeEdition.on_record(file.signed)
                except CodecError:
                    continue  # of a later version of the program
                names = {
                    offer.benefit.benefit_class or offer.code: BenefitName(offer.benefit.name.zh, offer.benefit.name.en)
                    for offer in edition.programme.offers()
                }
                self._read.append((edition.issue.issued.astimezone(self.zone).date(), names))
        return self

    def of(self, benefit_class: str, day: date) -> BenefitName | None:
        """The name in the newest edition that was published by that day and has the class, or the code of a benefit
        without one; None where none has."""
        for first, names in reversed(self._read):
            if first <= day and benefit_class in names:
                return names[benefit_class]
        return None
