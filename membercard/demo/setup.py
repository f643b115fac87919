"""Start of a demo: a data directory with settings and a simulation keystore of its own, and blank chips.

A demo writes nothing outside its directory, whatever database or keystore the environment names.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Final

import typer

from membercard import settings
from membercard.demo.clock import DemoDays
from membercard.demo.merchant import counter_settings, entitlement
from membercard.demo.payment import share_masters
from membercard.demo.printing import BANK, DESIGN
from membercard.errors import SettingsError
from terminal.keys import MemoryCustody, SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.keys.standard import create_standard_keys
from terminal.secret import Secret

CONFIG: Final = "membercard.toml"
_MARK: Final = ".membercard-demo"
"""Is in every directory that a demo created; not empty where a station is kept."""
_SECRET_FILE: Final = "passphrase"  # noqa: S105
_LAST_CLASS: Final = '    - {benefit_class: "0301", limit: 52, period: year}'
"""Where the shipped profile's benefit classes end."""
_UNKNOWN_KEY: Final = "00112233445566778899AABBCCDDEEFF"
"""Key of one blank chip, instead of the supplier's: it has to be rejected, and its card made again."""


def create_demo_home(
    out: Path,
    *,
    option: str = "--out",
    operator: str = "clerk",
    printed: bool = False,
    profile: Callable[[Path], Path] | None = None,
) -> SoftwareKeystore:
    """Create an empty data directory with settings, which are activated, and its keystore. ``option`` is the command
    line option that names the directory; with ``printed`` the cards have a face. ``profile`` writes the card profile
    into the directory, instead of the one in the settings or the shipped one.

    Raises SettingsError for a directory that no demo created, and for the directory of a station that is kept.
    """
    mark = out / _MARK
    if out.exists() and any(out.iterdir()) and not mark.exists():
        raise SettingsError(f"{out} exists and no demo made it; name another place with {option}")
    if mark.exists() and mark.stat().st_size:
        raise SettingsError(f"{out} holds the station of a demo that is kept; name another place with {option}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, mode=0o700)
    mark.touch()
    passphrase = Secret(secrets.token_urlsafe(18).encode())
    secret_file = out / _SECRET_FILE
    secret_file.touch(mode=0o600)
    secret_file.write_bytes(passphrase.reveal())
    here = out.resolve()
    lines = [
        f"data_dir = {_quoted(here)}",
        f"passphrase_file = {_quoted(here / _SECRET_FILE)}",
        "simulation = true",
        'station = "demo"',
        *counter_settings(),
    ]
    _write_settings(out, lines, operator)
    own = settings.load().profile or _bank_profile(out, printed) if profile is None else profile(out)
    lines.append(f"profile = {_quoted(own.resolve())}")
    _write_settings(out, lines, operator)
    keys = MemoryCustody(simulation=True)
    create_standard_keys(keys, by="demo")
    share_masters(keys, out)
    return SoftwareKeystore.create(
        settings.load().keystore, passphrase, simulation=True, contents=keys, cost=CHEAP_COST
    )


def keep(out: Path, contents: Mapping[str, str]) -> None:
    """Note in a demo's directory that it is complete, with what its station has to find again."""
    (out / _MARK).write_text(json.dumps(contents, ensure_ascii=False), encoding="utf-8")


def reopen_demo_home(out: Path, *, operator: str) -> tuple[SoftwareKeystore, Mapping[str, str]] | None:
    """Activate the settings of a demo that is kept; its keystore, and what ``keep`` noted.

    None if there is none: no directory, or one whose demo ended before it was complete. Raises SettingsError for a
    directory that was moved, KeystoreLocked, KeystoreDamaged.
    """
    mark = out / _MARK
    if not mark.exists() or not mark.stat().st_size:
        return None
    _activate(out, operator)
    if not settings.load().data_dir.samefile(out):
        raise SettingsError(f"{out} was moved: its {CONFIG} names {settings.load().data_dir}; correct the paths there")
    passphrase = Secret((out / _SECRET_FILE).read_bytes().rstrip(b"\r\n"))
    return SoftwareKeystore.unlock(settings.load().keystore, passphrase), json.loads(mark.read_text("utf-8"))


def _write_settings(out: Path, lines: Sequence[str], operator: str) -> None:
    (out / CONFIG).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _activate(out, operator)


def _activate(out: Path, operator: str) -> None:
    """The settings of this directory, before what the environment says; a profile is not in the file at first."""
    own = tomllib.loads((out / CONFIG).read_text(encoding="utf-8"))
    home = Path(own["data_dir"])
    places = {"database_url": f"sqlite:///{home / 'membercard.db'}", "keystore": home / "keystore"}
    settings.activate(out / CONFIG, **{**places, **own, "operator": operator})


def _quoted(path: Path) -> str:
    """A path as a TOML basic string, whose escapes are those of JSON."""
    return json.dumps(str(path))


def _bank_profile(out: Path, printed: bool) -> Path:
    """A copy of the shipped profile with both applications, for the user to change; its cards also count what the
    demo's programme counts."""
    path = out / "profile.yaml"
    shipped = (files("personalize") / "profiles" / "union-member-bank.yaml").read_text(encoding="utf-8")
    more = entitlement(DemoDays(settings.load().today()))
    face = f"face: {{design: {DESIGN}, bank: {BANK}}}\n" if printed else ""
    path.write_text(shipped.replace(_LAST_CLASS, f"{_LAST_CLASS}\n{more}") + face, encoding="utf-8")
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
