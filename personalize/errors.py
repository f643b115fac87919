"""Faults of this room, all under ``MembercardError``::

PersonalizeError
├── IntakeError       a registration form that cannot be used; says what to do, in English and Chinese
│   ├── FileUnreadable     missing, a directory, or not permitted
│   ├── WrongFileType      neither xlsx, xls nor csv
│   ├── EncryptedWorkbook  protected by a password
│   ├── DamagedFile        broken, cut off, empty, or changed since it was checked
│   ├── TooLarge           larger than a form may be, or a zip bomb
│   ├── HeaderNotFound     no sheet has the table's header
│   └── ReportNotWritten   the annotated copy could not be written
├── ProfileError      a card profile that makes no sense; one line a fault, with file and line
├── PrepareError      a member's data that do not fit the card
├── DossierError      bytes that are no dossier
│   └── BankFileError      a bank's file that is damaged or not for us; names record, field and offset
│       └── BankFileRefused    a whole file with cards that are not sound, or not for us; carries .faults
├── KeyPoolError      the pool of chip keys cannot be read or written
├── ChipUnfit         a chip in a state that this line never leaves: to the reject bin
│   └── ReadBackError what the chip returned is not what the dossier says; carries .field
└── LineStopped       a lane or a batch stopped, and not because of a card
"""

from __future__ import annotations

from collections.abc import Sequence

from terminal.errors import MembercardError


class PersonalizeError(MembercardError):
    """Something went wrong on the way from a roster to a proven chip."""


class IntakeError(PersonalizeError):
    """A registration form that cannot be read. The message is one sentence in English with the Chinese after it;
    ``chinese`` holds the latter alone. Neither quotes what stands in the form."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"{english} ({chinese})")
        self.chinese = chinese


class FileUnreadable(IntakeError):
    """The file is missing, is a directory, or may not be read."""


class WrongFileType(IntakeError):
    """The file is neither xlsx, xls nor csv."""


class EncryptedWorkbook(IntakeError):
    """The workbook is protected by a password."""


class DamagedFile(IntakeError):
    """The file is broken, cut off or empty."""


class TooLarge(IntakeError):
    """The file, or what it unpacks to, is larger than a form may be."""


class HeaderNotFound(IntakeError):
    """No sheet has a row that names the columns of a registration form."""


class ReportNotWritten(IntakeError):
    """The annotated copy could not be written; nothing half-written is left."""


class ProfileError(PersonalizeError):
    """A card profile that makes no sense."""


class PrepareError(PersonalizeError):
    """A member's data that do not fit the card."""


class DossierError(PersonalizeError):
    """Bytes that are no dossier, or a damaged one."""


class BankFileError(DossierError):
    """A bank's data file that breaks its format, was changed, or is not under our transport key.

    ``record`` counts from 1 and is 0 in the file's header; ``offset`` is a byte's place in the file, where it is known.
    """

    def __init__(self, fault: str, record: int, field: str = "", offset: int | None = None) -> None:
        place = [f"record {record}" if record else "the header", *([field] if field else [])]
        at = "" if offset is None else f" (at offset {offset})"
        super().__init__(f"bank file, {', '.join(place)}: {fault}{at}")
        self.fault, self.record, self.field, self.offset = fault, record, field, offset

    def at(self, offset: int) -> BankFileError:
        """The same fault with its place, if it had none."""
        return self if self.offset is not None else BankFileError(self.fault, self.record, self.field, offset)


class BankFileRefused(BankFileError):
    """A file of which some cards cannot be taken, so that none is: one line for each fault."""

    def __init__(self, faults: Sequence[BankFileError]) -> None:
        first = faults[0]
        super().__init__(first.fault, first.record, first.field, first.offset)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        lines = "\n".join(map(str, self.faults))
        return f"{lines}\nnothing of the file was taken"


class KeyPoolError(PersonalizeError):
    """The pool of chip keys cannot be read or written."""


class ChipUnfit(PersonalizeError):
    """A chip in a state that this line never leaves it in: it belongs in the reject bin. ``code`` is one of
    ``personalize.reasons``, ``params`` are what its text in another language may name."""

    def __init__(self, message: str, code: str, **params: str) -> None:
        super().__init__(message)
        self.code, self.params = code, params


class ReadBackError(ChipUnfit):
    """What the chip returned is not what the dossier says. ``field`` names where, never what."""

    def __init__(self, field: str, message: str, code: str = "read-back", **params: str) -> None:
        super().__init__(f"read-back of {field}: {message}", code, field=field.removeprefix("the "), **params)
        self.field = field


class LineStopped(PersonalizeError):
    """A lane or a batch stopped for a reason that is no card's."""
