"""Signed editions of a programme: what a counter decides by, offline, beside hotlist and trust list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from programme.errors import ProgrammeFileError
from programme.programme import Programme
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError
from terminal.member.signed import Issue, Sign, read, read_unverified, write

KIND: Final = "programme edition"
EDITION_DAYS: Final = 90
"""How long a counter without a line may go on with an edition."""


@dataclass(frozen=True, slots=True)
class ProgrammeEdition:
    """A programme with the issue of the edition it came in."""

    programme: Programme
    issue: Issue

    @classmethod
    def of(cls, programme: Programme, version: int, issued: datetime, days: int = EDITION_DAYS) -> Self:
        """An edition that is in force for some days from its issue."""
        return cls(programme, Issue(version, issued, issued + timedelta(days=days)))

    @classmethod
    def load(cls, text: bytes, list_key: RsaPublic, *, at: datetime | None = None, at_least: int = 1) -> Self:
        """Read a signed edition.

        ``at`` and ``at_least`` refuse one that is not in force then, or older than that version. Raises IntegrityError
        (wrong signature), ListOutdated, CodecError (not an edition, or one that this program does not know).
        """
        body, issue = read(KIND, text, list_key, at=at, at_least=at_least)
        value = body.get("programme")
        if not isinstance(value, dict):
            raise CodecError("the programme edition holds no programme")
        try:
            programme = Programme.from_json(value)
        except ProgrammeFileError as error:
            raise CodecError(f"the programme edition cannot be read: {error}") from error
        if body.get("digest") != programme.digest:
            raise CodecError("the programme edition is for a newer program: its values are read in another way here")
        return cls(programme, issue)

    @classmethod
    def on_record(cls, text: bytes) -> Self:
        """Read an edition of the registry that signed it; its signature is not verified again, as its key may be gone.
        Raises CodecError for one that this program does not know."""
        body, issue = read_unverified(KIND, text)
        try:
            return cls(Programme.from_json(body["programme"]), issue)
        except (ProgrammeFileError, KeyError, TypeError) as error:
            raise CodecError(f"the programme edition cannot be read: {error}") from error

    def write(self, list_key: RsaPublic, sign: Sign) -> bytes:
        """The signed file. Raises what ``sign`` raises."""
        content = {"programme": self.programme.to_json(), "digest": self.programme.digest}
        return write(KIND, content, self.issue, list_key, sign)
