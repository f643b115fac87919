"""Faults of this room, all under ``MembercardError``::

    PersonalizeError
    ├── ProfileError      a card profile that makes no sense; one line a fault, with file and line
    ├── PrepareError      a member's data that do not fit the card
    ├── DossierError      bytes that are no dossier
    ├── KeyPoolError      the pool of chip keys cannot be read or written
    ├── ChipUnfit         a chip in a state that this line never leaves: to the reject bin
    │   └── ReadBackError what the chip returned is not what the dossier says; carries .field
    └── LineStopped       a lane or a batch stopped, and not because of a card
"""

from __future__ import annotations

from terminal.errors import MembercardError


class PersonalizeError(MembercardError):
    """Something went wrong on the way from a roster to a proven chip."""


class ProfileError(PersonalizeError):
    """A card profile that makes no sense."""


class PrepareError(PersonalizeError):
    """A member's data that do not fit the card."""


class DossierError(PersonalizeError):
    """Bytes that are no dossier, or a damaged one."""


class KeyPoolError(PersonalizeError):
    """The pool of chip keys cannot be read or written."""


class ChipUnfit(PersonalizeError):
    """A chip in a state that this line never leaves it in: it belongs in the reject bin."""


class ReadBackError(ChipUnfit):
    """What the chip returned is not what the dossier says. ``field`` names where, never what."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"read-back of {field}: {message}")
        self.field = field


class LineStopped(PersonalizeError):
    """A lane or a batch stopped for a reason that is no card's."""
