"""Cashiers of a merchant's counter, each with a PIN of their own, in a file there: they sign in without a line.

PINs are stored and throttled as passwords are. The file is private, and written by one process at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from reader_service.access.passwords import Passwords
from reader_service.access.throttle import BY_NAME
from reader_service.errors import Conflict, Invalid, NotFound, TooMany, Unavailable
from registry.store import utc_now
from terminal import private_files
from terminal.names import fold
from terminal.secret import Secret

FILE: Final = "cashiers.json"
"""File in the data directory."""
LONGEST_NAME: Final = 40
"""Characters of a name: it stands on a line of a receipt."""
_FORMAT: Final = 1
_PIN: Final = re.compile(r"[0-9]{4,8}")
_RUNS: Final = ("01234567890", "09876543210")


@dataclass(frozen=True, slots=True)
class Cashier:
    """A cashier on record. ``manager``: may set the PINs of others at this counter."""

    name: str
    manager: bool
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class _Stored:
    """A cashier as the file has it. ``failures`` are wrong PINs in a row; times are ISO 8601 in UTC, empty for none."""

    name: str
    pin_hash: str = field(repr=False)
    manager: bool
    set_by: str
    set_at: str
    failures: int = 0
    failed_at: str = ""
    blocked_until: str = ""

    @property
    def cashier(self) -> Cashier:
        return Cashier(self.name, self.manager, self.set_by, datetime.fromisoformat(self.set_at))


class CashierStore:
    """The cashiers of one counter. Raises Unavailable throughout where the file cannot be read or written."""

    def __init__(
        self, path: Path, passwords: Passwords | None = None, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.passwords = passwords or Passwords()
        self._path, self._clock = path, clock

    def all(self) -> tuple[Cashier, ...]:
        """The cashiers in the order of their names; none where this counter has no PINs."""
        return tuple(stored.cashier for stored in sorted(self._read().values(), key=lambda one: one.name))

    def set_pin(self, name: str, pin: Secret, *, by: str, manager: bool | None = None) -> Cashier:
        """Set the PIN of a cashier, who is new or on record; it frees one who has to wait. ``manager`` None leaves that
        right as it is. Raises Invalid for a name or a PIN that cannot be used."""
        name = _name(name)
        _check_pin(pin)
        pin_hash = self.passwords.hash(pin.reveal().decode())
        with self._changing() as stored:
            before = stored.get(fold(name))
            right = (before is not None and before.manager) if manager is None else manager
            if before is not None and before.manager and not right:
                _need_manager_beside(stored, before)
            made = _Stored(name, pin_hash, right, by, self._clock().isoformat())
            stored[fold(name)] = made
        return made.cashier

    def remove(self, name: str) -> None:
        """Remove a cashier: redemptions on record keep the name. Raises NotFound, Conflict for the last manager while
        there are other cashiers."""
        with self._changing() as stored:
            removed = stored.get(fold(name))
            if removed is None:
                raise NotFound("this counter has no such cashier")
            if removed.manager and len(stored) > 1:
                _need_manager_beside(stored, removed)
            del stored[fold(name)]

    def check(self, name: str, pin: Secret) -> Cashier:
        """The cashier whose PIN this is. A failure is on the disk before it is answered, and attempts come one by one,
        of whatever process.

        Raises TooMany while the cashier has to wait, Conflict for a wrong name or PIN, which does not say which.
        """
        with self._locked() as stored:
            now, known = self._clock(), stored.get(fold(name))
            if known is not None:
                self._refuse_early(stored, known, now)
                self._write(stored | {fold(name): _failed(known, now)})  # or a full disk would make guessing free
            right = self.passwords.matches(known.pin_hash if known else None, pin.reveal().decode(errors="replace"))
            if known is None or not right:
                raise Conflict("the name or the PIN is wrong", reason="cashier-pin")
            self._write(stored | {fold(name): _reset(known)})
        return known.cashier

    def _refuse_early(self, stored: dict[str, _Stored], known: _Stored, now: datetime) -> None:
        """Raises TooMany while the cashier has to wait. Where the clock was set back, the longest wait begins now."""
        wait = datetime.fromisoformat(known.blocked_until) - now if known.blocked_until else timedelta()
        if wait <= timedelta():
            return
        if wait > BY_NAME.longest:
            wait = BY_NAME.longest
            self._write(stored | {fold(known.name): replace(known, blocked_until=(now + wait).isoformat())})
        seconds = max(1, round(wait.total_seconds() + 0.5))
        raise TooMany(f"too many wrong PINs; try again in {seconds} seconds", seconds)

    def _read(self) -> dict[str, _Stored]:
        try:
            content: Any = json.loads(self._path.read_bytes())
            if content["format"] != _FORMAT:
                raise ValueError("another format")
            return {fold(one["name"]): _Stored(**one) for one in content["cashiers"]}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise Unavailable("the file of this counter's cashiers cannot be read") from fault

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Stored]]:
        """The cashiers, to be changed; written at the end where they differ."""
        with self._locked() as stored:
            before = dict(stored)
            yield stored
            if stored != before:
                self._write(stored)

    @contextmanager
    def _locked(self) -> Iterator[dict[str, _Stored]]:
        """The cashiers, for one process at a time."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=private_files.FOLDER_MODE)
            lock = os.open(
                self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, private_files.FILE_MODE
            )
        except OSError as fault:
            raise Unavailable("the file of this counter's cashiers cannot be written") from fault
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(lock)

    def _write(self, stored: dict[str, _Stored]) -> None:
        content = {"format": _FORMAT, "cashiers": [asdict(one) for one in stored.values()]}
        try:
            private_files.replace(self._path, json.dumps(content, ensure_ascii=False, indent=1).encode())
        except OSError as fault:
            raise Unavailable("the file of this counter's cashiers cannot be written") from fault


def _name(text: str) -> str:
    """A name on one line. Raises Invalid."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or not fold(name):
        raise Invalid("a cashier has a name", {"name": f"1 to {LONGEST_NAME} printable characters"})
    return name


def _check_pin(pin: Secret) -> None:
    """Raises Invalid for a PIN that is none, or that is tried first."""
    digits = pin.reveal().decode(errors="replace")
    if not _PIN.fullmatch(digits):
        sentence = "a PIN has 4 to 8 digits"
        raise Invalid(sentence, {"pin": sentence}, rule="pin-digits")
    if len(set(digits)) < 2 or any(digits in run for run in _RUNS) or digits == digits[: len(digits) // 2] * 2:
        sentence = "choose another PIN: this one is guessed first"
        raise Invalid(sentence, {"pin": sentence}, rule="pin-simple")


def _need_manager_beside(stored: dict[str, _Stored], one: _Stored) -> None:
    if not any(other.manager for other in stored.values() if other is not one):
        raise Conflict("this is the only manager of this counter: name another first", reason="cashier-last-manager")


def _failed(stored: _Stored, now: datetime) -> _Stored:
    """One wrong PIN more; those of long ago are forgotten."""
    recent = stored.failed_at and now - datetime.fromisoformat(stored.failed_at) <= BY_NAME.forget
    count = stored.failures + 1 if recent else 1
    wait = BY_NAME.wait(count)
    blocked = (now + wait).isoformat() if wait else ""
    return replace(stored, failures=count, failed_at=now.isoformat(), blocked_until=blocked)


def _reset(stored: _Stored) -> _Stored:
    return replace(stored, failures=0, failed_at="", blocked_until="")
