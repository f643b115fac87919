"""Typed errors of the use-cases. ``http/errors.py`` alone maps them to HTTP statuses.

``code`` is stable, in kebab-case, and documented in docs/api.md; ``params`` are the values for a sentence in the user's
language. Neither holds personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from terminal.errors import MembercardError


class ServiceError(MembercardError):
    """An error that the service answers with. The text is an English sentence that says what to do."""

    code: ClassVar[str] = "service-error"

    def __init__(self, sentence: str, **params: object) -> None:
        super().__init__(sentence)
        self.params = params


class NotFound(ServiceError):
    """No resource of the kind ``what`` has that name."""

    code = "not-found"


class NotSignedIn(ServiceError):
    """The caller is unknown: no session or token, or one that has ended."""

    code = "not-signed-in"


class WrongPassword(NotSignedIn):
    """The name or the password is wrong; the answer does not say which."""

    code = "wrong-password"


class Forbidden(ServiceError):
    """The caller has no role that allows this."""

    code = "forbidden"


class UserDisabled(Forbidden):
    """The password is correct, but the user is disabled."""

    code = "user-disabled"


class MustChangePassword(Forbidden):
    """The password is known to somebody else; it must be changed before anything else."""

    code = "password-must-change"


class NotMeant(Forbidden):
    """A write with a session's cookie but without its secret, or from another site's page (CSRF)."""

    code = "csrf"


class Conflict(ServiceError):
    """A rule of the registry forbids this, or somebody else changed the data in the meantime."""

    code = "conflict"


class Invalid(ServiceError):
    """The request is not valid. ``fields`` has a sentence for each faulty field, by name."""

    code = "invalid"

    def __init__(self, sentence: str, fields: Mapping[str, str] | None = None, **params: object) -> None:
        super().__init__(sentence, **params)
        self.fields = dict(fields or {})


class WrongCursor(Invalid):
    """A cursor that did not come from this list."""

    code = "bad-cursor"


class UnreadableForm(Invalid):
    """An uploaded form that cannot be read. ``params``: ``chinese``, the instruction for a clerk."""

    code = "unreadable-form"


class OwnWork(Forbidden):
    """The second person must differ from the first: the importer cannot approve, and nobody signs twice."""

    code = "own-work"


class RequestTooLarge(ServiceError):
    """An upload or a body above the limit. ``params`` of a form: ``chinese``, as in UnreadableForm."""

    code = "too-large"


class KeyReused(ServiceError):
    """An idempotency key was sent again with another request."""

    code = "idempotency-key-reused"


class KeyMissing(ServiceError):
    """A write by a token lacks an idempotency key."""

    code = "idempotency-key-missing"


class TooSlow(ServiceError):
    """A body did not arrive in time."""

    code = "too-slow"


class WrongHost(ServiceError):
    """The request names a host that this service does not answer for."""

    code = "wrong-host"


class LeaseHeld(ServiceError):
    """Somebody else holds the reader."""

    code = "lease-held"


class LeaseLost(ServiceError):
    """The caller does not hold the lease, or not any more."""

    code = "lease-lost"


class ReaderOut(ServiceError):
    """The reader is gone or hung, its service is away, or it has no card; ``params`` has the fault's ``code``."""

    code = "reader-out"


class TooMany(ServiceError):
    """Too many attempts or requests; try again after ``retry_after`` seconds."""

    code = "too-many"

    def __init__(self, sentence: str, retry_after: int, **params: object) -> None:
        super().__init__(sentence, **params)
        self.retry_after = retry_after


class Broken(ServiceError):
    """A fault of this program; ``error_id`` in ``params`` names its log entry."""

    code = "internal"


class Unavailable(ServiceError):
    """The database or another part is away. Nothing was changed; try again."""

    code = "unavailable"
