"""The pool of chip keys: each is taken once, whoever asks."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from personalize.errors import KeyPoolError
from personalize.keypool import CRT_DGIS
from terminal.errors import IntegrityError
from terminal.keys import Sealed
from tests.support import house


def test_a_key_in_the_pool_opens_to_its_components(tmp_path: Path) -> None:
    pool = house.pool(tmp_path, fresh=True)
    pool.add()
    key = pool.take()
    opened = [house.custody().open(part).reveal() for part in key.components]
    q, p = (int.from_bytes(part, "big") for part in opened[3:])
    assert len(opened) == len(CRT_DGIS)
    assert p * q == key.modulus
    assert {len(part) for part in opened} == {72}


def test_no_private_part_is_on_the_disk_in_clear(tmp_path: Path) -> None:
    pool = house.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    private = {part.hex() for key in house.chip_keys() for part in key.components}
    text = path.read_text()
    assert not any(part in text for part in private)
    assert path.stat().st_mode & 0o077 == 0


def test_many_takers_never_share_a_key(tmp_path: Path) -> None:
    pool = house.pool(tmp_path, fresh=True)
    assert pool.fill(12, threads=2) == 12
    with ThreadPoolExecutor(6) as takers:
        moduli = [key.modulus for key in takers.map(lambda _: pool.take(), range(12))]
    assert len(set(moduli)) == 12
    assert len(pool) == 0


def test_an_empty_pool_makes_a_key(tmp_path: Path) -> None:
    assert house.pool(tmp_path).take().exponent == 3


def test_the_background_keeps_the_level(tmp_path: Path) -> None:
    pool = house.pool(tmp_path, fresh=True)
    with pool.kept_at(3):
        deadline = time.monotonic() + 20
        while len(pool) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        pool.take()
        while len(pool) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(pool) == 3
    assert "key-pool" not in [thread.name for thread in threading.enumerate()]


def test_a_damaged_key_is_dropped_with_a_sentence(tmp_path: Path) -> None:
    pool = house.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    path.write_text("{}")
    with pytest.raises(KeyPoolError, match="damaged key was dropped"):
        pool.take()
    assert len(pool) == 0


def test_sealed_parts_cannot_change_places(tmp_path: Path) -> None:
    pool = house.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    data = json.loads(path.read_text())
    data["parts"][0][2], data["parts"][1][2] = data["parts"][1][2], data["parts"][0][2]
    path.write_text(json.dumps(data))
    first: Sealed = pool.take().components[0]
    with pytest.raises(IntegrityError):
        house.custody().open(first)


def test_a_pool_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyPoolError, match="cannot make the key pool"):
        house.pool(tmp_path / "file")
