"""RSA keys for chips, generated in advance: generation is the slowest step of data preparation.

A directory of small files, one key each, private parts sealed under custody. A key is taken exactly once: the process
that unlinks the file owns it, so that many processes share one pool, and a crash wastes at most one key.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from personalize.errors import KeyPoolError
from terminal.crypto import rsa
from terminal.errors import IntegrityError, KeyNotFound
from terminal.keys import KeyCustody, KeyRef, Sealed

CRT_DGIS = (0x8201, 0x8202, 0x8203, 0x8204, 0x8205)
"""q^-1 mod p, d mod (q-1), d mod (p-1), q, p. EMV CPS 1.1, annex A (order as in docs/card-layout.md)."""

_THREADS = (os.cpu_count() or 1) + 1
"""One more than the cores, as threads also wait for the disk."""

_SCAN = 256
"""Key names remembered from one directory scan: a scan for every key would cost more than everything else."""


@dataclass(frozen=True, slots=True)
class ChipKey:
    """An RSA key pair for one chip: the public key, and the sealed CRT components in the order of CRT_DGIS."""

    modulus: int
    exponent: int
    components: tuple[Sealed, ...]


class KeyPool:
    """Keys of one size and exponent under ``directory``. Safe across threads and processes.

    Keys that were changed or sealed by another keystore are discarded when they are taken.
    Raises KeyPoolError when the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        custody: KeyCustody,
        *,
        bits: int,
        exponent: int,
        generate: Callable[[int, int], rsa.RsaPrivate] = rsa.generate,
    ) -> None:
        self._directory = directory / f"rsa-{bits}-{exponent}"
        self._custody = custody
        self._seal_key = custody.latest("seal")
        self._bits, self._exponent = bits, exponent
        self._generate = generate
        self._seen: deque[str] = deque()
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise KeyPoolError(f"cannot make the key pool {self._directory}: {e.strerror}") from e

    def __len__(self) -> int:
        return sum(1 for _ in self._directory.glob("*.key"))

    def make(self) -> ChipKey:
        """Generate a key pair; its private part is sealed at once."""
        return sealed_key(self._custody, self._seal_key, self._generate(self._bits, self._exponent))

    def add(self) -> None:
        """Generate one key and store it in the pool."""
        key = self.make()
        path = self._directory / f"{_name(key.modulus)}.key"
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            with open(partial, "w", opener=_private, encoding="ascii") as file:
                json.dump(
                    {"n": f"{key.modulus:x}", "e": key.exponent, "parts": [_packed(s) for s in key.components]}, file
                )
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut could leave an empty file under the key's name
            partial.rename(path)
        except OSError as e:
            partial.unlink(missing_ok=True)
            raise KeyPoolError(f"cannot write to the key pool {self._directory}: {e.strerror}") from e

    def fill(self, level: int, *, threads: int = _THREADS, tick: Callable[[], None] = lambda: None) -> int:
        """Add keys until the pool has ``level``; returns how many were added. ``tick`` is called after each."""

        def one() -> None:
            self.add()
            tick()

        missing = max(0, level - len(self))
        with ThreadPoolExecutor(threads) as workers:
            try:
                for done in [workers.submit(one) for _ in range(missing)]:
                    done.result()
            except BaseException:  # Ctrl-C or a full disk: drop the keys that were not begun
                workers.shutdown(cancel_futures=True)
                raise
        return missing

    def take(self) -> ChipKey:
        """A key that no other caller gets; generated now when the pool is empty."""
        while self._seen or self._scan():
            try:
                name = self._seen.popleft()
            except IndexError:  # another thread took the last
                continue
            if key := self._claim(name):
                return key
        return self.make()

    def _scan(self) -> bool:
        """Remember some key names from the directory; whether there are any. Other processes may take them first."""
        with os.scandir(self._directory) as entries:
            names = (entry.name for entry in entries)
            self._seen.extend(islice((name for name in names if name.endswith(".key")), _SCAN))
        return bool(self._seen)

    @contextmanager
    def refilled_to(self, level: int) -> Iterator[None]:
        """Refill to ``level`` in the background while the block runs; stops when the pool cannot be written."""
        stop = threading.Event()

        def replenish() -> None:
            while not stop.is_set():
                if len(self) >= level:
                    stop.wait(0.2)
                    continue
                try:
                    self.add()
                except KeyPoolError:
                    return  # an empty pool generates keys when they are taken

        worker = threading.Thread(target=replenish, name="key-pool", daemon=True)
        worker.start()
        try:
            yield
        finally:
            stop.set()
            worker.join()

    def _claim(self, name: str) -> ChipKey | None:
        path = f"{self._directory}/{name}"
        try:
            with open(path, "rb", buffering=0) as file:
                text = file.read()
            os.unlink(path)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise KeyPoolError(f"cannot take a key from the pool {self._directory}: {e.strerror}") from e
        try:
            data = json.loads(text)
            components = tuple(Sealed(KeyRef(n, v), bytes.fromhex(blob), c) for n, v, blob, c in data["parts"])
            key = ChipKey(int(data["n"], 16), data["e"], components)
        except (ValueError, KeyError, TypeError):
            raise KeyPoolError(f"a damaged key was dropped from the pool: {name}; run this again") from None
        return key if self._opens(key) else None

    def _opens(self, key: ChipKey) -> bool:
        """Whether custody opens every component. A key sealed by another keystore would otherwise fail only on the
        chip, which would be rejected for it."""
        try:
            for part in key.components:
                self._custody.open(part)
        except (IntegrityError, KeyNotFound):
            return False
        return True


def sealed_key(custody: KeyCustody, seal_key: KeyRef, private: rsa.RsaPrivate) -> ChipKey:
    """A key pair as it is sent to a chip: each component of the private part sealed under custody."""
    context = f"chip-key/{_name(private.n)}"
    sealed = tuple(
        custody.seal(seal_key, part, f"{context}/{number:04X}")
        for number, part in zip(CRT_DGIS, private.components, strict=True)
    )
    return ChipKey(private.n, private.e, sealed)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _name(modulus: int) -> str:
    return hashlib.sha256(f"{modulus:x}".encode()).hexdigest()[:32]


def _packed(sealed: Sealed) -> list[str | int]:
    return [sealed.key.name, sealed.key.version, sealed.blob.hex(), sealed.context]
