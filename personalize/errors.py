"""Faults of this package, all under ``MembercardError``::

    PersonalizeError
    ├── IntakeError       a registration form that cannot be used; says what to do, in English and Chinese
    │   ├── FileUnreadable     missing, a directory, or not permitted
    │   ├── WrongFileType      neither xlsx, xls nor csv
    │   ├── EncryptedWorkbook  protected by a password
    │   ├── DamagedFile        broken, cut off, empty, or changed since it was checked
    │   ├── TooLarge           larger than a form may be, or a zip bomb
    │   ├── HeaderNotFound     no sheet has the table's header, or one with people lacks it
    │   ├── AmbiguousTable     people stand beside or above the table, so that some would be left out
    │   └── ReportNotWritten   the annotated copy could not be written
    ├── ProfileError      an invalid card profile; one line for each fault, with file and line
    ├── DesignError       a card design that cannot be used; one line for each fault, with file and line
    ├── FaceRefused       a card whose face is not printed, as it would lack something; carries .findings
    ├── PhotosRefused     a folder or an archive of photos that cannot be used as a whole
    ├── PrepareError      data of a member that do not fit the card
    ├── StripeError       data that a track of the stripe cannot hold, or a track that is not readable
    ├── DossierError      bytes that are not a dossier
    │   └── BankFileError      a bank data file that is damaged or not for this issuer; names record, field and offset
    │       └── BankFileRefused    a file with invalid cards; nothing of it was taken; carries .faults
    ├── KeyPoolError      the pool of chip keys cannot be read or written
    ├── ChipUnfit         a chip in a state that this line never leaves it in: to the reject bin
    │   ├── ReadBackError what the chip returned differs from the dossier; carries .field
    │   └── BodySpoiled   stripe or face of a card cannot be made good any more
    ├── LineStopped       a lane or a batch stopped, for a reason that is not a card
    ├── NoChineseFont     a sheet cannot be printed on this machine
    ├── LetterPrinterFault    a printer of PIN letters that cannot be used, or that broke off
    └── LettersUnknown    PIN letters of which nobody knows whether they were printed

    ReaderFault (terminal.errors)
    └── StationFault      a machine of the card station failed; carries .code

A row or a chip that is rejected is an outcome: it returns and is not raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from terminal.errors import MembercardError, ReaderFault


class PersonalizeError(MembercardError):
    """A fault on the way from a roster to a verified chip."""


class IntakeError(PersonalizeError):
    """A registration form that cannot be read. The message is one sentence in English followed by the Chinese;
    ``chinese`` holds the Chinese alone. Neither quotes the form's content."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"{english} ({chinese})")
        self.chinese = chinese


class FileUnreadable(IntakeError):
    """The file is missing, is a directory, or may not be read."""


class WrongFileType(IntakeError):
    """The file is not xlsx, xls or csv."""


class EncryptedWorkbook(IntakeError):
    """The workbook is password-protected."""


class DamagedFile(IntakeError):
    """The file is broken, cut off or empty."""


class TooLarge(IntakeError):
    """The file, or its unpacked content, exceeds the limits for a form."""


class HeaderNotFound(IntakeError):
    """No sheet has a row that names the columns of a registration form."""


class AmbiguousTable(IntakeError):
    """People stand where the table's columns do not reach: two tables side by side, or rows above the header."""


class ReportNotWritten(IntakeError):
    """The annotated copy could not be written; no partial file is left."""


class ProfileError(PersonalizeError):
    """An invalid card profile."""


class DesignError(PersonalizeError):
    """An invalid card design."""


class FaceRefused(PersonalizeError):
    """A card whose face is not printed: a character without a glyph, a text that does not fit, a photo that is missing.
    The message names the card by its number and has one line for each finding."""

    def __init__(self, message: str, findings: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)

    @classmethod
    def of(cls, subject: str, findings: Sequence[object]) -> FaceRefused:
        """That of the card or member ``subject``."""
        return cls("\n".join(f"{subject}: {finding}" for finding in findings), findings)


class PhotosRefused(PersonalizeError):
    """Photos that cannot be used as a whole."""


class PrepareError(PersonalizeError):
    """Data of a member that do not fit the card."""


class StripeError(PersonalizeError):
    """Data that a track of the stripe cannot hold, or a track that cannot be read. No message has a number of it."""


class DossierError(PersonalizeError):
    """Bytes that are not a dossier, or a damaged dossier."""


class BankFileError(DossierError):
    """A bank data file that breaks its format, was changed, or is not under this issuer's transport key.

    ``record`` counts from 1 and is 0 for the file header; ``offset`` is the byte offset in the file, where known.
    """

    def __init__(self, fault: str, record: int, field: str = "", offset: int | None = None) -> None:
        place = [f"record {record}" if record else "the header", *([field] if field else [])]
        at = "" if offset is None else f" (at offset {offset})"
        super().__init__(f"bank file, {', '.join(place)}: {fault}{at}")
        self.fault, self.record, self.field, self.offset = fault, record, field, offset

    def at(self, offset: int) -> BankFileError:
        """The same fault with this offset, if it had none."""
        return self if self.offset is not None else BankFileError(self.fault, self.record, self.field, offset)


class BankFileRefused(BankFileError):
    """A file with cards that cannot be taken, so that none is: one line for each fault."""

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
    """A chip in a state that this line never leaves it in: it belongs in the reject bin. ``code`` is a
    ``RejectCode``; ``params`` fill in its text in other languages."""

    def __init__(self, message: str, code: str, **params: str) -> None:
        super().__init__(message)
        self.code, self.params = code, params


class ReadBackError(ChipUnfit):
    """What the chip returned differs from the dossier. ``field`` names the place, never the value."""

    def __init__(self, field: str, message: str, code: str = "read-back", **params: str) -> None:
        super().__init__(f"read-back of {field}: {message}", code, field=field.removeprefix("the "), **params)
        self.field = field


class BodySpoiled(ChipUnfit):
    """Stripe or face of the card cannot be made good any more, whatever its chip is worth."""


class StationFault(ReaderFault):
    """A machine of the card station failed. ``code`` is a ``RejectCode``; ``params`` fill in its text in other
    languages."""

    code: str
    params: Mapping[str, str]


class LineStopped(PersonalizeError):
    """A lane or a batch stopped for a reason that is not a card. ``code`` is a ``RejectCode``; ``params`` fill in its
    text in other languages."""

    def __init__(self, message: str, code: str = "too-many", **params: str) -> None:
        super().__init__(message)
        self.code, self.params = code, params


class NoChineseFont(PersonalizeError):
    """This machine has no font with Chinese letters."""


class LetterPrinterFault(PersonalizeError):
    """A printer of PIN letters cannot be used, or it is not known whether it took all of a document."""


class LettersUnknown(PersonalizeError):
    """A job of PIN letters broke off: ``letters`` of a batch were begun, and nobody knows whether they were printed."""

    def __init__(self, batch_id: str, letters: int, cause: str) -> None:
        super().__init__(
            f"{letters} PIN letters of batch {batch_id} broke off and are never printed again: destroy what the "
            f"printer has, then settle each with: membercard mailers spoilt CARD ({cause})"
        )
        self.batch_id, self.letters = batch_id, letters
