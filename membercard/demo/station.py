"""The station of ``membercard serve --demo``: with sample data and virtual readers, kept where that is asked for.

``demo_station`` creates or reopens it and activates its settings; an ordinary service then runs on them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from membercard import settings
from membercard.demo.clock import DemoTime
from membercard.demo.history import SLOT_CARDS, HistoryResult, SampleHistory
from membercard.demo.issuing import FORMS, STOCK
from membercard.demo.setup import create_demo_home, keep, reopen_demo_home
from reader_service.access.passwords import CHEAP, Passwords, one_time
from reader_service.principal import Role
from reader_service.readers.names import distinct, slug
from registry.store import Registry
from terminal.secret import Secret

LANES: Final = 4
EVERYTHING: Final = "demo"
"""A user with every role, to try everything in one window. What they import, another user has to approve."""
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
    """A demo station. ``lanes`` and ``counter`` are reader URLs: feeders over one stock of blanks, and a manual slot.

    ``prepared`` and ``draft`` are batches; ``passwords`` are shown once, by user name, which is that of the role.
    """

    home: Path
    lanes: tuple[str, ...]
    counter: str
    prepared: str
    draft: str
    fresh_form: Path
    """A form that was not imported yet, for the Intake page."""
    passwords: Mapping[str, Secret] = field(repr=False)

    @property
    def slot_cards(self) -> Path:
        """Cards to insert into the counter's slot."""
        return self.home / SLOT_CARDS


@contextmanager
def demo_station(data: Path | None = None, *, real_time: bool = True) -> Iterator[DemoStation]:
    """A station with sample data in ``data``, which is kept and found again, or in a directory deleted at the end.

    ``real_time``: its cards answer as slowly as real ones. Raises SettingsError for a directory that no demo created.
    """
    home = Path(tempfile.mkdtemp(prefix="membercard-demo-")) if data is None else data
    try:
        yield _set_up(home, real_time)
    finally:
        if data is None:
            shutil.rmtree(home, ignore_errors=True)


def _set_up(home: Path, real_time: bool) -> DemoStation:
    """The station that is kept in ``home``, with new passwords, or a new one."""
    reopened = reopen_demo_home(home, operator="demo")
    if reopened is None:
        history, passwords = _seeded(home)
        keep(home, {"prepared": history.prepared, "draft": history.draft, "fresh_form": history.fresh_form.name})
        prepared, draft, fresh_form = history.prepared, history.draft, history.fresh_form
    else:
        keystore, contents = reopened
        with settings.open_registry(keystore) as registry:
            passwords = _people(registry, anew=True)
        prepared, draft, fresh_form = contents["prepared"], contents["draft"], home / FORMS / contents["fresh_form"]
    timing = "?timing=real" if real_time else ""
    stock = home.resolve() / STOCK
    return DemoStation(
        home=home,
        lanes=(f"sim:{stock}{timing}",) * LANES,
        counter=f"sim:slot/counter{timing}",
        prepared=prepared,
        draft=draft,
        fresh_form=fresh_form,
        passwords=passwords,
    )


def _seeded(home: Path) -> tuple[HistoryResult, Mapping[str, Secret]]:
    keystore = create_demo_home(home, option="--data", operator="demo")
    current = settings.load()
    time = DemoTime.of(current.today(), current.zone)
    time.set_to(2, 9)
    current.follow(time.clock)
    with Registry.open(current.database_url, keystore, clock=time.clock, zone=current.zone) as registry:
        passwords = _people(registry)
        _name_readers(registry)
        return SampleHistory(home, registry, keystore, time).create(), passwords


def _people(registry: Registry, *, anew: bool = False) -> dict[str, Secret]:
    """One user for each role, named like the role, and one with all roles; returns their passwords.

    ``anew``: they exist, and those who can sign in get another password.
    """
    hasher, passwords = Passwords(CHEAP), dict[str, Secret]()  # 79 random bits need no slow hash
    existing = {user.name: user for user in registry.users.page(limit=1000).items} if anew else {}
    users = [(role.value, display, {role.value}) for role, display in _NAMES.items()]
    for name, display, roles in (*users, (EVERYTHING, "演示", {role.value for role in Role})):
        password = one_time()
        if not anew:
            registry.users.add(name, display, hasher.hash(password), roles, by="demo", must_change=False)
        elif name in existing and not existing[name].disabled:
            registry.users.set_password(name, hasher.hash(password), by="demo", must_change=False)
        else:
            continue
        passwords[name] = Secret(password.encode())
    return passwords


def _name_readers(registry: Registry) -> None:
    """Name the readers Lane 1 and so on, as an operator would. Reader ids are derived from the readers' names."""
    taken: set[str] = set()
    for number in range(1, LANES + 1):
        reader_id = distinct(slug(STOCK), taken)
        taken.add(reader_id)
        registry.stations.name(settings.load().station, reader_id, f"Lane {number}", by="demo")
