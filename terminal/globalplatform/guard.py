"""A guard against blocked cards: a key set that failed on a chip is not tried on it again."""

from __future__ import annotations

from threading import Lock

from terminal.errors import AuthenticationGuarded
from terminal.keys.custody import CardKeys


class AuthenticationGuard:
    """Records which key sets failed on which chips. One instance serves all lanes of a process; thread-safe.

    A security domain counts failed authentications and blocks for good after a few (often 3 to 10), so retries with a
    wrong master key destroy a batch. ``chip`` is any text that identifies the chip: its serial number, or the key data
    where it has none. Of a chip without any (an empty text) nothing is recorded: it would be held against every other.
    """

    def __init__(self) -> None:
        self._failed: dict[tuple[str, int, tuple[bytes, ...]], str] = {}
        self._lock = Lock()

    def check(self, chip: str, keys: CardKeys) -> None:
        """Raises AuthenticationGuarded when this key set failed on this chip before."""
        with self._lock:
            reason = self._failed.get(_key(chip, keys))
        if reason is not None:
            raise AuthenticationGuarded(
                f"not tried again, so that the card is not blocked: {keys} failed on chip {chip} before ({reason})"
            )

    def failed(self, chip: str, keys: CardKeys, reason: str) -> None:
        """Record that this key set failed on this chip."""
        if not chip:
            return
        with self._lock:
            self._failed[_key(chip, keys)] = reason

    def allow(self, chip: str, keys: CardKeys | None = None) -> None:
        """Allow one key set, or every key set, to be tried on this chip again."""
        with self._lock:
            for key in [k for k in self._failed if k[0] == chip]:
                if keys is None or key == _key(chip, keys):
                    del self._failed[key]


def _key(chip: str, keys: CardKeys) -> tuple[str, int, tuple[bytes, ...]]:
    return chip, keys.version, keys.kcvs
