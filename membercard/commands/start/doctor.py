"""`membercard doctor`: check that this machine has what the program needs, and say what to do where it has not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import typer
from rich.text import Text

from membercard import output, settings
from membercard.language import sentence, text
from terminal.apdu import list_readers
from terminal.errors import MembercardError

if TYPE_CHECKING:
    from personalize.profiles.profile import Profile


class DoctorCheck(NamedTuple):
    """One check. ``state`` is "ok", "note" (the program works without it) or "fault"."""

    what: str
    state: str
    detail: str


def doctor(json: output.Json = False) -> None:
    """Check this machine: Python, PC/SC service and readers, settings, keystore, database, profile, disk.

    Exit code 1 when something that the program needs is missing or broken.
    """
    findings = list(_examine())
    if json:
        output.as_json([f._asdict() for f in findings])
    else:
        signs = {"ok": ("✓", "green"), "note": ("–", "yellow"), "fault": ("✗", "bold red")}
        marks = {state: Text(f"{sign} {text(state)}", style) for state, (sign, style) in signs.items()}
        rows = [(text(f.what), marks[f.state], sentence(f.detail)) for f in findings]
        output.show(output.table("What this machine has", ["item", "", "detail"], rows))
    if any(f.state == "fault" for f in findings):
        raise typer.Exit(1)


def _examine() -> Iterator[DoctorCheck]:
    yield DoctorCheck("Python", "ok", f"{sys.version.split()[0]}, membercard {version('membercard')}")
    yield _pcsc()
    chosen = settings.load()
    yield _disk()
    yield _font()
    if not chosen.keystore.exists():
        yield DoctorCheck("keystore", "note", f"none at {chosen.keystore}; make one with: membercard keys init")
        return
    try:
        keystore = settings.open_keystore()
    except MembercardError as e:
        yield DoctorCheck("keystore", "fault", str(e))
        return
    kind = "simulation" if keystore.simulation else "production"
    yield DoctorCheck("keystore", "ok", f"{chosen.keystore}, {len(keystore.keys())} keys, for {kind}")
    try:
        with settings.open_registry(keystore) as registry:
            batches = registry.batches.all()
        yield DoctorCheck("database", "ok", f"{chosen.database_label}, {len(batches)} batches")
    except MembercardError as e:
        yield DoctorCheck("database", "fault", str(e))
    from membercard.wiring.profile import profile_in_use

    try:
        profile = profile_in_use()
        yield DoctorCheck("profile", "ok", f"{chosen.profile or 'shipped'}: {profile.profile}")
    except MembercardError as e:
        yield DoctorCheck("profile", "fault", str(e))
        return
    if profile.face is not None:
        yield _face(profile)


def _face(profile: Profile) -> DoctorCheck:
    """The design that cards are printed with, drawn once."""
    from membercard.wiring.faces import draw_design, face_in_words

    try:
        draw_design(profile)
        return DoctorCheck("printed face", "ok", face_in_words(profile))
    except MembercardError as e:
        return DoctorCheck("printed face", "fault", str(e))


def _pcsc() -> DoctorCheck:
    try:
        readers = list_readers()
    except MembercardError as e:
        return DoctorCheck("PC/SC", "note", f"{e} Virtual cards (sim:) work without it.")
    names = ", ".join(reader.name for reader in readers) or "no reader attached"
    return DoctorCheck("PC/SC", "ok", names)


def _font() -> DoctorCheck:
    """Delivery lists and labels are printed with it; everything else works without."""
    from personalize.sheets.fonts import chinese_font

    try:
        return DoctorCheck("Chinese font", "ok", str(chinese_font().path))
    except MembercardError as e:
        return DoctorCheck("Chinese font", "note", str(e))


def _disk() -> DoctorCheck:
    directory = settings.load().data_dir
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    state = "ok" if free > 100 * 2**20 else "fault"
    return DoctorCheck("data directory", state, f"{directory}, {free / 2**30:.1f} GiB free")
