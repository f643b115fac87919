"""The demo's station for several test processes of one run: it is seeded once, and each process has a copy."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from membercard import settings
from membercard.demo.setup import CONFIG
from membercard.demo.station import DemoStation, demo_station
from terminal.secret import Secret

_PATHS = ("home", "fresh_form")
_TUPLES = ("lanes",)


@contextmanager
def copy_of_demo(shared: Path, own: Path, *, name: str = "station") -> Iterator[DemoStation]:
    """A station with cards that answer at once, in the directory ``name`` of ``own``, which is gone at the end. Whoever
    comes first seeds it in ``shared``; the others wait for it."""
    origin, about = shared / "seeded-station", shared / "seeded-station.json"
    with (shared / "seeded-station.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not about.exists():
            shutil.rmtree(origin, ignore_errors=True)
            with demo_station(origin, real_time=False) as seeded:
                about.touch(mode=0o600)
                about.write_text(json.dumps(_plain(seeded)), encoding="utf-8")
    home = own / name
    shutil.copytree(origin, home)
    before = settings._active.get()
    try:
        yield _moved(json.loads(about.read_text(encoding="utf-8")), origin.resolve(), home.resolve())
    finally:
        settings._active.set(before)  # other tests of this process have their own, or the defaults
        shutil.rmtree(home, ignore_errors=True)


def _plain(station: DemoStation) -> dict[str, Any]:
    passwords = {name: password.reveal().decode() for name, password in station.passwords.items()}
    return {
        "home": str(station.home.resolve()),
        "lanes": station.lanes,
        "counter": station.counter,
        "prepared": station.prepared,
        "draft": station.draft,
        "fresh_form": str(station.fresh_form.resolve()),
        "passwords": passwords,
    }


def _moved(about: dict[str, Any], origin: Path, home: Path) -> DemoStation:
    """The same station elsewhere: its settings and everything that names a place in it."""
    config = home / CONFIG
    config.write_text(config.read_text(encoding="utf-8").replace(str(origin), str(home)), encoding="utf-8")
    settings.activate(config, operator="demo")
    passwords = {name: Secret(password.encode()) for name, password in about.pop("passwords").items()}
    here: dict[str, Any] = json.loads(json.dumps(about).replace(str(origin), str(home)))
    here |= {name: Path(here[name]) for name in _PATHS} | {name: tuple(here[name]) for name in _TUPLES}
    return DemoStation(**here, passwords=passwords)
