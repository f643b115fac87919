"""Files that hold members or keys are their owner's only."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import pytest

from terminal import private_files
from terminal.errors import NotPrivate


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keystore"
    path.touch()
    return path


@pytest.mark.parametrize(("present", "mended"), [(0o644, 0o600), (0o640, 0o600), (0o444, 0o400), (0o777, 0o700)])
def test_an_open_file_is_mended_and_logged(
    file: Path, present: int, mended: int, caplog: pytest.LogCaptureFixture
) -> None:
    file.chmod(present)
    private_files.tighten(file, "the keystore", required=True)
    assert mode(file) == mended
    assert f"the keystore {file} was open to other users of this machine (mode {present:04o})" in caplog.text
    caplog.clear()
    private_files.tighten(file, "the keystore", required=True)
    assert caplog.text == ""


def test_a_file_that_is_not_there_or_no_file_is_left_to_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = (tmp_path, Path("/dev/null"))
    tmp_path.chmod(0o755)
    before = [mode(place) for place in places]
    for place in (tmp_path / "none", *places):
        private_files.tighten(place, "the keystore", required=True)
    assert [mode(place) for place in places] == before
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""


def test_an_open_file_of_another_owner_is_refused_where_it_matters(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    file.chmod(0o644)
    with pytest.raises(NotPrivate, match="open to every user of this machine"):
        private_files.tighten(file, "the keystore", required=True)
    with caplog.at_level(logging.WARNING):
        private_files.tighten(file, "the database")
    assert "cannot be changed by this one" in caplog.text
    file.chmod(0o640)
    private_files.tighten(file, "the keystore", required=True)
    assert mode(file) == 0o640


def test_a_file_is_replaced_by_a_private_one_or_not_at_all(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"old")
    file.chmod(0o644)
    private_files.replace(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o600)

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        private_files.replace(file, b"newer")
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"new", [file])


def test_a_new_name_is_on_the_disk_before_the_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(stat.S_ISDIR(os.fstat(number).st_mode)))
    private_files.replace(tmp_path / "file", b"new")
    assert synced == [False, True], "the content, then its name"


def test_what_is_created_is_private(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        private_files.create(tmp_path / "file")
        assert mode(tmp_path / "file") == 0o600
        private_files.set_umask()
        (tmp_path / "folder").mkdir()
        assert mode(tmp_path / "folder") == 0o700
    finally:
        os.umask(before)
