"""The tickets that a counter has taken: a file for each, so that a second show is refused, with or without a network.

The file has its name in one step together with its content, and is on the disk before ``take`` returns: two programs
of one counter do not take one ticket twice, and a power cut forgets none.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

from registry.rush.uses import TicketUse
from terminal import private_files


class UsedTickets:
    """The tickets of one counter, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, number: int, at: datetime) -> datetime | None:
        """Take a ticket: None. One that was taken before stays so: the time of its first use. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".", dir=self._folder)
        place = self._folder / str(number)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(at.isoformat())
                file.flush()
                os.fsync(file.fileno())
            os.link(name, place)
        except FileExistsError:
            return datetime.fromisoformat(place.read_text("ascii"))
        finally:
            Path(name).unlink()
        private_files.sync_folder(self._folder)
        return None

    def uses(self) -> list[TicketUse]:
        """All tickets that were taken, by their number. Raises OSError."""
        taken = [path for path in self._folder.glob("[0-9]*") if path.name.isdecimal()]
        uses = [TicketUse(int(path.name), datetime.fromisoformat(path.read_text("ascii"))) for path in taken]
        return sorted(uses, key=lambda use: use.number)
