"""The software keystore: a custodian whose keys are in one encrypted file."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from terminal import private_files
from terminal.errors import KeyRefused, KeystoreDamaged, KeystoreLocked, KeystoreUnavailable
from terminal.keys import keyfile, storage, table
from terminal.keys.custody import KeyInfo
from terminal.keys.keyfile import STANDARD_COST, KdfCost, KeyFileHeader
from terminal.keys.management import KeyManagement, utc_now
from terminal.keys.memory import MemoryCustody
from terminal.keys.table import KeyTable
from terminal.secret import Secret


class SoftwareKeystore(MemoryCustody):
    """Keys in one file under a passphrase; ``create`` makes it, ``unlock`` opens it.

    The file is read once, at ``unlock``; a change is written to the disk before it takes effect, and includes the
    changes of other processes. Worker processes get a ``snapshot``, which needs no key derivation.
    """

    def __init__(
        self,
        path: Path,
        header: KeyFileHeader,
        file_key: Secret,
        contents: KeyTable,
        random: Callable[[int], bytes],
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(contents.simulation, random, clock, table=contents)
        self.path = path
        self._header = header
        self._file_key = file_key

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: Secret,
        *,
        simulation: bool = False,
        contents: KeyManagement | None = None,
        cost: KdfCost = STANDARD_COST,
        random: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], datetime] = utc_now,
    ) -> SoftwareKeystore:
        """A new file, empty or with the keys of another custodian, written atomically.

        Raises KeystoreUnavailable when the file exists or cannot be written, KeystoreLocked for an empty
        passphrase, KeyRefused when ``contents`` and the new keystore are not both for simulation or for production.
        """
        if contents is not None and contents.simulation is not simulation:
            raise KeyRefused("keys do not move between simulation and production")
        keys = KeyTable(simulation) if contents is None else contents._table
        header, file_key = keyfile.new_header(passphrase, cost, simulation, random)
        storage.make_parent(path)
        with storage.exclusive(path):
            if path.exists():
                raise KeystoreUnavailable(f"there is a keystore at {path} already; it is not overwritten")
            storage.replace(path, keyfile.encode(header, file_key, table.encode(keys), random))
        return cls(path, header, file_key, keys, random, clock)

    @classmethod
    def unlock(
        cls,
        path: Path,
        passphrase: Secret,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], datetime] = utc_now,
    ) -> SoftwareKeystore:
        """The keystore in this file, which is made private where it is not. Raises KeystoreUnavailable, NotPrivate,
        KeystoreDamaged, KeystoreLocked."""
        data = storage.read(path)
        with _faults_name(path):
            header, body = keyfile.parse(data)
            private_files.tighten(path, "the keystore", required=True)  # only now is it known to be one
            file_key = keyfile.unlock(header, passphrase)
            contents = table.decode(keyfile.decrypt(header, file_key, body))
        return cls(path, header, file_key, contents, random, clock)

    def _change(self, edit: Callable[[KeyTable], tuple[KeyTable, KeyInfo]]) -> KeyInfo:
        with self._mutex, storage.exclusive(self.path):
            data = storage.read(self.path)
            with _faults_name(self.path):
                header, body = keyfile.parse(data)
                if header != self._header:
                    raise KeystoreLocked("the keystore was replaced since it was unlocked; unlock it again")
                # Another process may have changed the file since it was read: the edit applies to its present contents.
                current = table.decode(keyfile.decrypt(header, self._file_key, body))
            changed, info = edit(current)
            storage.replace(self.path, keyfile.encode(header, self._file_key, table.encode(changed), self._random))
            self._table = changed
            return info


@contextlib.contextmanager
def _faults_name(path: Path) -> Iterator[None]:
    """Add the file's path to the messages of format faults."""
    try:
        yield
    except (KeystoreDamaged, KeystoreLocked) as fault:
        raise type(fault)(f"opening {path}: {fault}") from None
