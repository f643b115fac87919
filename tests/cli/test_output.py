"""Files that commands write: whole, or not there at all."""

from pathlib import Path

import pytest

from membercard.output import write_file


def test_a_file_is_written_with_the_directories_above_it_and_replaced_in_one_go(tmp_path: Path) -> None:
    page = tmp_path / "new" / "deep" / "page.html"
    write_file(page, b"first")
    write_file(page, b"second")
    assert page.read_bytes() == b"second"
    assert list(page.parent.iterdir()) == [page]


def test_a_disk_that_fills_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    write_file(page, b"old")
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write_bytes(self, data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_file(page, b"new")
    assert page.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [page]
