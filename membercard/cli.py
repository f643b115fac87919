"""`membercard`: one command line for stations, counters and developers."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from membercard import settings
from terminal.errors import CardError, MembercardError, TransportError

EXIT_CODES = "Exit codes: 0 ok, 1 the work found a problem, 2 usage, 3 reader or card fault."

_COMMANDS = (
    ("demo", "demo_command", "demo"),
    ("doctor", "doctor_command", "doctor"),
)
_GROUPS = (
    ("profile", "profile_commands", "Check card profiles."),
    ("roster", "roster_commands", "Check and import registration forms (录入)."),
    ("batch", "batch_commands", "Approve, prepare and report batches (审核, 登记)."),
    ("perso", "perso_commands", "Personalize cards over one or many readers (办卡)."),
    ("card", "card_commands", "Read and verify a member card as a counter does (享受优惠服务)."),
    ("readers", "readers_commands", "List and watch readers."),
    ("gp", "gp_commands", "GlobalPlatform card management, for developers."),
    ("keys", "keys_commands", "The keystore."),
    ("lists", "counter", "The signed lists that counters carry."),
    ("stock", "stock_commands", "Blank chips received and used."),
)


class _LazyRoot(TyperGroup):
    """Imports a command's module when the command is wanted: a counter's verdict waits for no database driver."""

    def list_commands(self, ctx: Any) -> list[str]:
        plugins = [entry.name for entry in entry_points(group="membercard.commands")]
        return [name for name, *_ in (*_COMMANDS, *_GROUPS)] + plugins

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        holder = typer.Typer()
        # A callback makes the holder a group even around a single command.
        holder.callback()(lambda: None)
        for name, module, function in _COMMANDS:
            if name == cmd_name:
                holder.command(name)(getattr(import_module(f"membercard.{module}"), function))
        for name, module, text in _GROUPS:
            if name == cmd_name:
                holder.add_typer(import_module(f"membercard.{module}").app, name=name, help=text, no_args_is_help=True)
        for entry in entry_points(group="membercard.commands", name=cmd_name):
            holder.add_typer(entry.load(), name=entry.name, no_args_is_help=True)
        return typer.main.get_group(holder).commands.get(cmd_name)


app = typer.Typer(
    name="membercard",
    help="Issue and accept union member service cards (工会会员服务卡).",
    epilog=EXIT_CODES,
    cls=_LazyRoot,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"membercard {version('membercard')}")
        raise typer.Exit


@app.callback()
def _root(
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
    show_version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    settings.activate(
        config, data_dir=data_dir, database_url=database, keystore=keystore, profile=profile, simulation=simulation
    )


def main() -> None:
    """Run the command line; faults become one sentence and an exit code, never a traceback."""
    complain = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        app()
    except (TransportError, CardError) as e:
        complain.print(f"membercard: {e}")
        sys.exit(3)
    except MembercardError as e:
        complain.print(f"membercard: {e}")
        sys.exit(1)
    except OSError as e:
        complain.print(f"membercard: {e.strerror or e}{f': {e.filename}' if e.filename else ''}")
        sys.exit(1)
