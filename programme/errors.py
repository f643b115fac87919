"""Faults of this package, all under ``MembercardError``::

    ProgrammeError
    ├── ProgrammeFileError   an invalid programme file; one line for each fault, with file, line and field
    ├── ProgrammeUnfit       a file with findings of the linter: it is not published; one line for each
    └── NotInProgramme       a benefit, product or place that the programme does not have

A benefit that a member cannot have is an outcome: it returns and is not raised.
"""

from __future__ import annotations

from terminal.errors import MembercardError


class ProgrammeError(MembercardError):
    """A fault of a programme, or of a request to it."""


class ProgrammeFileError(ProgrammeError):
    """An invalid programme file."""


class ProgrammeUnfit(ProgrammeError):
    """A programme file with findings of the linter, which no counter gets: one line for each, also in Chinese."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese


class NotInProgramme(ProgrammeError):
    """A benefit, product or place that the programme does not have."""
