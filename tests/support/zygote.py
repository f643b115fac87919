"""Starts `membercard` commands in a few milliseconds each: a process that has imported everything forks one for each.

A real process every time, with the command line's own entry, so that it can be killed like any other.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from tests.support.paths import ROOT

_PACKAGES = ("membercard", "personalize", "programme", "reader_service", "registry", "simulators", "terminal")
_PRELOADED = (
    "alembic.command",
    "alembic.runtime.migration",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "openpyxl",
    "python_calamine",
    "rich.markdown",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "stdnum.cn.ric",
    "tongsuopy.crypto.ciphers",
    "typer.rich_utils",
)
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Streams:
    """Files that a command writes to; it has nothing to read."""

    out: str
    err: str


def end_with_parent() -> None:
    """This process is killed when the thread that forked it is gone. prctl(2), PR_SET_PDEATHSIG."""
    _LIBC.prctl(1, signal.SIGKILL)


class Zygote:
    """The parent of commands, in this environment. ``start`` gives a process id; ``status`` waits for its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            # A library with threads of its own could not be forked safely.
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._ask("ready")

    def start(
        self,
        arguments: Sequence[str],
        streams: Streams,
        directory: Path,
        environment: Mapping[str, str],
        *,
        limits: Mapping[str, float] | None = None,
        files: int | None = None,
    ) -> int:
        """Run `membercard` with these arguments in this directory, with exactly this environment; the process id.

        ``limits``: constants of the program, as "module.NAME", that have other values in this process, so that no test
        waits for the ordinary ones. ``files``: the limit of its open files.
        """
        command = list(arguments), asdict(streams), str(directory), dict(environment), dict(limits or {}), files
        return self._ask("start", *command)

    def status(self, pid: int) -> int:
        """Wait for this process: its exit code, or minus the signal that ended it."""
        return self._ask("wait", pid)

    def close(self) -> None:
        """Let it go; commands that run still end with it, as they do when the test process is killed."""
        self._process.communicate()

    def _ask(self, *words: object) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(words), file=stdin, flush=True)
        return int(stdout.readline())


class ForkedProcess:
    """A command that a zygote runs, as ``subprocess.Popen`` shows a process."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote, self.pid = zygote, pid
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit code or minus the signal that ended it; None while it runs."""
        if self._status is None and select.select([self._handle], [], [], 0)[0]:
            self._status = self._zygote.status(self.pid)
            os.close(self._handle)
        return self._status

    def wait(self, timeout: float) -> int:
        """The same at its end. Raises subprocess.TimeoutExpired."""
        if self._status is None:
            select.select([self._handle], [], [], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(["membercard"], timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Does nothing once it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _serve() -> None:
    import gc
    from pkgutil import walk_packages

    for package in _PACKAGES:
        for module in walk_packages([str(ROOT / package)], f"{package}."):
            if ".migrations" not in module.name:  # alembic's own, and not to be imported
                import_module(module.name)
    for name in _PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()  # no child looks through all of that again
    for line in sys.stdin:
        word, *rest = json.loads(line)
        answer = 0
        if word == "start":
            answer = os.fork() or _become(*rest)
        elif word == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1])
        os.write(1, f"{answer}\n".encode())


def _become(
    arguments: list[str],
    streams: dict[str, str],
    directory: str,
    environment: dict[str, str],
    limits: dict[str, float],
    files: int | None,
) -> int:
    """In the child: the command, and never back."""
    from membercard.cli import main

    end_with_parent()
    os.setsid()  # no terminal is its own, and nothing typed there ends it
    for place, value in limits.items():
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name), place
        setattr(import_module(module), name, value)
    if files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.chdir(directory.encode())
    os.environ.clear()
    os.environb.update({name.encode(): value.encode() for name, value in environment.items()})
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        with open(streams[name], "ab") as file:
            os.dup2(file.fileno(), number)
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]  # others read it while this one runs
    sys.argv = ["membercard", *(os.fsdecode(word.encode()) for word in arguments)]
    sys.modules["__main__"].__package__ = None  # as in a script, so that usage lines name it as users call it
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
