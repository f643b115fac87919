"""The station that ``membercard serve --demo`` opens: seeded, with virtual readers, gone when it ends.

``demo_station`` makes it and puts its settings in force; what is served then is an ordinary service over them.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from membercard import settings
from membercard.demo.setup import create_demo_home
from membercard.demo.story import DRAWER, STOCK, Story, StoryClock
from reader_service.access.passwords import CHEAP, Passwords, one_time
from reader_service.principal import Role
from reader_service.readers.names import distinct, slug
from registry.store import Registry
from terminal.secret import Secret

LANES: Final = 4
EVERYTHING: Final = "demo"
"""A user with every role, for a look around in one window. What they import, another still has to approve."""
_NAMES: Final = {
    Role.OPERATOR: "张师傅",
    Role.REVIEWER: "李审核",
    Role.REGISTRAR: "王登记",
    Role.COUNTER: "赵柜台",
    Role.DEVELOPER: "陈开发",
    Role.AUDITOR: "周审计",
    Role.ADMINISTRATOR: "吴管理",
}


@dataclass(frozen=True)
class DemoStation:
    """``lanes`` and ``counter`` are reader URLs: feeders over one stock of blanks, and a slot worked by hand.

    ``prepared`` and ``draft`` are batches; ``passwords`` are told once, by user name, which is that of the role.
    """

    home: Path
    lanes: tuple[str, ...]
    counter: str
    prepared: str
    draft: str
    fresh_form: Path
    """A form that is no batch yet, to drag into the Intake page."""
    passwords: Mapping[str, Secret] = field(repr=False)

    @property
    def drawer(self) -> Path:
        """Cards to put into the counter's slot."""
        return self.home / DRAWER


@contextmanager
def demo_station(data: Path | None = None, *, real_time: bool = True) -> Iterator[DemoStation]:
    """A seeded station in ``data``, which stays, or in a directory that is gone at the end.

    ``real_time``: its cards answer as slowly as real ones. Raises SettingsError for a directory that no demo made.
    """
    with _leaving_nothing():
        home = Path(tempfile.mkdtemp(prefix="membercard-demo-")) if data is None else data
        try:
            yield _made(home, real_time)
        finally:
            if data is None:
                shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _leaving_nothing() -> Iterator[None]:
    """A polite kill, or a terminal that is closed, while the station is being made: an exit that still clears up."""
    main = threading.current_thread() is threading.main_thread()
    heard = (signal.SIGTERM, signal.SIGHUP) if main else ()
    asked = [number for number in heard if signal.getsignal(number) is signal.SIG_DFL]
    before = {number: signal.signal(number, _leave) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _made(home: Path, real_time: bool) -> DemoStation:
    keystore = create_demo_home(home, option="--data", operator="demo")
    clock = StoryClock()
    with Registry.open(settings.load().database_url, keystore, clock=clock) as registry:
        clock.set(21)
        passwords = _people(registry)
        _name_readers(registry)
        told = Story(home, registry, keystore, clock).tell()
    timing = "?timing=real" if real_time else ""
    stock = home.resolve() / STOCK
    return DemoStation(
        home=home,
        lanes=(f"sim:{stock}{timing}",) * LANES,
        counter=f"sim:slot/counter{timing}",
        prepared=told.prepared,
        draft=told.draft,
        fresh_form=told.fresh_form,
        passwords=passwords,
    )


def _people(registry: Registry) -> dict[str, Secret]:
    """One user for each role, named as it is, and one with all of them. Their passwords."""
    hasher, made = Passwords(CHEAP), dict[str, Secret]()  # 79 drawn bits need no slow hash, and a start has no time
    users = [(role.value, display, {role.value}) for role, display in _NAMES.items()]
    for name, display, roles in (*users, (EVERYTHING, "演示", {role.value for role in Role})):
        password = one_time()
        registry.users.add(name, display, hasher.hash(password), roles, by="demo", must_change=False)
        made[name] = Secret(password.encode())
    return made


def _name_readers(registry: Registry) -> None:
    """Lane 1 and so on, as an operator would have named them: ids are made from what readers call themselves."""
    taken: set[str] = set()
    for number in range(1, LANES + 1):
        reader_id = distinct(slug(STOCK), taken)
        taken.add(reader_id)
        registry.stations.name(settings.load().station, reader_id, f"Lane {number}", by="demo")
