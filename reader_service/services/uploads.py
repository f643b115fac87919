"""Uploaded files while they are read: checked names, limited sizes, a temporary folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from personalize.errors import IntakeError
from personalize.errors import TooLarge as FormTooLarge
from personalize.intake import Limits
from personalize.intake.files.content import MIB
from reader_service.access.settings import FILE_BYTES
from reader_service.errors import Invalid, RequestTooLarge, TooMany, UnreadableForm

FORMS: Final = Limits(file_bytes=FILE_BYTES, unpacked_bytes=64 * MIB, rows=20_000, cells=2_000_000, macros=False)
"""What a service takes that others use at the same time; the command line takes more."""
LONGEST_NAME: Final = 180
_AT_ONCE: Final = 2
_PATIENCE: Final = 20.0
_RETRY: Final = 10


class Uploads:
    """Stores each upload in a private folder while it is read. A few at a time: a large form takes some hundred
    megabytes to read."""

    def __init__(self, limits: Limits = FORMS, *, at_once: int = _AT_ONCE, patience: float = _PATIENCE) -> None:
        self.limits = limits
        self._turn = threading.BoundedSemaphore(at_once)
        self._patience = patience

    @contextmanager
    def file(self, filename: str, chunks: Iterable[bytes]) -> Iterator[Path]:
        """The upload as a file of its own name. Raises Invalid (a bad name), RequestTooLarge, TooMany,
        UnreadableForm."""
        name = safe_name(filename)
        if not self._turn.acquire(timeout=self._patience):
            raise TooMany("other forms are being read; try again in a moment", _RETRY)
        try:
            with TemporaryDirectory(prefix="membercard-upload-") as directory:  # mode 0700
                path = Path(directory) / name
                self._write(path, chunks)
                with readable():
                    yield path
        finally:
            self._turn.release()

    def _write(self, path: Path, chunks: Iterable[bytes]) -> None:
        taken = 0
        with path.open("wb") as out:
            for chunk in chunks:
                taken += len(chunk)
                if taken > self.limits.file_bytes:
                    most = self.limits.file_bytes // MIB
                    raise RequestTooLarge(
                        f"the file is larger than {most} MB: remove pictures, or divide it",
                        chinese=f"文件超过 {most} MB：请删去图片或分成几份",
                    )
                out.write(chunk)


def safe_name(filename: str) -> str:
    """A file name without a path. Raises Invalid."""
    name = filename.strip()
    plain = name.isprintable() and not any(sign in name for sign in "/\\:") and name.strip(". ")
    if not plain or len(name.encode()) > LONGEST_NAME:
        raise Invalid(
            f"a file name is 1 to {LONGEST_NAME} bytes and names no folder",
            {"file": "the file name is empty, too long, or has a path or control characters in it"},
        )
    return name


@contextmanager
def readable() -> Iterator[None]:
    """Translates the intake's errors. Raises UnreadableForm, RequestTooLarge."""
    try:
        yield
    except FormTooLarge as e:
        raise RequestTooLarge(_english(e), chinese=e.chinese) from e
    except IntakeError as e:
        raise UnreadableForm(_english(e), {"file": _english(e)}, chinese=e.chinese) from e


def _english(error: IntakeError) -> str:
    return str(error).removesuffix(f" ({error.chinese})")


def pieces(read: Callable[[int], bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    """The content of a file, piece by piece, from its ``read``."""
    while piece := read(size):
        yield piece
