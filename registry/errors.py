"""Faults of the registry, all under ``MembercardError``::

    RegistryError
    ├── RegistryConflict       the request contradicts what is on record: a rule, not a fault of the machine
    │   └── NotOnRecord        no batch, card or dossier of that name
    ├── FenceLost              the claim was taken over by a newer one; nothing may be written in its name
    ├── RegistryUnavailable    locked, unreachable or without room; carries .retryable
    └── RegistryUnfit          the database is not one this program can work with
        └── SchemaTooNew       a newer program has changed it

Each message is one sentence that says what and what to do. None holds personal data or a password.
"""

from __future__ import annotations

from terminal.errors import MembercardError


class RegistryError(MembercardError):
    """Something is wrong with the system of record, or with what was asked of it."""


OWN_WORK = "own-work"
"""The reason of a conflict where a second person was wanted, and the first one came again."""
NOT_WANTED = "dossier-not-wanted"
"""That of a dossier for a member who has one already."""


class RegistryConflict(RegistryError):
    """The request contradicts what is on record.

    ``reason`` names the rule, in kebab-case, for programs and for a sentence in another language, which ``params``
    fill. Neither is personal.
    """

    def __init__(self, sentence: str, *, reason: str, **params: str | int) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.params = params


class NotOnRecord(RegistryConflict):
    """No batch, card or dossier of that name; ``reason`` says which of them was asked for."""


def no_batch(batch_id: str) -> NotOnRecord:
    sentence = f"there is no batch {batch_id}; `membercard batch list` shows those there are"
    return NotOnRecord(sentence, reason="batch", batch=batch_id)


class FenceLost(RegistryError):
    """A newer claim holds the dossier: what this lane still has in hand is to be treated as a returning chip."""


class RegistryUnavailable(RegistryError):
    """The database cannot be read or written just now; ``retryable`` says whether the same call may succeed later."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class RegistryUnfit(RegistryError):
    """The database is not a registry, or is one that was changed by other hands."""


class SchemaTooNew(RegistryUnfit):
    """The database was changed by a newer version of the program."""
