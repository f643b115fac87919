"""Starts `membercard` commands in a few milliseconds each: a process that has imported everything forks one for each.

A real process every time, with the command line's own entry, so that it can be killed like any other. One that has
imported less runs Python programs for tests of what a command imports.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from contextvars import copy_context
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, TypedDict, Unpack

from tests.support import large_pages
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    import typer

_PACKAGES = ("membercard", "personalize", "programme", "reader_service", "registry", "simulators", "terminal")
_PRELOADED = (
    "_strptime",
    "alembic.command",
    "alembic.runtime.migration",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "openpyxl",
    "python_calamine",
    "fontTools.ttLib.tables.otTables",
    "fpdf",
    "rich._emoji_codes",
    "rich.markdown",
    "ruamel.yaml.mergevalue",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "stdnum.cn.ric",
    "tongsuopy.backends.tongsuo",
    "tongsuopy.crypto.ciphers",
    "typer.rich_utils",
)
_USUAL = (["batch", "list"], ["stock", "show"], ["waiting"])
"""Commands that do what most others begin with: they read settings, unlock keys, open the registry, print a table."""
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Streams:
    """Files that a command writes to, and the one that it reads."""

    out: str
    err: str
    given: str = os.devnull


class How(TypedDict, total=False):
    """What is special about a process."""

    limits: Mapping[str, float] | None
    """Constants of the program, as "module.NAME", that have other values in it, so that no test waits for the ordinary
    ones."""
    files: int | None
    """The limit of its open files."""
    code: str
    """The program that it runs instead of `membercard`, as `python -c` does."""


def end_with_parent() -> None:
    """This process is killed when the thread that forked it is gone. prctl(2), PR_SET_PDEATHSIG."""
    _LIBC.prctl(1, signal.SIGKILL)


class Zygote:
    """The parent of commands, in this environment. ``start`` gives a process id; ``status`` waits for its end.

    ``preloaded`` are the modules that it has imported; the whole program, if not given."""

    def __init__(self, environment: Mapping[str, str], preloaded: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.zygote", *preloaded],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            # A library with threads of its own could not be forked safely.
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._asking = threading.Lock()
        self._ask("ready")

    def start(
        self,
        arguments: Sequence[str],
        streams: Streams,
        directory: Path,
        environment: Mapping[str, str],
        **how: Unpack[How],
    ) -> int:
        """Run `membercard` with these arguments in this directory, with exactly this environment; the process id."""
        return self._ask("start", list(arguments), asdict(streams), str(directory), dict(environment), how)

    def begin(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], **how: Unpack[How]
    ) -> ForkedCommand:
        """The same, with nothing to read, and with an output that is read while it runs."""
        readers, writers = zip(os.pipe(), os.pipe(), strict=True)
        try:
            out, err = (f"/proc/{os.getpid()}/fd/{writer}" for writer in writers)
            pid = self.start(arguments, Streams(out, err), directory, environment, **how)
        finally:
            for writer in writers:
                os.close(writer)
        return ForkedCommand(self, pid, *(os.fdopen(reader, encoding="utf-8") for reader in readers))

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
        with self._asking:
            print(json.dumps(words), file=stdin, flush=True)
            return int(stdout.readline())


class ForkedProcess:
    """A command that a zygote runs, as ``subprocess.Popen`` shows a process."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote, self.pid = zygote, pid
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    @property
    def returncode(self) -> int | None:
        """What ``poll`` found last."""
        return self._status

    def fileno(self) -> int:
        """Readable at its end (pidfd_open(2))."""
        return self._handle

    def poll(self) -> int | None:
        """Its exit code or minus the signal that ended it; None while it runs."""
        if self._status is None and select.select([self._handle], [], [], 0)[0]:
            self._status = self._zygote.status(self.pid)
            os.close(self._handle)
        return self._status

    def wait(self, timeout: float = PATIENCE) -> int:
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


