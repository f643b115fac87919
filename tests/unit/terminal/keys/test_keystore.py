from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal.errors import KeyNotFound, KeyRefused, KeystoreDamaged, KeystoreLocked, KeystoreUnavailable
from terminal.keys import GP_TEST_KEY, Algorithm, KeyRef, MemoryCustody, Purpose, SoftwareKeystore
from terminal.keys.keyfile import STANDARD_COST, KdfCost
from terminal.secret import Secret

Maker = Callable[..., SoftwareKeystore]


def reseal_checksum(lines: list[bytes]) -> bytes:
    covered = b"\n".join(lines[:3]) + b"\n"
    return covered + hashlib.sha256(covered).hexdigest().encode() + b"\n"


def test_generated_keys_are_there_after_unlocking(make_keystore: Maker, passphrase: Secret) -> None:
    store = make_keystore()
    store.generate("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, by="Li Na", bits=1024)
    store.rotate("seal", by="Wang Wei")
    store.generate("old", Purpose.INDEX, Algorithm.HMAC, by="Li Na")
    store.destroy(KeyRef("old"), by="Li Na")
    sealed = store.seal(KeyRef("seal"), b"data", "c")
    again = SoftwareKeystore.unlock(store.path, passphrase)
    assert again.keys() == store.keys()
    assert again.audit() == store.audit()
    assert again.open(sealed) == Secret(b"data")
    assert again.sign(KeyRef("issuer"), b"\x00" * 127 + b"\x02") == store.sign(
        KeyRef("issuer"), b"\x00" * 127 + b"\x02"
    )
    with pytest.raises(KeyNotFound, match="was destroyed"):
        again.info(KeyRef("old"))


def test_the_file_is_readable_by_its_owner_only(make_keystore: Maker) -> None:
    store = make_keystore()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert sorted(p.name for p in store.path.parent.iterdir()) == ["keystore", "keystore.lock"]


def test_no_key_is_readable_in_the_file(tmp_path: Path, passphrase: Secret, cheap: KdfCost) -> None:
    store = SoftwareKeystore.create(tmp_path / "k", passphrase, simulation=True, cost=cheap)
    store.import_key("kmc", Purpose.KMC, Algorithm.TDES, Secret(GP_TEST_KEY), by="Li Na")
    data = store.path.read_bytes()
    for form in (GP_TEST_KEY, GP_TEST_KEY.hex().encode(), base64.b64encode(GP_TEST_KEY), passphrase.reveal(), b"kmc"):
        assert form not in data


def test_a_wrong_passphrase_is_distinguished_from_damage(make_keystore: Maker) -> None:
    store = make_keystore()
    with pytest.raises(KeystoreLocked, match=r"^opening .*keystore: the passphrase is wrong$"):
        SoftwareKeystore.unlock(store.path, Secret(b"guess"))


def test_an_empty_passphrase_is_refused(tmp_path: Path, make_keystore: Maker) -> None:
    with pytest.raises(KeystoreLocked, match="the passphrase is empty"):
        SoftwareKeystore.create(tmp_path / "k", Secret(b""))
    assert not (tmp_path / "k").exists()
    with pytest.raises(KeystoreLocked, match="the passphrase is empty"):
        SoftwareKeystore.unlock(make_keystore().path, Secret(b""))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}", b"\n\n\n\n", bytes(1000)])
def test_another_file_is_no_keystore(tmp_path: Path, passphrase: Secret, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(KeystoreDamaged, match="the file is not a keystore"):
        SoftwareKeystore.unlock(path, passphrase)


def test_a_later_format_is_refused_as_such(make_keystore: Maker, passphrase: Secret) -> None:
    path = make_keystore().path
    path.write_bytes(path.read_bytes().replace(b"membercard-keystore 1\n", b"membercard-keystore 2\n"))
    with pytest.raises(KeystoreDamaged, match="another version of this program"):
        SoftwareKeystore.unlock(path, passphrase)


def test_a_cut_or_grown_file_is_damaged(make_keystore: Maker, passphrase: Secret) -> None:
    path = make_keystore().path
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:-70], whole[: len(whole) // 2], whole + b"\n", whole + b"x"):
        path.write_bytes(data)
        with pytest.raises(KeystoreDamaged):
            SoftwareKeystore.unlock(path, passphrase)


def test_contents_changed_with_a_new_checksum_are_noticed(make_keystore: Maker, passphrase: Secret) -> None:
    path = make_keystore().path
    lines = path.read_bytes().split(b"\n")
    body = bytearray(base64.b64decode(lines[2]))
    body[20] ^= 1
    path.write_bytes(reseal_checksum([lines[0], lines[1], base64.b64encode(body)]))
    with pytest.raises(KeystoreDamaged, match="changed by someone without its passphrase"):
        SoftwareKeystore.unlock(path, passphrase)


def test_a_production_keystore_cannot_be_relabelled(make_keystore: Maker, passphrase: Secret) -> None:
    path = make_keystore().path
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"simulation": false', b'"simulation": true')
    path.write_bytes(reseal_checksum(lines))
    with pytest.raises(KeystoreDamaged, match="changed by someone"):
        SoftwareKeystore.unlock(path, passphrase)


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": 1 << 40},
        {"memory_kib": 1},
        {"iterations": 10**9},
        {"lanes": 0},
        {"salt": "zz"},
        {"simulation": "yes"},
        {"extra": 1},
        {"lanes": None},
    ],
)
def test_a_senseless_header_is_refused_before_any_work(
    make_keystore: Maker, passphrase: Secret, change: dict[str, object]
) -> None:
    path = make_keystore().path
    lines = path.read_bytes().split(b"\n")
    lines[1] = json.dumps(json.loads(lines[1]) | change).encode()
    path.write_bytes(reseal_checksum(lines))
    with pytest.raises(KeystoreDamaged, match="its header is invalid"):
        SoftwareKeystore.unlock(path, passphrase)


