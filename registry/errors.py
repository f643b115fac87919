"""Faults of the registry, all under ``MembercardError``::

    RegistryError
    ├── RegistryConflict       the request contradicts the record: a rule, not a technical fault
    │   └── NotOnRecord        no batch, card or dossier with that identifier
    ├── FenceLost              a newer claim holds the dossier; the older one may write nothing
    ├── RegistryUnavailable    locked, unreachable or full; carries .retryable
    └── RegistryUnfit          the database is not one that this program can work with
        └── SchemaTooNew       a newer program has changed it

Each message is a sentence that names the cause and the remedy. None holds personal data or a password.
"""

from __future__ import annotations

from terminal.errors import MembercardError


class RegistryError(MembercardError):
    """A fault of the system of record, or a request that it refuses."""


OWN_WORK = "own-work"
"""Reason of a conflict: a second person is needed, and the same one acted twice."""
CHIP_VERIFIED = "chip-verified"
"""Reason of a conflict: a chip to be rejected carries a verified card, which would have to be ended."""
NOT_WANTED = "dossier-not-wanted"
"""Reason of a conflict: the member has a dossier already."""


class RegistryConflict(RegistryError):
    """The request contradicts the record.

    ``reason`` names the rule, in kebab-case; ``params`` are the values for a sentence about it in another language.
    Neither holds personal data.
    """

    def __init__(self, sentence: str, *, reason: str, **params: str | int) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.params = params


class NotOnRecord(RegistryConflict):
    """No batch, card or dossier with that identifier; ``reason`` says which of them."""


def no_batch(batch_id: str) -> NotOnRecord:
    sentence = f"there is no batch {batch_id}; `membercard batch list` shows those there are"
    return NotOnRecord(sentence, reason="batch", batch=batch_id)


class FenceLost(RegistryError):
    """A newer claim holds the dossier: the lane must treat its chip as a returning chip."""


class RegistryUnavailable(RegistryError):
    """The database cannot be read or written now; ``retryable`` says whether the same call may succeed later."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class RegistryUnfit(RegistryError):
    """The database is not a registry, or was changed by another program."""


class SchemaTooNew(RegistryUnfit):
    """The database was changed by a newer version of the program."""
