"""Ends what a test process started when that process is gone, however it went: killed, too."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

# Each line it reads is the process to end; "done" when nothing is left to do. Ctrl-C does not reach it.
_SCRIPT = """
while read -r word; do
  [ "$word" = done ] && exit
  pid=$word
done
[ -z "$pid" ] || kill -s "$1" "$pid"
for _ in $(seq 100); do
  case "$(ps -o stat= -p "${pid:-0}")" in "" | Z*) break ;; esac
  sleep 0.1
done
[ -z "$pid" ] || kill -s KILL "$pid"
rm -rf -- "$2"
"""


class Watchdog:
    """Context manager over ``directory``, and over the process given to ``watch``: ended with the signal ``how``.

    ``prefix`` is a command that gives the rights to do so, ``locks`` are files whose locks last until then. Leave the
    block when both are gone.
    """

    def __init__(
        self, directory: Path, how: signal.Signals, *, prefix: Sequence[str] = (), locks: Sequence[IO[str]] = ()
    ) -> None:
        self._process = subprocess.Popen(
            [*prefix, "sh", "-c", _SCRIPT, "watchdog", how.name.removeprefix("SIG"), str(directory)],
            pass_fds=[lock.fileno() for lock in locks],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """This process from now on, instead of the one before."""
        self._write(str(pid))

    def close(self) -> None:
        """Let go of both."""
        self._write("done")
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, word: str) -> None:
        assert self._process.stdin is not None
        print(word, file=self._process.stdin, flush=True)
