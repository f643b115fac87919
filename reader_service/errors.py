"""What a use-case refuses, as typed errors. Which HTTP status each becomes stands in ``api/errors.py`` only.

``code`` is stable, in kebab-case, and names the problem's page in docs/api.md; ``params`` fill the sentence of the
user's language. Neither holds personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from terminal.errors import MembercardError


class ServiceError(MembercardError):
    """Something the service says no to. The text is a whole English sentence that says what to do."""

    code: ClassVar[str] = "service-error"

    def __init__(self, sentence: str, **params: object) -> None:
        super().__init__(sentence)
        self.params = params


class NotFound(ServiceError):
    """``what`` was asked for by a name that is not on record."""

    code = "not-found"


class NotSignedIn(ServiceError):
    """Who asks is not known: no session, a session that ended, no token or one that is not in force."""

    code = "not-signed-in"


class WrongPassword(NotSignedIn):
    """Name or password is wrong; which of them is not told."""

    code = "wrong-password"


class Forbidden(ServiceError):
    """Who asks is known and has no role that may do this."""

    code = "forbidden"


class UserDisabled(Forbidden):
    """The password is right, and the person is disabled."""

    code = "user-disabled"


class MustChangePassword(Forbidden):
    """The password is one that somebody else knows: nothing goes on before it is changed."""

    code = "password-must-change"


class NotMeant(Forbidden):
    """A write with a session's cookie and without its secret, or from a page of somebody else (CSRF)."""

    code = "csrf"


class Conflict(ServiceError):
    """A rule of the record stands against it, or it was changed by somebody else meanwhile."""

    code = "conflict"


class Invalid(ServiceError):
    """The request is out of form. ``fields`` gives a sentence for each field that is wrong, by its name."""

    code = "invalid"

    def __init__(self, sentence: str, fields: Mapping[str, str] | None = None, **params: object) -> None:
        super().__init__(sentence, **params)
        self.fields = dict(fields or {})


class WrongCursor(Invalid):
    """A cursor that the list did not give out."""

    code = "bad-cursor"


class UnreadableForm(Invalid):
    """An uploaded form that cannot be used. ``params``: ``chinese``, what to do, as a clerk reads it."""

    code = "unreadable-form"


class OwnWork(Forbidden):
    """The second person is another than the first: who imported does not approve, who signed does not sign again."""

    code = "own-work"


class RequestTooLarge(ServiceError):
    """An upload or a body beyond what the service takes. ``params`` of a form: ``chinese``, as in UnreadableForm."""

    code = "too-large"


class KeyReused(ServiceError):
    """An idempotency key came again with another request."""

    code = "idempotency-key-reused"


class KeyMissing(ServiceError):
    """A write by a token without an idempotency key."""

    code = "idempotency-key-missing"


class TooSlow(ServiceError):
    """A body that does not arrive."""

    code = "too-slow"


class WrongHost(ServiceError):
    """A request for a host that this service is not."""

    code = "wrong-host"


class LeaseHeld(ServiceError):
    """Somebody else has the reader."""

    code = "lease-held"


class LeaseLost(ServiceError):
    """The lease is not, or not any more, the caller's."""

    code = "lease-lost"


class ReaderOut(ServiceError):
    """The reader is gone, hung or without its service, or has no card; ``code`` of the fault is in ``params``."""

    code = "reader-out"


class TooMany(ServiceError):
    """Too many attempts or too much at once; try again after ``retry_after`` seconds."""

    code = "too-many"

    def __init__(self, sentence: str, retry_after: int, **params: object) -> None:
        super().__init__(sentence, **params)
        self.retry_after = retry_after


class Broken(ServiceError):
    """A fault of this program; ``error_id`` in ``params`` names it in the log, which knows more."""

    code = "internal"


class Unavailable(ServiceError):
    """The database or another part that this needs cannot be reached; nothing was changed. Try again."""

    code = "unavailable"
