"""Full disk, read-only directory, another writer, a kill: one sentence, and the old file unchanged."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal.errors import CustodyError, KeystoreUnavailable
from terminal.keys import KeyRef, SoftwareKeystore, storage
from terminal.secret import Secret
from tests.support.waiting import PATIENCE

Maker = Callable[..., SoftwareKeystore]


def failing(code: int) -> Callable[..., int]:
    def fail(*_args: object, **_kwargs: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "fchmod"])
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; make room and try again"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_failing_write_leaves_the_old_file(
    make_keystore: Maker, passphrase: Secret, monkeypatch: pytest.MonkeyPatch, call: str, code: int, sentence: str
) -> None:
    store = make_keystore()
    before = store.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(code))
        with pytest.raises(
            KeystoreUnavailable, match=r"^writing the keystore .* \(it is as it was before\): "
        ) as caught:
            store.rotate("seal", by="Li Na")
    assert str(caught.value).endswith(sentence) or sentence in str(caught.value)
    assert isinstance(caught.value, CustodyError)
    assert store.path.read_bytes() == before
    assert [p.name for p in store.path.parent.iterdir() if p.name.startswith(".")] == []
    assert store.latest("seal") == KeyRef("seal", 1)
    assert store.rotate("seal", by="Li Na").ref == KeyRef("seal", 2)
    assert SoftwareKeystore.unlock(store.path, passphrase).latest("seal") == KeyRef("seal", 2)


def test_a_short_write_is_continued(make_keystore: Maker, passphrase: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_keystore()
    whole = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: whole(fd, data[:100]))
        store.rotate("seal", by="Li Na")
    assert SoftwareKeystore.unlock(store.path, passphrase).latest("seal").version == 2


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_directory_is_one_sentence(
    make_keystore: Maker, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = make_keystore()
    monkeypatch.setattr(os, "open", failing(code))
    with pytest.raises(KeystoreUnavailable, match=r"^locking the keystore [^;]*: [a-z -]+; [a-z ]+$"):
        store.rotate("seal", by="Li Na")


def test_a_file_system_without_locks_is_one_sentence(make_keystore: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_keystore()
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(KeystoreUnavailable, match=r"^locking the keystore [^;]*: this file system has no locks; keep"):
        store.rotate("seal", by="Li Na")


def test_an_absent_file_is_one_sentence(tmp_path: Path, passphrase: Secret) -> None:
    with pytest.raises(KeystoreUnavailable, match=r"^reading the keystore .*absent: it does not exist$"):
        SoftwareKeystore.unlock(tmp_path / "absent", passphrase)
    with pytest.raises(KeystoreUnavailable, match="it is a directory, not a file"):
        SoftwareKeystore.unlock(tmp_path, passphrase)


def test_a_huge_file_is_not_read(tmp_path: Path, passphrase: Secret) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(KeystoreUnavailable, match="a file of this size is no keystore"):
        SoftwareKeystore.unlock(path, passphrase)


def test_a_directory_in_the_way_is_one_sentence(tmp_path: Path, passphrase: Secret) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(KeystoreUnavailable, match="making the directory"):
        SoftwareKeystore.create(tmp_path / "file" / "keystore", passphrase)


def test_a_second_writer_waits_and_then_gives_up(make_keystore: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_keystore()
    before = store.path.read_bytes()
    with storage.exclusive(store.path):
        with (
            pytest.raises(KeystoreUnavailable, match="another program is changing the keystore"),
            storage.exclusive(store.path, wait=0.05),
        ):
            pass
        done: list[int] = []
        waiting = threading.Thread(target=lambda: done.append(store.rotate("seal", by="Li Na").ref.version))
        waiting.start()
        waiting.join(0.1)
        assert done == []
        assert store.path.read_bytes() == before
    waiting.join(PATIENCE)
    assert done == [2]


KILLED = """
import os, signal, sys
from pathlib import Path
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
store = SoftwareKeystore.unlock(Path(sys.argv[1]), Secret(bytes.fromhex(sys.argv[2])))
setattr(os, sys.argv[3], lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
store.rotate("seal", by="Li Na")
"""


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_kill_before_the_rename_leaves_the_old_file(make_keystore: Maker, passphrase: Secret, call: str) -> None:
    store = make_keystore()
    before = store.path.read_bytes()
    command = [sys.executable, "-c", KILLED, str(store.path), passphrase.reveal().hex(), call]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert store.path.read_bytes() == before
    assert store.path.with_name(".keystore.new").exists()
    again = SoftwareKeystore.unlock(store.path, passphrase)
    assert again.rotate("seal", by="Wang Wei").ref == KeyRef("seal", 2)
    assert not store.path.with_name(".keystore.new").exists()


def test_a_file_that_a_killed_writer_left_gets_its_mode_again(make_keystore: Maker) -> None:
    store = make_keystore()
    left = store.path.with_name(".keystore.new")
    left.write_bytes(b"x" * 100_000)
    left.chmod(0o666)
    store.rotate("seal", by="Li Na")
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert not left.exists()


def test_a_link_planted_in_place_of_the_new_file_is_not_followed(make_keystore: Maker, tmp_path: Path) -> None:
    store = make_keystore()
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    store.path.with_name(".keystore.new").symlink_to(victim)
    with pytest.raises(KeystoreUnavailable, match="it is as it was before"):
        store.rotate("seal", by="Li Na")
    assert victim.read_bytes() == b"untouched"
