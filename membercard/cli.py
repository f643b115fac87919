"""`membercard`: one command line for stations, counters and developers."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from membercard import command_table, language, signals
from membercard.errors import Interrupted
from membercard.language import Language, prose, sentence
from membercard.localized_help import localize, localize_typer, usage_errors, whole_names
from terminal import private_files
from terminal.errors import CardError, MembercardError, SecureChannelError, TransportError
from terminal.visible import VisibleStream

EXIT_CODES = (
    "Exit codes: 0 ok, 1 the work found a problem, 2 usage, 3 reader or card fault, 4 no hotlist to rely on, "
    "130 interrupted, 143 terminated."
)

_INTERRUPTED = 130
"""The exit code of a shell for SIGINT: 128 plus the signal number."""
_TRACEBACK = "MEMBERCARD_TRACEBACK"
_COLLECTION_THRESHOLD = 50_000
"""New objects between two collections of garbage. Python's 700 look through all imported modules again and again, which
is a fifth of what a short command takes."""
_ADVICE = {
    errno.ENOENT: "see that file and directory are there",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a directory",
    errno.ENOSPC: "make room on the disk and run the same command again",
    errno.EDQUOT: "make room on the disk and run the same command again",
    errno.EFBIG: "make room on the disk and run the same command again",
    errno.EROFS: "name a directory that may be written",
    errno.EACCES: "give this user the right to it, or name another place",
    errno.EPERM: "give this user the right to it, or name another place",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


class _Root(TyperGroup):
    """Imports the module of a command when it is called, so that a verdict at a counter loads no database driver; help
    and completion take what they show from the table."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        # Typer looks here for what a mistyped name may have meant.
        self.commands = {
            row.name: TyperCommand(row.name, help=prose(row.help), rich_help_panel=sentence(row.panel))
            for row in command_table.listed()
        }
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._listing:
            return self.commands.get(cmd_name)
        row = command_table.find(cmd_name)
        if row is None:
            self.list_commands(ctx)
            return None
        holder = typer.Typer()
        # A callback makes the holder a group even around a single command.
        holder.callback()(lambda: None)
        if row.function:
            holder.command(row.name, rich_help_panel=row.panel)(row.load())
        else:
            holder.add_typer(row.load(), name=row.name, help=row.help, rich_help_panel=row.panel, no_args_is_help=True)
        return typer.main.get_group(holder).commands[row.name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """For a call and for completion; the reference of the commands takes them in English, as their source has
        them."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            localize(command, ctx)
        return name, command, rest

    def make_context(self, *args: Any, **options: Any) -> Any:
        with usage_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        localize_typer(ctx)
        with usage_errors():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        localize_typer(ctx)
        localize(self, ctx)
        with self._table_only():
            whole_names(super().format_help, ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        localize(self, ctx)
        with self._table_only():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _table_only(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


app = typer.Typer(
    name="membercard",
    help="Issue and accept union member service cards.",
    epilog=EXIT_CODES,
    cls=_Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"membercard {version('membercard')}")
        raise typer.Exit


def _choose_language(chosen: Language | None) -> Language | None:
    language.choose(chosen)
    return chosen


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", show_default=False)] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where database, keystore and reports live.")] = None,
    database: Annotated[
        str | None, typer.Option(help="Database URL; SQLite in the data directory if not given.")
    ] = None,
    keystore: Annotated[Path | None, typer.Option(help="Keystore file.")] = None,
    profile: Annotated[Path | None, typer.Option(help="Card profile (YAML).")] = None,
    simulation: Annotated[
        bool | None, typer.Option("--simulation/--production", help="Allow published test keys.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token, where users are on record; or MEMBERCARD_TOKEN.", show_default=False),
    ] = None,
    lang: Annotated[
        Language | None,
        typer.Option(
            help="Language: zh or en; else MEMBERCARD_LANG, else that of the locale.",
            callback=_choose_language,
            envvar="MEMBERCARD_LANG",
            show_envvar=False,
            is_eager=True,
        ),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand != "serve":
        signals.hang_up_ends()
    context.obj = language.sentence  # for groups of other packages, which have no catalogue
    from membercard import settings  # which the root's help and completion do without

    settings.activate(
        config,
        data_dir=data_dir,
        database_url=database,
        keystore=keystore,
        profile=profile,
        simulation=simulation,
        token_file=token_file,
    )


def main() -> None:
    """Run the command line; a fault is printed as one sentence and sets the exit code, without a traceback."""
    signals.take()
    gc.set_threshold(_COLLECTION_THRESHOLD)
    try:
        _print_anywhere()
        private_files.set_umask()
        status = _status_of(app)
        # The buffer is flushed here, where a closed pipe (`| head`) is handled.
        sys.stdout.flush()
    except (KeyboardInterrupt, signals.Ended) as e:
        status = _ended(e)
    except BrokenPipeError:
        status = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as e:
        status = _complain(_os_error_text(e), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _print_anywhere() -> None:
    """Print escapes for control characters, which could change what a terminal shows, and on a terminal without UTF-8
    instead of failing on the first Chinese name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = VisibleStream(sys.stdout), VisibleStream(sys.stderr)


def _status_of(command: Callable[[], object]) -> int:
    """Run a command; returns its exit code. Raises BrokenPipeError, KeyboardInterrupt and Ended."""
    try:
        command()
    except signals.Ended:
        raise
    except SystemExit as e:
        if e.code == _INTERRUPTED:
            raise KeyboardInterrupt from None
        return e.code if isinstance(e.code, int) else 0 if e.code is None else _complain(str(e.code), 1)
    except Interrupted as e:
        return _complain(str(e), _INTERRUPTED)
    except (TransportError, CardError, SecureChannelError) as e:
        return _complain(str(e), 3)
    except MembercardError as e:
        return _complain(_error_text(e), 1)
    except BrokenPipeError:
        raise
    except OSError as e:
        return _complain(_os_error_text(e), 1)
    except Exception as e:
        if os.environ.get(_TRACEBACK):
            raise
        from traceback import extract_tb

        # A fault of this program. Its text may hold personal data, and so only its place is printed.
        frames = extract_tb(e.__traceback__)
        own = [frame for frame in frames if Path(__file__).parent.parent in Path(frame.filename).parents]
        frame = (own or list(frames))[-1]
        place = f"{type(e).__name__} at {Path(frame.filename).name}, line {frame.lineno}"
        return _complain(f"this is a fault of the program ({place}); {_TRACEBACK}=1 in the environment shows more", 1)
    return 0


def _ended(request: BaseException) -> int:
    """The exit code of a command that Ctrl-C or a signal ended."""
    if isinstance(request, signals.Ended):
        return _complain(f"ended by {request.name}; what was done so far is kept", int(str(request.code)))
    return _complain("interrupted; what was done so far is kept", _INTERRUPTED)


def _error_text(error: MembercardError) -> str:
    """Its sentence; a rule of the registry by its code, where the pages have words for it. Of an error in both
    languages (personalize.errors.IntakeError) the one that is wanted."""
    chinese = getattr(error, "chinese", None)
    if isinstance(chinese, str):
        english = str(error).removesuffix(f" ({chinese})")
        translated = sentence(english)
        return chinese if translated == english and language.current() is Language.CHINESE else translated
    rule = getattr(error, "reason", None)
    if not isinstance(rule, str):
        return str(error)
    return language.refusal(rule, getattr(error, "params", {}), str(error))


def _complain(text: str, status: int) -> int:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"membercard: {sentence(text)}")
    return status


def _os_error_text(e: OSError) -> str:
    """An error of the operating system as a sentence."""
    advice = _ADVICE.get(e.errno or 0)
    return f"{e.strerror or e}{f': {e.filename}' if e.filename else ''}{f'; {advice}' if advice else ''}"
