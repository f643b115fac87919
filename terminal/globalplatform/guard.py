"""Rather stop than burn a card: a key set that failed on a chip once is not tried there again."""

from __future__ import annotations

from threading import Lock

from terminal.errors import AuthenticationGuarded
from terminal.keys.custody import CardKeys


class AuthenticationGuard:
    """Remembers which key sets failed on which chips. One object serves all lanes of a process; safe between threads.

    A security domain counts failed authentications and blocks for good after a few (often 3 to 10), so a wrong
    master key tried again and again destroys a batch. ``chip`` is any text that tells chips apart: the chip serial,
    or the key data where there is none.
    """

    def __init__(self) -> None:
        self._failed: dict[tuple[str, int, tuple[bytes, ...]], str] = {}
        self._lock = Lock()

    def check(self, chip: str, keys: CardKeys) -> None:
        """Raises AuthenticationGuarded when this key set failed on this chip before."""
        with self._lock:
            why = self._failed.get(_key(chip, keys))
        if why is not None:
            raise AuthenticationGuarded(
                f"not tried again, so that the card is not blocked: {keys} failed on chip {chip} before ({why})"
            )

    def failed(self, chip: str, keys: CardKeys, why: str) -> None:
        with self._lock:
            self._failed[_key(chip, keys)] = why

    def allow(self, chip: str, keys: CardKeys | None = None) -> None:
        """Let one key set, or every key set, be tried on this chip again: somebody decided to."""
        with self._lock:
            for key in [k for k in self._failed if k[0] == chip]:
                if keys is None or key == _key(chip, keys):
                    del self._failed[key]


def _key(chip: str, keys: CardKeys) -> tuple[str, int, tuple[bytes, ...]]:
    return chip, keys.version, keys.kcvs
