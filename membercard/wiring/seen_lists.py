"""The newest lists that a counter has used, so that nobody brings an older one back: a lost card would be good again.

A record in the data directory holds, for each key that lists are signed with, the highest edition of each list, and the
latest time that the counter has seen. It is under a MAC with a key beside it, which only the counter's user may read.
The lists themselves are stored too. The folder appears with key and record in it and goes with them, in one step each:
if one of them is missing in it, it was removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from terminal import private_files
from terminal.crypto.rsa import RsaPublic
from terminal.errors import IntegrityError
from terminal.localtime import date_time
from terminal.member.lists import CounterLists, ListPolicy
from terminal.member.signed import Issue, ListOutdated
from terminal.member.trust import TrustList

FOLDER: Final = "lists-seen"
"""Folder in the data directory."""
RESET: Final = "membercard lists reset"
_RECORD, _KEY, _LOCK = "record.json", "key", "lock"
_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY)
_KEY_BYTES: Final = 32
_CLOCK_STEP: Final = timedelta(minutes=1)
"""How often a running clock is written down."""
_KINDS: Final = {"trust": "trust list", "hotlist": "hotlist", "programme": "programme edition"}


class ListKeyChanged(IntegrityError):
    """The lists of the data directory are signed with another key than before."""


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """What was seen. ``editions``: version and time of issue of each list, by fingerprint of the list key and name of
    the list. ``pinned``: the fingerprint of the key in the data directory."""

    clock: datetime | None = None
    pinned: str = ""
    editions: Mapping[str, Mapping[str, tuple[int, datetime]]] = field(default_factory=dict)

    def newest(self, fingerprint: str, name: str) -> tuple[int, datetime] | None:
        return self.editions.get(fingerprint, {}).get(name)

    def with_edition(self, fingerprint: str, name: str, issue: Issue) -> Self:
        """The record after that edition; an older one changes nothing."""
        newest, edition = self.newest(fingerprint, name), (issue.version, issue.issued)
        if newest is not None and newest >= edition:
            return self
        of_key = {**self.editions.get(fingerprint, {}), name: edition}
        return replace(self, editions={**self.editions, fingerprint: of_key})

    def to_json(self) -> dict[str, Any]:
        return {
            "clock": self.clock and self.clock.astimezone(UTC).isoformat(),
            "pinned": self.pinned,
            "editions": {
                key: {name: [version, issued.isoformat()] for name, (version, issued) in lists.items()}
                for key, lists in self.editions.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        editions = {
            key: {name: (int(version), datetime.fromisoformat(issued)) for name, (version, issued) in lists.items()}
            for key, lists in value["editions"].items()
        }
        return cls(value["clock"] and datetime.fromisoformat(value["clock"]), str(value["pinned"]), editions)


class SeenLists:
    """The record of one counter in ``folder``. Safe for many processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def accept(
        self,
        lists: CounterLists,
        key: RsaPublic,
        at: datetime,
        *,
        files: Mapping[str, bytes] | None = None,
        pin: bool = False,
    ) -> CounterLists:
        """The lists with the clock to compare, after they were compared with the record and noted in it.

        ``files`` are stored beside the record where an edition is newer; ``pin`` demands the key that was used before.
        A folder that cannot be written leaves a ``fault`` in the result. Raises ListOutdated for an older edition,
        ListKeyChanged, IntegrityError for a record that was changed or removed, OSError for one that cannot be read.
        """
        mark = fingerprint(key)
        before = self.record()
        lists = self._with_newest_trust(lists, key, before.newest(mark, "trust"))
        issues = {"trust": lists.trust.issue} | ({"hotlist": lists.hotlist.issue} if lists.hotlist is not None else {})
        if pin:
            _refuse_other_key(before.pinned, mark)
        for name, issue in issues.items():
            _refuse_older(name, before.newest(mark, name), issue)
        in_force = all(issue.current(at) for issue in issues.values())  # a clock far in the future notes nothing
        clock = _later(before.clock, at) if in_force else before.clock
        after = replace(before, clock=clock, pinned=mark if pin else before.pinned)
        for name, issue in issues.items():
            after = after.with_edition(mark, name, issue)
        fault = lists.fault
        if after != before:
            try:
                self._write(after, mark, files if after.editions != before.editions else None)
            except OSError as error:
                reason = error.strerror or "the system refused"
                fault = fault or f"the lists are used, but not noted in {self.folder}: {reason}"
        return replace(lists, policy=replace(lists.policy, clock_seen=before.clock), fault=fault)

    def accept_programme(self, issue: Issue, key: RsaPublic, at: datetime, file: bytes) -> None:
        """Note an edition of the programme that is in force, after it was compared with the record; the file is stored.

        Raises ListOutdated for an older edition or a clock that was set back, ListKeyChanged, IntegrityError for a
        record that was changed or removed, OSError for one that cannot be read or written.
        """
        mark, before = fingerprint(key), self.record()
        _refuse_other_key(before.pinned, mark)
        newest = before.newest(mark, "programme")
        _refuse_older("programme", newest, issue)
        if ListPolicy(clock_seen=before.clock).clock_behind(at):
            seen = date_time(before.clock or at, at.tzinfo)
            raise ListOutdated(f"the clock of this counter was set back: it was at {seen} before; set it right")
        after = replace(before, pinned=mark, clock=_later(before.clock, at)).with_edition(mark, "programme", issue)
        if after != before:
            self._write(after, mark, {"programme": file})

    def _with_newest_trust(
        self, lists: CounterLists, key: RsaPublic, newest: tuple[int, datetime] | None
    ) -> CounterLists:
        """The newest trust list in place of an older one with the same keys: every station signs the trust list for
        itself, so that a counter of two stations sees both. Raises IntegrityError, CodecError."""
        if newest is None or (lists.trust.issue.version, lists.trust.issue.issued) >= newest:
            return lists
        stored = self.stored(key, "trust")
        trust = None if stored is None else TrustList.load(stored, key)
        if trust is None or trust.keys != lists.trust.keys or (trust.issue.version, trust.issue.issued) < newest:
            return lists
        return replace(lists, trust=trust)

    def stored(self, key: RsaPublic, name: str) -> bytes | None:
        """The file of the newest edition, as it was signed; None where none was stored."""
        try:
            return self._file(fingerprint(key), name).read_bytes()
        except OSError:
            return None

    def next_version(self, key: RsaPublic, name: str, version: int) -> int:
        """``version``, or the one after the newest edition where that is not lower. For an issuer's own lists, whose
        clock may have been set back. Raises IntegrityError, OSError."""
        newest = self.record().newest(fingerprint(key), name)
        return version if newest is None else max(version, newest[0] + 1)

    def record(self) -> SeenRecord:
        """What was seen; an empty record before the first list. Raises IntegrityError, OSError."""
        present = self._key_and_record()
        return SeenRecord() if present is None else present[1]

    def _key_and_record(self) -> tuple[bytes, SeenRecord] | None:
        """Both from the same folder; None where there is none. Raises IntegrityError, OSError."""
        while True:
            try:
                folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                key = _read(_KEY, folder)
                record = _checked(key, _read(_RECORD, folder))
                if key is not None and record is not None:
                    return key, record
                if _same(folder, self.folder):  # else it was reset in between
                    raise IntegrityError(
                        f"the record of the lists that this counter has used, in {self.folder}, was changed or partly "
                        f"removed: an older list would pass. See who had access; with fresh lists from the issuer run: "
                        f"{RESET}"
                    )
            finally:
                os.close(folder)

    def reset(self) -> None:
        """Forget everything; the next lists are taken as the first ones. Raises OSError."""
        with contextlib.ExitStack() as held, contextlib.suppress(FileNotFoundError):  # else there is nothing to forget
            try:
                held.enter_context(self._locked())
            except (FileNotFoundError, NotADirectoryError):
                raise
            except OSError:
                pass  # a damaged lock is forgotten with the rest
            forgotten = self._beside()
            self.folder.rename(forgotten)
            shutil.rmtree(forgotten)

    def _write(self, record: SeenRecord, mark: str, files: Mapping[str, bytes] | None) -> None:
        noted = False
        while not noted:
            self._create()
            with contextlib.suppress(FileNotFoundError), self._locked():  # else it was reset after it was made
                self._note(record, mark, files or {})
                noted = True

    def _note(self, record: SeenRecord, mark: str, files: Mapping[str, bytes]) -> None:
        """Write under the lock, without loss of what another process has noted."""
        both = self._key_and_record()
        if both is None:
            raise FileNotFoundError(self.folder)
        key, present = both
        for name, lists in present.editions.items():
            for kind, (version, issued) in lists.items():
                record = record.with_edition(name, kind, Issue(version, issued, issued))
        clocks = [clock for clock in (record.clock, present.clock) if clock is not None]
        record = replace(record, clock=max(clocks, default=None))
        for name, content in files.items():
            private_files.replace(self._file(mark, name), content)
        private_files.replace(self.folder / _RECORD, _record_file(key, record))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the writers of the folder that has the name now. Raises FileNotFoundError where none has it."""
        path, held = self.folder / _LOCK, False
        while not held:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if held := _same(lock, path):  # else it was reset while this one waited
                    yield
            finally:
                os.close(lock)

    def _beside(self) -> Path:
        """A free name beside the folder."""
        return self.folder.with_name(f".{self.folder.name}.{secrets.token_hex(8)}")

    def _create(self) -> None:
        """Make the folder with key and record in one step, so that one without the other was tampered with."""
        if self.folder.exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._beside()
        fresh.mkdir(mode=0o700)
        try:
            key = secrets.token_bytes(_KEY_BYTES)
            private_files.replace(fresh / _KEY, key)
            private_files.replace(fresh / _RECORD, _record_file(key, SeenRecord()))
            fresh.rename(self.folder)
            private_files.sync_folder(self.folder.parent)
        except OSError as error:
            # Another process was first, and a third one may have reset what it made since.
            if error.errno not in _TAKEN and not self.folder.exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _file(self, mark: str, name: str) -> Path:
        return self.folder / f"{name}-{mark[:16]}.json"


def fingerprint(key: RsaPublic) -> str:
    """SHA-256 over modulus and exponent of a list key, 64 hex digits."""
    return hashlib.sha256(f"{key.n:x}:{key.e}".encode()).hexdigest()


def _later(clock: datetime | None, at: datetime) -> datetime:
    """The clock to write down: it runs in steps."""
    return at if clock is None or at > clock + _CLOCK_STEP else clock


def _refuse_other_key(pinned: str, mark: str) -> None:
    if pinned not in ("", mark):
        raise ListKeyChanged(
            f"the list key of this counter is another than before ({mark[:16]}, it was {pinned[:16]}); if "
            f"the issuer has changed it, compare the fingerprint with the issuer's and run: {RESET}"
        )


def _refuse_older(name: str, newest: tuple[int, datetime] | None, issue: Issue) -> None:
    if newest is None or (issue.version, issue.issued) >= newest:
        return
    version, issued = newest
    zone = issue.issued.tzinfo or UTC  # one zone for both, as a list is issued in any
    raise ListOutdated(
        f"the {_KINDS[name]} has version {issue.version}, issued {date_time(issue.issued, zone)}; version {version} of "
        f"{date_time(issued, zone)} was used before, so this one is refused: fetch the newest from the issuer"
    )


def _mac(key: bytes, state: object) -> bytes:
    text = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(key, b"lists seen\x00" + text, "sha256")


def _record_file(key: bytes, record: SeenRecord) -> bytes:
    state = record.to_json()
    return json.dumps({"record": state, "mac": _mac(key, state).hex()}, sort_keys=True).encode() + b"\n"


def _checked(key: bytes | None, text: bytes | None) -> SeenRecord | None:
    """The record in that file; None for one that is not under the key."""
    try:
        file = json.loads(text or b"")
        mac, state = bytes.fromhex(file["mac"]), file["record"]
        if key is None or len(key) != _KEY_BYTES or not hmac.compare_digest(mac, _mac(key, state)):
            return None
        return SeenRecord.from_json(state)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _read(name: str, folder: int) -> bytes | None:
    """A file of an open folder; None where it is missing. Raises OSError."""
    try:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _same(opened: int, path: Path) -> bool:
    """Whether what was opened has this path still."""
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False
