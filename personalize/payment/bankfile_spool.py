"""Temporary store of an import until its last card has passed: an unnamed file with sealed content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from registry.values import NewDossier
from terminal.keys import KeyCustody, KeyRef, Sealed


class Spool:
    """Dossiers on disk, in order of arrival; iterating reads them from the first. Account numbers are sealed as
    dossiers are. The file disappears with the block, or with the process."""

    def __init__(self, custody: KeyCustody, seal: KeyRef) -> None:
        self._custody, self._seal = custody, seal
        self._file = TemporaryFile("w+", encoding="ascii")
        self._count = 0

    def add(self, dossier: NewDossier) -> None:
        pan = self._custody.seal(self._seal, dossier.pan.encode("ascii"), _place(dossier.card_number))
        fields = asdict(dossier) | {"sealed": _packed(dossier.sealed), "pan": _packed(pan)}
        self._file.write(json.dumps(fields) + "\n")
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[NewDossier]:
        self._file.seek(0)
        for line in self._file:
            fields: dict[str, Any] = json.loads(line)
            pan = self._custody.open(_unpacked(fields["pan"])).reveal().decode("ascii")
            yield NewDossier(**fields | {"sealed": _unpacked(fields["sealed"]), "pan": pan})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _place(card_number: str) -> str:
    return f"bank file/pan/{card_number}"


def _packed(sealed: Sealed) -> list[str | int]:
    return [sealed.key.name, sealed.key.version, sealed.blob.hex(), sealed.context]


def _unpacked(fields: list[Any]) -> Sealed:
    name, version, blob, context = fields
    return Sealed(KeyRef(name, version), bytes.fromhex(blob), context)
