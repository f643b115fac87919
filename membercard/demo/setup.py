"""Start of a demo: a data directory with settings and a simulation keystore of its own, and blank chips."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Final

import typer

from membercard import settings
from membercard.demo.payment import share_masters
from membercard.errors import SettingsError
from terminal.keys import MemoryCustody, SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.keys.standard import create_standard_keys
from terminal.secret import Secret

CONFIG: Final = "membercard.toml"
_MARK: Final = ".membercard-demo"
_UNKNOWN_KEY: Final = "00112233445566778899AABBCCDDEEFF"
"""Key of one blank chip, instead of the supplier's: it has to be rejected, and its card made again."""


def create_demo_home(out: Path, *, option: str = "--out", operator: str = "clerk") -> SoftwareKeystore:
    """Create an empty data directory with settings, which are activated, and its keystore. ``option`` is the command
    line option that names the directory. Raises SettingsError for a directory that no demo created."""
    if out.exists() and any(out.iterdir()) and not (out / _MARK).exists():
        raise SettingsError(f"{out} exists and no demo made it; name another place with {option}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, mode=0o700)
    (out / _MARK).touch()
    passphrase = Secret(secrets.token_urlsafe(18).encode())
    secret_file = out / "passphrase"
    secret_file.touch(mode=0o600)
    secret_file.write_bytes(passphrase.reveal())
    here = out.resolve()
    lines = [
        f'data_dir = "{here}"',
        f'passphrase_file = "{here / "passphrase"}"',
        "simulation = true",
        'station = "demo"',
    ]
    _write_settings(out, lines, operator)
    lines.append(f'profile = "{(settings.load().profile or _bank_profile(out)).resolve()}"')
    _write_settings(out, lines, operator)
    keys = MemoryCustody(simulation=True)
    create_standard_keys(keys, by="demo")
    share_masters(keys, out)
    return SoftwareKeystore.create(
        settings.load().keystore, passphrase, simulation=True, contents=keys, cost=CHEAP_COST
    )


def _write_settings(out: Path, lines: Sequence[str], operator: str) -> None:
    path = out / CONFIG
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings.activate(path, operator=operator)


def _bank_profile(out: Path) -> Path:
    """A copy of the shipped profile with both applications, for the user to change."""
    path = out / "profile.yaml"
    shipped = files("personalize") / "profiles" / "union-member-bank.yaml"
    path.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def make_blanks(directory: Path, count: int, *, unknown: bool = True) -> int:
    """At least ``count`` blank chips of both kinds, some to spare, and one unknown that comes first; how many."""
    half = count // 2 + 4
    if unknown:
        before = set(directory.glob("*.card"))
        make_stock(directory, 1, "--key", _UNKNOWN_KEY)
        (chip,) = set(directory.glob("*.card")) - before
        chip.rename(directory / chip.name.replace("chip-", "chip-00-"))
    make_stock(directory, half, "--scp", "03")
    make_stock(directory, half, "--scp", "02", "--protocol", "t0")
    return unknown + 2 * half


def make_stock(directory: Path, count: int, *options: str) -> None:
    """Create blank chips with ``membercard sim stock``: virtual cards are reached only through their plug-in."""
    (group,) = (entry.load() for entry in entry_points(group="membercard.commands", name="sim"))
    make = typer.main.get_command(group)
    with redirect_stdout(StringIO()):
        make.main(["stock", str(directory), "--count", str(count), *options], standalone_mode=False)