class ForkedCommand(ForkedProcess):
    """One whose output is read while it runs; it ends with the block of a ``with``."""

    def __init__(self, zygote: Zygote, pid: int, stdout: TextIO, stderr: TextIO) -> None:
        super().__init__(zygote, pid)
        self.stdout, self.stderr = stdout, stderr

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """The rest of its output, after its end. Raises subprocess.TimeoutExpired."""
        with ThreadPoolExecutor(2) as readers:
            out, err = [readers.submit(_rest, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return out.result(), err.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            self.kill()
        self.stdout.close()
        self.stderr.close()
        self.wait()


def _rest(stream: TextIO) -> str:
    if stream.closed:
        return ""
    with stream:
        return stream.read()


def _whole_program() -> Iterator[str]:
    """The names of all modules."""
    for package in _PACKAGES:
        for module in walk_packages([str(ROOT / package)], f"{package}."):
            if ".migrations" not in module.name:  # alembic's own, and not to be imported
                yield module.name
    yield from _PRELOADED


def _warm_up() -> None:
    """Does once what each short command would do again: statements are compiled, the options of commands are read from
    their signatures, messages are sorted. Nothing of it depends on a command's words or environment."""
    import typer
    from rich.cells import cell_len

    from membercard import cli, command_table, language
    from personalize.profiles import profile
    from terminal.keys import SoftwareKeystore
    from terminal.names import fold
    from terminal.secret import Secret
    from tests.support import issuer, profiles
    from tests.support.registry import engines

    engines.share_statements()
    typer.main.get_params_from_function = cache(typer.main.get_params_from_function)  # type: ignore[attr-defined]
    profile.load_profile(profiles.FILE)
    language._marks()
    fold("甲")
    cell_len("甲")
    before, passphrase = dict(os.environ), "once for all of them"
    with tempfile.TemporaryDirectory() as place, open(os.devnull, "w", encoding="utf-8") as nowhere:
        SoftwareKeystore.create(
            Path(place, "keystore"), Secret(passphrase.encode()), simulation=True, contents=issuer.custody(),
            cost=issuer.FAST,
        )  # fmt: skip
        os.environ |= {"MEMBERCARD_DATA_DIR": place, "MEMBERCARD_PASSPHRASE": passphrase, "MEMBERCARD_SIMULATION": "1"}
        with redirect_stdout(nowhere):
            for words in _USUAL:
                cli.app(words, standalone_mode=False)
    os.environ.clear()
    os.environ.update(before)
    tempfile.tempdir = None  # each command has the folder that its own environment names
    _build_commands(command_table, cli.app)


def _build_commands(table: ModuleType, app: typer.Typer) -> None:
    """Build each command once. A child changes its own copies only: it puts them into its language."""
    import typer

    root = typer.main.get_command(app)
    commands = {row.name: root.get_command(None, row.name) for row in table.listed()}  # type: ignore[attr-defined]
    kind = type(root)
    find, build = kind.get_command, typer.main.get_command  # type: ignore[attr-defined]

    def find_built(self: Any, context: Any, name: str) -> Any:
        return find(self, context, name) if self._listing or name not in commands else commands[name]

    kind.get_command = find_built  # type: ignore[attr-defined]
    typer.main.get_command = lambda one: root if one is app else build(one)
    unseen = [root, *commands.values()]
    while unseen:
        command = unseen.pop()
        for parameter in command.params:
            parameter.get_runtime_param()
        unseen += getattr(command, "commands", {}).values()


def _serve(modules: Sequence[str]) -> None:
    gc.disable()  # all that is imported stays
    for name in modules or _whole_program():
        import_module(name)
    if not modules:
        copy_context().run(_warm_up)  # which knows the settings of a command
    gc.collect()
    gc.enable()
    gc.freeze()  # no child looks through all of that again
    large_pages.collapse()
    for line in sys.stdin:
        word, *rest = json.loads(line)
        answer = 0
        if word == "start":
            arguments, streams, *more = rest
            # Opened here, so that the caller may close its ends of pipes once it has the answer.
            opened = [os.open(streams["given"], os.O_RDONLY)]
            opened += [os.open(streams[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for name in ("out", "err")]
            answer = os.fork() or _become(arguments, opened, *more)
            for descriptor in opened:
                os.close(descriptor)
        elif word == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1])
        os.write(1, f"{answer}\n".encode())


def _become(arguments: list[str], streams: list[int], directory: str, environment: dict[str, str], how: How) -> int:
    """In the child: the command, and never back."""
    end_with_parent()
    os.setsid()  # no terminal is its own, and nothing typed there ends it
    for place, value in (how.get("limits") or {}).items():
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name), place
        setattr(import_module(module), name, value)
    if files := how.get("files"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    code = how.get("code")
    os.chdir(directory.encode())
    os.environ.clear()
    os.environb.update({name.encode(): value.encode() for name, value in environment.items()})
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Without what this process has read of its own, and knows of its own files.
    encoding = environment.get("PYTHONIOENCODING") or sys.stdout.encoding
    sys.stdin = open(0, encoding=encoding, closefd=False)
    sys.stdout = TextIOWrapper(open(1, "wb", closefd=False), encoding, sys.stdout.errors, write_through=True)
    sys.stderr = TextIOWrapper(open(2, "wb", closefd=False), encoding, sys.stderr.errors, line_buffering=True)
    if (warned := environment.get("PYTHONWARNINGS", "error")) != "error":
        warnings._processoptions(warned.split(","))
    sys.argv = ["membercard" if code is None else "-c", *(os.fsdecode(word.encode()) for word in arguments)]
    sys.modules["__main__"].__package__ = None  # as in a script, so that usage lines name it as users call it
    status = 0
    try:
        if code is None:
            from membercard.cli import main

            main()
        else:
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
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
    _serve(sys.argv[1:])
