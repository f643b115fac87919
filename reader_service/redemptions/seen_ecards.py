"""The codes of e-cards that a counter accepted in the last steps: a file for each, removed when its step is over.

The file comes into being in one step: two programs of one counter do not take one code twice, and a restart forgets
none.
"""

from __future__ import annotations

from pathlib import Path

from terminal.ecard.verification import SKEW_STEPS


class SeenEcards:
    """The codes of one counter, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, step: int, digest: str, now: int) -> bool:
        """Remember a code of ``step``, at step ``now``; False where it was taken before. ``digest`` is part of a file's
        name. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob("*-*"):
            earlier = path.name.partition("-")[0]
            if earlier.isdecimal() and int(earlier) < now - SKEW_STEPS:
                path.unlink(missing_ok=True)
        try:
            (self._folder / f"{step}-{digest}").touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            return False
        return True
