"""Starts `membercard` commands in a few milliseconds each: a process that has imported everything forks one for each.

A real process every time, with the command line's own entry, so that it can be killed like any other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ROOT = Path(__file__).parents[2]
_PRELOADED = (
    "alembic.command",
    "membercard.cli",
    "membercard.perso_commands",
    "registry.store",
    "simulators.reader",
    "sqlalchemy.dialects.sqlite.pysqlite",
)


class Zygote:
    """The parent of commands. ``start`` gives a process id; ``status`` waits for its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=_ROOT,
            env={**os.environ, **environment},
        )
        self._ask("ready")

    def start(self, arguments: Sequence[str], output: Path) -> int:
        """Run `membercard` with these arguments, its output into a file; the process id."""
        return self._ask("start", *arguments, str(output))

    def status(self, pid: int) -> int:
        """Wait for this process: its exit code, or minus the signal that ended it."""
        return self._ask("wait", str(pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate()

    def _ask(self, *words: str) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(words), file=stdin, flush=True)
        return int(stdout.readline())


def _serve() -> None:
    from importlib import import_module

    for module in _PRELOADED:
        import_module(module)
    for line in sys.stdin:
        word, *rest = json.loads(line)
        answer = 0
        if word == "start":
            answer = os.fork() or _become(rest[:-1], rest[-1])
        elif word == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(int(rest[0]), 0)[1])
        os.write(1, f"{answer}\n".encode())


def _become(arguments: list[str], output: str) -> int:
    """In the child: the command, and never back."""
    from membercard.cli import main

    with open(output, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["membercard", *arguments]
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
