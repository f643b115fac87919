"""Uploaded forms are stored sealed until their batch ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.batches.originals import Original
from registry.errors import NotOnRecord
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, claimed, prepare, rows

FORM = Original("欧阳一家.xlsx", b"PK\x03\x04" + bytes(range(256)) * 40)


def draft(registry: Registry, digest: str = "d") -> str:
    return registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest=digest, by="张", original=FORM).id


def test_the_uploaded_form_is_stored_sealed_and_deleted_with_its_batch(
    registry: Registry, custody: MemoryCustody, url: str
) -> None:
    given_up = draft(registry)
    original = registry.originals.of(given_up)
    assert (original.filename, original.content) == (FORM.filename, FORM.content)
    assert "欧阳" not in repr(original)
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        assert all("欧阳一家".encode() not in path.read_bytes() for path in folder.iterdir())
    registry.batches.discard(given_up, "张")
    with pytest.raises(NotOnRecord, match=f"no uploaded form is stored for batch {given_up}"):
        registry.originals.of(given_up)
    batch = draft(registry)
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    assert registry.originals.of(batch).content == FORM.content
    registry.batches.close(batch, "甲", "乙")
    with pytest.raises(NotOnRecord):
        registry.originals.of(batch)
