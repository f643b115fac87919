"""Transactions, page counts and the card file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.card.cardfile import CardFile, CardInUse
from simulators.card.memory import PAGE, MemoryDamaged, MemoryWriteFailed, Nvm, PowerLost, RamImage, TearAt
from terminal.errors import ReaderFault, ReaderNotFound


class Oops(Exception):
    pass


def test_a_transaction_that_raises_changes_nothing() -> None:
    nvm = Nvm(RamImage())
    scope = nvm.scope("app")
    scope["kept"] = b"1"

    def change() -> None:
        with nvm.transaction():
            scope["kept"] = b"2"
            scope["new"] = b"3"
            nvm.drop("app")
            raise Oops

    with pytest.raises(Oops):
        change()
    assert dict(scope) == {"kept": b"1"}
    assert nvm.pages_written == 1


def test_an_inner_transaction_takes_back_only_its_own() -> None:
    nvm = Nvm(RamImage())
    scope = nvm.scope("app")

    def change() -> None:
        with nvm.transaction():
            scope["inner"] = b"2"
            raise Oops

    with nvm.transaction():
        scope["outer"] = b"1"
        with pytest.raises(Oops):
            change()
        scope["later"] = b"3"
    assert dict(scope) == {"outer": b"1", "later": b"3"}


def test_what_is_there_is_not_written_again() -> None:
    nvm = Nvm(RamImage())
    scope = nvm.scope("app")
    scope["a"] = b"x" * PAGE
    pages = nvm.pages_written
    scope["a"] = b"x" * PAGE
    assert (pages, nvm.pages_written) == (2, 2)


def test_values_do_not_print() -> None:
    nvm = Nvm(RamImage())
    nvm.scope("isd")["key"] = b"topsecret"
    assert repr(nvm.scope("isd")) == "<MemoryScope isd: key>"


def card_file(path: Path) -> tuple[CardFile, Nvm]:
    file = CardFile.create(path, b"")
    file.lock()
    nvm = Nvm(file)
    nvm.load()
    return file, nvm


def test_card_file_keeps_state_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    file, nvm = card_file(path)
    nvm.scope("isd")["a"] = b"1"
    file.unlock()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Nvm(CardFile(path))
    again.load(repair=False)
    assert again.scope("isd")["a"] == b"1"
    assert os.listdir(tmp_path) == ["a.card"]


def test_card_file_is_not_overwritten(tmp_path: Path) -> None:
    CardFile.create(tmp_path / "a.card", b"")
    with pytest.raises(FileExistsError):
        CardFile.create(tmp_path / "a.card", b"")


def test_two_cannot_power_one_chip(tmp_path: Path) -> None:
    file, _ = card_file(tmp_path / "a.card")
    other = CardFile(tmp_path / "a.card")
    with pytest.raises(CardInUse, match="powered by another reader"):
        other.lock()
    file.unlock()
    assert other.lock()
    other.unlock()


def test_no_write_without_power(tmp_path: Path) -> None:
    file, nvm = card_file(tmp_path / "a.card")
    file.unlock()
    with pytest.raises(PowerLost):
        nvm.scope("isd")["a"] = b"1"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip file", b"MEMBERCARD-CHIP\n\x00\x09" + bytes(14)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.card").write_bytes(content)
    with pytest.raises(MemoryDamaged, match="card file"):
        CardFile(tmp_path / "a.card").read()


def test_a_directory_is_no_card_file(tmp_path: Path) -> None:
    with pytest.raises(ReaderFault, match=f"reading the card file {tmp_path}: Is a directory"):
        CardFile(tmp_path).read()


def test_a_compaction_that_cannot_take_the_name_leaves_the_log_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.card"
    file, nvm = card_file(path)

    def no_replace(source: str, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", no_replace)
    for i in range(300):
        nvm.scope("isd")["a"] = i.to_bytes(2, "big") * 600
    assert path.stat().st_size > 300_000
    assert os.listdir(tmp_path) == ["a.card"]
    file.unlock()
    again = Nvm(CardFile(path))
    again.load(repair=False)
    assert again.scope("isd")["a"] == (299).to_bytes(2, "big") * 600


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ReaderNotFound, match="there is no card file"):
        CardFile(tmp_path / "none.card").read()


def test_a_torn_file_is_repaired_when_powered(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    file, nvm = card_file(path)
    nvm.scope("isd")["a"] = b"old"
    size = path.stat().st_size
    nvm.tear = TearAt(0)
    with pytest.raises(PowerLost):
        nvm.scope("isd")["a"] = b"new"
    assert path.stat().st_size > size
    nvm.load()
    assert nvm.scope("isd")["a"] == b"old"
    assert path.stat().st_size == size
    file.unlock()


def both(nvm: Nvm) -> None:
    with nvm.transaction():
        nvm.scope("isd")["a"] = b"new"
        nvm.scope("isd")["b"] = b"new"


def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.card"
    file, nvm = card_file(path)
    scope = nvm.scope("isd")
    scope["a"] = b"old"
    before = path.read_bytes()
    write = os.write

    def half(fd: int, data: bytes) -> int:
        return write(fd, data[: len(data) // 2])

    def none(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for broken in (half, none):
        monkeypatch.setattr(os, "write", broken)
        with pytest.raises(MemoryWriteFailed):
            scope["a"] = b"new"
        with pytest.raises(MemoryWriteFailed):
            both(nvm)
        monkeypatch.setattr(os, "write", write)
        assert dict(scope) == {"a": b"old"}
        assert path.read_bytes() == before
    scope["a"] = b"new"
    assert nvm.scope("isd")["a"] == b"new"
    file.unlock()


def test_compaction_keeps_the_state_and_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    file, nvm = card_file(path)
    scope = nvm.scope("isd")
    for i in range(400):
        scope["a"] = i.to_bytes(2, "big") * 600
    assert path.stat().st_size < 270_000
    with pytest.raises(CardInUse):
        CardFile(path).lock()
    with nvm.transaction():
        scope["b"] = bytes(300_000)
        del scope["a"]
    file.unlock()
    again = Nvm(CardFile(path))
    again.load()
    assert dict(again.scope("isd")) == {"b": bytes(300_000)}
    assert os.listdir(tmp_path) == ["a.card"]


WRITER = """
import sys
from pathlib import Path
from simulators.card.cardfile import CardFile
from simulators.card.memory import Nvm
file = CardFile(Path(sys.argv[1])); file.lock()
nvm = Nvm(file); nvm.load()
scope = nvm.scope("s")
n = int.from_bytes(scope.get("a", b""), "big")
started = False
while True:
    n += 1
    with nvm.transaction():
        scope["a"] = n.to_bytes(8, "big")
        scope["b"] = n.to_bytes(8, "big") * 500
    if not started:
        started = print("go", flush=True) is None
"""


def test_a_killed_process_leaves_a_whole_state(tmp_path: Path) -> None:
    path = tmp_path / "a.card"
    CardFile.create(path, b"")
    last = 0
    for delay in (0.0, 0.003, 0.011, 0.037, 0.1):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"go\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        file = CardFile(path)
        file.lock()
        nvm = Nvm(file)
        nvm.load()
        scope = nvm.scope("s")
        n = int.from_bytes(scope.get("a", b""), "big")
        assert scope.get("b", b"") == n.to_bytes(8, "big") * (500 if n else 0)
        assert n >= last
        last = n
        file.unlock()
    assert last > 0
