"""The pool of chip keys: each is taken once, whoever asks."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from personalize.errors import KeyPoolError
from personalize.keypool import CRT_DGIS, KeyPool
from terminal.errors import IntegrityError
from terminal.keys import KeyRef, MemoryCustody, Sealed
from terminal.keys.standard import create_standard_keys
from tests.support import issuer
from tests.support.waiting import PATIENCE, eventually


def test_a_key_in_the_pool_opens_to_its_components(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path, fresh=True)
    pool.add()
    key = pool.take()
    opened = [issuer.custody().open(part).reveal() for part in key.components]
    q, p = (int.from_bytes(part, "big") for part in opened[3:])
    assert len(opened) == len(CRT_DGIS)
    assert p * q == key.modulus
    assert {len(part) for part in opened} == {72}


def test_no_private_part_is_on_the_disk_in_clear(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    private = {part.hex() for key in issuer.chip_keys() for part in key.components}
    text = path.read_text()
    assert not any(part in text for part in private)
    assert path.stat().st_mode & 0o077 == 0


def test_many_takers_never_share_a_key(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path, fresh=True)
    assert pool.fill(12, threads=2) == 12
    with ThreadPoolExecutor(6) as takers:
        moduli = [key.modulus for key in takers.map(lambda _: pool.take(), range(12))]
    assert len(set(moduli)) == 12
    assert len(pool) == 0


DRAIN = """
import sys
from pathlib import Path
from personalize.keypool import KeyPool
class Empty(Exception): pass
class Custody:
    def latest(self, name): return None
def none_left(bits, exponent): raise Empty
pool = KeyPool(Path(sys.argv[1]), Custody(), bits=1152, exponent=3, generate=none_left)
print("ready", flush=True)
sys.stdin.readline()
try:
    while True: print(pool.take().modulus)
except Empty: pass
"""


def test_many_processes_empty_a_pool_and_no_key_is_taken_twice(tmp_path: Path) -> None:
    keys, stations = 400, 4
    directory = tmp_path / "rsa-1152-3"
    directory.mkdir()
    for number in range(keys):
        text = json.dumps({"n": f"{number:x}", "e": 3, "parts": []})
        (directory / f"{number:032x}.key").write_text(text)
    command = [sys.executable, "-c", DRAIN, str(tmp_path)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(stations)
    ]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    taken = []
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in running:
        out, _ = one.communicate(timeout=PATIENCE)
        assert one.returncode == 0
        taken += [int(line) for line in out.split()]
    assert sorted(taken) == list(range(keys))


def test_an_empty_pool_makes_a_key(tmp_path: Path) -> None:
    assert issuer.pool(tmp_path).take().exponent == 3


def test_the_background_keeps_the_level(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path, fresh=True)
    with pool.refilled_to(3):
        assert eventually(lambda: len(pool) == 3)
        pool.take()
        assert eventually(lambda: len(pool) == 3)
    assert "key-pool" not in [thread.name for thread in threading.enumerate()]


def test_a_damaged_key_is_dropped_with_a_sentence(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    path.write_text("{}")
    with pytest.raises(KeyPoolError, match="damaged key was dropped"):
        pool.take()
    assert len(pool) == 0


def test_sealed_parts_cannot_change_places(tmp_path: Path) -> None:
    pool = issuer.pool(tmp_path)
    pool.add()
    (path,) = tmp_path.rglob("*.key")
    data = json.loads(path.read_text())
    data["parts"][0][2], data["parts"][1][2] = data["parts"][1][2], data["parts"][0][2]
    path.write_text(json.dumps(data))
    first = Sealed(KeyRef("seal", 1), bytes.fromhex(data["parts"][0][2]), data["parts"][0][3])
    with pytest.raises(IntegrityError):
        issuer.custody().open(first)
    assert pool.take().components[0].blob != first.blob
    assert len(pool) == 0


def test_keys_that_another_keystore_left_are_thrown_away(tmp_path: Path) -> None:
    other = MemoryCustody(simulation=True)
    create_standard_keys(other, by="another house")
    stale = KeyPool(tmp_path, other, bits=1152, exponent=3, generate=issuer.key_source())
    stale.fill(2)
    taken = issuer.pool(tmp_path).take()
    assert [len(issuer.custody().open(part)) for part in taken.components] == [72] * 5
    assert len(stale) == 0


def test_keys_that_came_and_went_since_the_last_look(tmp_path: Path) -> None:
    """A pool remembers the names it saw: one that another process took is passed over, one that came is found."""
    pool, other = issuer.pool(tmp_path, fresh=True), issuer.pool(tmp_path)
    pool.fill(3, threads=2)
    first = pool.take()
    gone = {other.take().modulus, other.take().modulus}
    pool.add()
    came = pool.take().modulus
    assert came not in {first.modulus, *gone}
    assert len(pool) == 0
    assert pool.take().modulus not in {first.modulus, came, *gone}


def test_a_pool_that_cannot_be_created_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyPoolError, match="cannot make the key pool"):
        issuer.pool(tmp_path / "file")
