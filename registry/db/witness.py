"""A record beside the database of how far it has come, so that an older backup in its place is noticed.

The record is a file of the station, under a MAC of custody. It is written after each transaction that gives numbers
out, otherwise every few seconds, and never while the registry counts as restored: it then is the evidence.
"""

from __future__ import annotations

import hmac
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from registry.db.marks import Marks
from registry.db.privacy import PersonalData
from registry.errors import RegistryUnfit
from terminal import private_files

_EVERY: Final = 5.0
"""Seconds between records of transactions that give no numbers out."""
_MOST: Final = 16
"""Databases that one record knows; the least recent ones are forgotten."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The marks of a database at a time. ``database`` is its name without a password."""

    database: str
    at: datetime
    marks: Marks


class Witness:
    """The record in one file. Usable from many threads."""

    def __init__(self, path: Path, personal: PersonalData, database: str) -> None:
        self.path = path
        self._personal, self._database = personal, database
        self._lock = threading.Lock()
        self._due = 0.0
        self._complained = False

    def of(self, origin: str) -> Sighting | None:
        """What was seen of this database; else the latest of the registry with this origin, wherever it was. Raises
        RegistryUnfit."""
        seen = read_sightings(self.path, self._personal)
        here = next((one for one in seen if one.database == self._database), None)
        elsewhere = (one for one in seen if origin and one.marks.origin == origin)
        return here or max(elsewhere, key=lambda one: one.marks.number, default=None)

    def due(self, urgent: bool) -> bool:
        """Whether a record is to be written now."""
        now = time.monotonic()
        with self._lock:
            if not urgent and now < self._due:
                return False
            self._due = now + _EVERY
            return True

    def note(self, marks: Marks, at: datetime) -> None:
        """Write the marks of this database. A disk that takes no file is logged once and stops no work."""
        with self._lock:
            try:
                known = self._sightings()
                if any(one.database == self._database and one.marks == marks for one in known):
                    return
                others = [one for one in known if one.database != self._database]
                seen = [Sighting(self._database, at, marks), *others][:_MOST]
                private_files.replace(self.path, _file(seen, self._personal))
            except OSError as error:
                if not self._complained:
                    _log.warning("the record %s cannot be written: %s", self.path, error.strerror)
                self._complained = True

    def _sightings(self) -> Sequence[Sighting]:
        try:
            return read_sightings(self.path, self._personal)
        except RegistryUnfit:
            return ()  # the registry was checked since it was found damaged


def read_sightings(path: Path, personal: PersonalData) -> Sequence[Sighting]:
    """The record in a file, of this station or of another with the same keystore; empty where there is no file.

    Raises RegistryUnfit for a record that was changed, and one of another keystore.
    """
    try:
        file = json.loads(path.read_bytes())
        record = file["record"]
        if not hmac.compare_digest(str(file["mac"]), personal.record_mac(_text(record))):
            raise ValueError
        return [Sighting(one["database"], datetime.fromisoformat(one["at"]), Marks.from_json(one)) for one in record]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise RegistryUnfit(f"the record {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RegistryUnfit(f"the record {path} was changed, or is not of this keystore") from None


def _file(seen: Sequence[Sighting], personal: PersonalData) -> bytes:
    record = [{"database": one.database, "at": one.at.isoformat(), **one.marks.to_json()} for one in seen]
    return json.dumps({"record": record, "mac": personal.record_mac(_text(record))}).encode() + b"\n"


def _text(record: Any) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))