def test_a_keystore_is_never_overwritten(make_keystore: Maker, passphrase: Secret, cheap: KdfCost) -> None:
    store = make_keystore()
    before = store.path.read_bytes()
    with pytest.raises(KeystoreUnavailable, match="already; it is not overwritten"):
        SoftwareKeystore.create(store.path, passphrase, cost=cheap)
    assert store.path.read_bytes() == before


def test_simulation_is_for_good_and_keys_do_not_cross(tmp_path: Path, passphrase: Secret, cheap: KdfCost) -> None:
    test_keys = MemoryCustody(simulation=True)
    store = SoftwareKeystore.create(tmp_path / "k", passphrase, simulation=True, contents=test_keys, cost=cheap)
    assert SoftwareKeystore.unlock(store.path, passphrase).simulation
    with pytest.raises(KeyRefused, match="do not move between simulation and production"):
        SoftwareKeystore.create(tmp_path / "p", passphrase, contents=test_keys, cost=cheap)
    assert not (tmp_path / "p").exists()


def test_two_stations_do_not_lose_each_others_keys(make_keystore: Maker, passphrase: Secret) -> None:
    one = make_keystore()
    two = SoftwareKeystore.unlock(one.path, passphrase)
    assert one.rotate("seal", by="Li Na").ref.version == 2
    assert two.rotate("seal", by="Wang Wei").ref.version == 3
    one.generate("index", Purpose.INDEX, Algorithm.HMAC, by="Li Na")
    refs = [str(info.ref) for info in SoftwareKeystore.unlock(one.path, passphrase).keys()]
    assert refs == ["index/1", "seal/1", "seal/2", "seal/3"]


def test_a_keystore_replaced_under_an_open_one_is_noticed(
    make_keystore: Maker, passphrase: Secret, cheap: KdfCost
) -> None:
    store = make_keystore()
    store.path.unlink()
    SoftwareKeystore.create(store.path, passphrase, cost=cheap)
    with pytest.raises(KeystoreLocked, match="replaced since it was unlocked"):
        store.rotate("seal", by="Li Na")


def test_the_standard_cost_is_memory_hard() -> None:
    assert STANDARD_COST.memory_kib >= 64 * 1024
    assert STANDARD_COST.supported


def test_a_snapshot_opens_with_its_transport_secret_only(make_keystore: Maker) -> None:
    store = make_keystore()
    store.generate("index", Purpose.INDEX, Algorithm.HMAC, by="Li Na")
    sealed = store.seal(KeyRef("seal"), b"data", "")
    transport = Secret(os.urandom(32))
    blob = store.snapshot(transport, names=["seal"])
    worker = MemoryCustody.from_snapshot(blob, transport)
    assert worker.open(sealed) == Secret(b"data")
    assert [info.ref for info in worker.keys()] == [KeyRef("seal")]
    assert worker.audit() == ()
    with pytest.raises(KeystoreDamaged, match="does not open"):
        MemoryCustody.from_snapshot(blob, Secret(os.urandom(32)))
    with pytest.raises(KeystoreDamaged, match="does not open"):
        MemoryCustody.from_snapshot(blob[:20], transport)
    with pytest.raises(KeystoreLocked, match="32 random bytes"):
        store.snapshot(Secret(b"short"))
    with pytest.raises(KeyNotFound, match="no key named issuer"):
        store.snapshot(transport, names=["issuer"])


def test_a_snapshot_stays_production_or_simulation() -> None:
    transport = Secret(os.urandom(32))
    for simulation in (True, False):
        blob = MemoryCustody(simulation).snapshot(transport)
        assert MemoryCustody.from_snapshot(blob, transport).simulation is simulation


WORKER = """
import sys
from terminal.keys import KeyRef, MemoryCustody
from terminal.secret import Secret
transport = Secret(bytes.fromhex(sys.stdin.readline()))
custody = MemoryCustody.from_snapshot(bytes.fromhex(sys.stdin.readline()), transport)
print(custody.index(KeyRef("index"), b"x").hex())
"""


def test_a_worker_process_computes_the_same(make_keystore: Maker) -> None:
    store = make_keystore()
    ref = store.generate("index", Purpose.INDEX, Algorithm.HMAC, by="Li Na").ref
    transport = Secret(os.urandom(32))
    secrets_line = f"{transport.reveal().hex()}\n{store.snapshot(transport, names=['index']).hex()}\n"
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=secrets_line, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == store.index(ref, b"x").hex()
