"""Cashiers of a counter: PINs stored and throttled like passwords, in a file of the counter."""

from __future__ import annotations

import errno
import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.access.cashiers import CashierStore
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.errors import Conflict, Invalid, NotFound, TooMany, Unavailable
from terminal.secret import Secret
from tests.support.waiting import PATIENCE

PIN, OTHER = Secret(b"4071"), Secret(b"9352")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cashiers.json"


@pytest.fixture
def store(path: Path, clock: Clock) -> CashierStore:
    store = CashierStore(path, Passwords(CHEAP), clock=clock)
    store.set_pin("王芳", PIN, by="root", manager=True)
    return store


def test_a_cashier_is_known_by_name_and_pin_after_a_restart_too(store: CashierStore, path: Path) -> None:
    assert store.check("王芳", PIN).name == "王芳"
    assert CashierStore(path, Passwords(CHEAP)).check(" 王芳 ", PIN).manager
    for name, pin in (("王芳", OTHER), ("李娜", PIN)):
        with pytest.raises(Conflict) as wrong:
            store.check(name, pin)
        assert wrong.value.params["reason"] == "cashier-pin"


def test_the_file_is_private_and_has_no_pin(store: CashierStore, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "4071" not in text
    assert "$argon2id$" in text
    assert "argon2" not in repr(store.all())


@pytest.mark.parametrize(
    "pin", ["", "123", "123456789", "12a4", "１２３４", "1111", "1234", "8765", "0987", "1212", "470470"]
)
def test_a_pin_that_is_none_or_guessed_first_is_refused(store: CashierStore, pin: str) -> None:
    with pytest.raises(Invalid) as refused:
        store.set_pin("李娜", Secret(pin.encode()), by="王芳")
    assert set(refused.value.fields) == {"pin"}
    assert pin == "" or pin not in str(refused.value)
    assert [one.name for one in store.all()] == ["王芳"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "\u200b"])
def test_a_name_that_cannot_stand_on_a_receipt_is_refused(store: CashierStore, name: str) -> None:
    with pytest.raises(Invalid):
        store.set_pin(name, PIN, by="root")


def test_wrong_pins_make_a_cashier_wait_longer_and_longer_and_a_new_pin_frees(
    store: CashierStore, path: Path, clock: Clock
) -> None:
    for _ in range(5):
        with pytest.raises(Conflict):
            store.check("王芳", OTHER)
    again = CashierStore(path, Passwords(CHEAP), clock=clock)  # a restart frees nobody
    with pytest.raises(TooMany) as wait:
        again.check("王芳", PIN)
    assert 1 <= wait.value.retry_after <= 2
    clock.now += timedelta(seconds=2)
    with pytest.raises(Conflict):
        again.check("王芳", OTHER)
    with pytest.raises(TooMany) as longer:
        again.check("王芳", PIN)
    assert longer.value.retry_after > 1
    store.set_pin("王芳", OTHER, by="root")
    assert store.check("王芳", OTHER).manager, "a new PIN leaves the rights"


def test_programs_that_guess_at_once_wait_for_each_other(store: CashierStore, path: Path, clock: Clock) -> None:
    inside, held, looked = threading.Barrier(2, timeout=PATIENCE), threading.Event(), []

    class Slow(Passwords):
        def matches(self, password_hash: str | None, password: str) -> bool:
            inside.wait()
            held.wait(PATIENCE)
            return super().matches(password_hash, password)

    class Noted(Passwords):
        def matches(self, password_hash: str | None, password: str) -> bool:
            looked.append(json.loads(path.read_text())["cashiers"][0]["failures"])
            return super().matches(password_hash, password)

    def guess(passwords: Passwords) -> None:
        with pytest.raises(Conflict):
            CashierStore(path, passwords, clock=clock).check("王芳", OTHER)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(guess, Slow(CHEAP))
        inside.wait()
        second = pool.submit(guess, Noted(CHEAP))
        assert not looked
        held.set()
        first.result(PATIENCE)
        second.result(PATIENCE)
    assert looked == [2], "the first guess and this one are on the disk before the PIN is looked at"


def test_no_pin_is_looked_at_while_the_disk_takes_no_failure(
    store: CashierStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("terminal.private_files.replace", full)
    for pin in (PIN, OTHER):
        with pytest.raises(Unavailable):
            store.check("王芳", pin)


def test_a_clock_that_is_set_back_keeps_nobody_out_longer_than_the_longest_wait(
    store: CashierStore, clock: Clock
) -> None:
    for _ in range(5):
        with pytest.raises(Conflict):
            store.check("王芳", OTHER)
    clock.now -= timedelta(days=30)
    with pytest.raises(TooMany) as wait:
        store.check("王芳", PIN)
    assert wait.value.retry_after <= 301
    clock.now += timedelta(minutes=5)
    assert store.check("王芳", PIN).name == "王芳"


def test_the_right_pin_resets_the_failures(store: CashierStore) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(Conflict):
                store.check("王芳", OTHER)
        store.check("王芳", PIN)


def test_a_counter_keeps_a_manager_while_it_has_cashiers(store: CashierStore) -> None:
    store.set_pin("李娜", OTHER, by="王芳")
    with pytest.raises(Conflict) as last:
        store.remove("王芳")
    assert last.value.params["reason"] == "cashier-last-manager"
    with pytest.raises(Conflict):
        store.set_pin("王芳", OTHER, by="root", manager=False)
    store.set_pin("李娜", OTHER, by="王芳", manager=True)
    store.remove("王芳")
    assert [one.name for one in store.all()] == ["李娜"]
    with pytest.raises(NotFound):
        store.remove("王芳")
    store.remove("李娜")
    assert store.all() == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2, "cashiers": []}', '{"format": 1, "cashiers": [{}]}'])
def test_a_damaged_file_lets_nobody_in(store: CashierStore, path: Path, content: str) -> None:
    path.write_text(content)
    for attempt in (store.all, lambda: store.check("王芳", PIN), lambda: store.set_pin("王芳", PIN, by="root")):
        with pytest.raises(Unavailable):
            attempt()
    assert path.read_text() == content
