"""Files that hold members or keys: readable by their owner only, made so at creation and mended where they are not."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from terminal.errors import NotPrivate

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o007
_GROUP_AND_OTHERS: Final = 0o077

log = logging.getLogger("membercard.files")


def set_umask() -> None:
    """Everything that this process creates from now on is its owner's only."""
    os.umask(os.umask(_GROUP_AND_OTHERS) | _GROUP_AND_OTHERS)


def create(path: Path) -> None:
    """Create an empty private file where there is none; whoever writes it next reports what is wrong with the place."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))


def replace(path: Path, content: bytes) -> None:
    """Replace a file by a private one, which is on the disk before it has the name: a reader finds the old content or
    the new, and after the return only the new, also after a power cut. Raises OSError."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def tighten(path: Path, what: str, *, required: bool = False) -> None:
    """Take a file from group and others where they may read or write it, and log that it was open to them.

    A file of another owner stays as it is: one that is open to the group only is taken for meant, one that is open to
    everybody is logged, or refused where ``required``. Raises NotPrivate.
    """
    try:
        present = os.stat(path)
    except OSError:
        return  # whoever opens it says why it cannot be
    mode = stat.S_IMODE(present.st_mode)
    if not stat.S_ISREG(present.st_mode) or not mode & _GROUP_AND_OTHERS:
        return
    if _owned(present):
        try:
            os.chmod(path, mode & ~_GROUP_AND_OTHERS)
        except OSError:
            pass  # a read-only file system
        else:
            log.warning(
                "%s %s was open to other users of this machine (mode %04o); it is %04o now. "
                "Who may have read it? Change what it protects if in doubt.",
                what, path, mode, mode & ~_GROUP_AND_OTHERS,
            )  # fmt: skip
            return
    if not mode & _OTHERS:
        return
    sentence = f"{what} {path} is open to every user of this machine (mode {mode:04o})"
    if required and not _read_only(path):
        raise NotPrivate(f"{sentence}; its owner has to run: chmod 600 {path}")
    log.warning("%s, and cannot be changed by this one", sentence)


def _owned(present: os.stat_result) -> bool:
    return os.geteuid() in (0, present.st_uid)


def _read_only(path: Path) -> bool:
    """Whether the file is on a read-only file system, as secrets are that a container is given."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False
