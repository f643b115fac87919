"""What the registry refuses, as what the service refuses: in one place, for every desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reader_service.errors import Conflict, Invalid, NotFound, Unavailable
from registry.errors import NotOnRecord, RegistryConflict, RegistryUnavailable
from registry.paging import BadCursor


@contextmanager
def on_record() -> Iterator[None]:
    """Around every call of the registry. Raises NotFound, Conflict, Invalid (a bad cursor), Unavailable.

    The registry's sentences say what stands against it and hold nothing personal, so they are passed on.
    """
    try:
        yield
    except NotOnRecord as e:
        raise NotFound(str(e), reason=str(e)) from e
    except BadCursor as e:
        raise Invalid(str(e), {"cursor": str(e)}) from e
    except RegistryConflict as e:
        raise Conflict(str(e), reason=str(e)) from e
    except RegistryUnavailable as e:
        raise Unavailable("the database cannot be reached just now; nothing was changed, try again") from e


def needs_reason(reason: str) -> str:
    """A reason as it may be stored. Raises Invalid for an empty or an endless one."""
    told = reason.strip()
    if not told or len(told) > 500:
        raise Invalid("this needs a reason of 1 to 500 characters", {"reason": "1 to 500 characters"})
    return told
