"""Translation of the registry's errors into the service's errors, for every service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from reader_service.errors import Conflict, Invalid, NotFound, OwnWork, Unavailable, WrongCursor
from registry.db.paging import BadCursor, Page, cut, read_cursor, write_cursor
from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict, RegistryUnavailable
from terminal.names import fold

LONGEST_REASON: Final = 500
T = TypeVar("T")


@contextmanager
def translate_registry_errors() -> Iterator[None]:
    """Wraps every call of the registry. Raises NotFound, Conflict, OwnWork, WrongCursor, Unavailable.

    The registry's sentences and reasons hold nothing personal, so they are passed on.
    """
    try:
        yield
    except NotOnRecord as e:
        raise NotFound(str(e), reason=e.reason, **e.params) from e
    except BadCursor as e:
        raise WrongCursor(str(e), {"cursor": str(e)}) from e
    except RegistryConflict as e:
        kind = OwnWork if e.reason == OWN_WORK else Conflict
        raise kind(str(e), reason=e.reason, **e.params) from e
    except RegistryUnavailable as e:
        raise Unavailable("the database cannot be reached just now; nothing was changed, try again") from e


def needs_reason(reason: str) -> str:
    """The reason on one line, as it is stored. Raises Invalid for an empty, too long or unprintable one."""
    text = " ".join(reason.split())
    if not text or len(text) > LONGEST_REASON or not text.isprintable() or not fold(text):
        wanted = f"1 to {LONGEST_REASON} printable characters"
        raise Invalid(f"this needs a reason of {wanted}", {"reason": wanted})
    return text


def part_of(items: Sequence[T], cursor: str | None, limit: int) -> Page[T]:
    """A page of a complete list that grows only at its end. Raises WrongCursor."""
    with translate_registry_errors():
        start = read_cursor(cursor, int)[0] if cursor is not None else 0
        if not 0 <= start <= len(items):
            raise BadCursor
    end = start + cut(limit)
    return Page(tuple(items[start:end]), write_cursor(end) if end < len(items) else None)
