"""The security domain's keys in non-volatile memory, with their try and sequence counters. GPC 2.3.1, 7.5 and 11.8."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.card.applet import AppletMemory

DES, AES = 0x80, 0x88
"""Key types. GPC 2.3.1, table 11-16."""

INITIAL = 0xFF
"""The version of initial keys, which are deleted when the first key set is added. GPC 2.3.1, 11.8.2.1."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key of a set, by key identifier 1 ENC, 2 MAC, 3 DEK (or others that no channel uses)."""

    identifier: int
    kind: int
    value: bytes

    def __repr__(self) -> str:
        return f"<Key {self.identifier:02X}, type {self.kind:02X}, {len(self.value)} bytes>"


@dataclass(frozen=True, slots=True, repr=False)
class CardKeySet:
    """The three keys of one key version, 3DES (16 bytes) or AES (16, 24, 32 bytes)."""

    version: int
    enc: bytes
    mac: bytes
    dek: bytes

    def __repr__(self) -> str:
        return f"<CardKeySet {self.version:02X}>"


class KeyRing:
    """Key sets by version. Each set is one memory value and its counters another, so that either changes in one write.

    A key set blocks after ``max_tries`` failed authentications in a row. A try is counted before the cryptogram is
    checked, so that cutting the power gains none.
    """

    def __init__(self, memory: AppletMemory, max_tries: int) -> None:
        self._memory = memory
        self._max_tries = max_tries

    @property
    def versions(self) -> list[int]:
        return [int(name[5:], 16) for name in self._memory if name.startswith("keys/")]

    def keys(self, version: int) -> list[Key]:
        """The keys of a version in order of identifier; empty for an unknown version."""
        data, keys, at = self._memory.get(_keys(version), b""), [], 0
        while at < len(data):
            length = data[at + 2]
            keys.append(Key(data[at], data[at + 1], data[at + 3 : at + 3 + length]))
            at += 3 + length
        return keys

    def channel_keys(self, version: int, kind: int) -> CardKeySet | None:
        """The three keys of a secure channel; version 0 means the first set that has them."""
        for candidate in [version] if version else self.versions:
            values = {key.identifier: key.value for key in self.keys(candidate) if key.kind == kind}
            if {1, 2, 3} <= values.keys() and len({len(values[n]) for n in (1, 2, 3)}) == 1:
                return CardKeySet(candidate, values[1], values[2], values[3])
        return None

    def put(self, version: int, keys: list[Key]) -> None:
        """Write a whole set and reset its counters."""
        ordered = sorted(keys, key=lambda key: key.identifier)
        encoded = b"".join(bytes((k.identifier, k.kind, len(k.value))) + k.value for k in ordered)
        self._memory[_keys(version)] = encoded
        self._memory[_counters(version)] = bytes(4)

    def remove(self, version: int) -> None:
        del self._memory[_keys(version)]
        self._memory.pop(_counters(version), None)

    def blocked(self, version: int) -> bool:
        return self._read(version)[0] >= self._max_tries

    def counter(self, version: int) -> int:
        """The sequence counter of the key set."""
        return self._read(version)[1]

    def count_try(self, version: int) -> None:
        tries, counter = self._read(version)
        self._write(version, tries + 1, counter)

    def count_session(self, version: int) -> int:
        """Increment the sequence counter; returns the new value."""
        tries, counter = self._read(version)
        self._write(version, tries, counter + 1)
        return counter + 1

    def succeeded(self, version: int, *, count: bool) -> None:
        """Reset the tries and, with ``count``, increment the sequence counter, in one write."""
        self._write(version, 0, self._read(version)[1] + count)

    def _read(self, version: int) -> tuple[int, int]:
        data = self._memory[_counters(version)]
        return data[0], int.from_bytes(data[1:], "big")

    def _write(self, version: int, tries: int, counter: int) -> None:
        self._memory[_counters(version)] = bytes((min(tries, 0xFF),)) + counter.to_bytes(3, "big")


def _keys(version: int) -> str:
    return f"keys/{version:02X}"


def _counters(version: int) -> str:
    return f"counters/{version:02X}"
