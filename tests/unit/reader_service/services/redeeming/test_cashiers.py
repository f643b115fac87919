"""Who is at a counter: the change of cashier in one step, who may set PINs, and the name of a redemption."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reader_service.access.passwords import CHEAP, Passwords
from reader_service.errors import Conflict, Forbidden
from reader_service.principal import Principal, Role
from reader_service.services.redeeming.cashiers import IDLE_SECONDS, CashierService
from registry.store import utc_now
from terminal.secret import Secret
from tests.support.service.reader_rig import COUNTER, OPERATOR

ADMINISTRATOR = Principal("root", frozenset({Role.ADMINISTRATOR}))
WANG, LI = Secret(b"4071"), Secret(b"9352")


@dataclass
class Rig:
    service: CashierService
    now: float = 0.0
    events: list[tuple[str, str, str]] = field(default_factory=list)

    def publish(self, kind: str, topic: str, data: dict[str, Any]) -> None:
        self.events.append((kind, topic, data["name"]))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    parts = SimpleNamespace(data_dir=tmp_path, clock=utc_now)
    rig = Rig(service=None)  # type: ignore[arg-type]
    rig.service = CashierService(parts, rig, tick=lambda: rig.now)  # type: ignore[arg-type]
    rig.service.store.passwords = Passwords(CHEAP)
    return rig


@pytest.fixture
def staffed(rig: Rig) -> Rig:
    rig.service.set_pin(ADMINISTRATOR, "", "王芳", WANG, manager=True)
    rig.service.set_pin(ADMINISTRATOR, "", "李娜", LI)
    return rig


def test_without_cashiers_a_redemption_names_the_user(rig: Rig) -> None:
    assert rig.service.name_for(COUNTER, "counter") == COUNTER.name
    assert not rig.service.enabled


def test_a_cashier_signs_in_first_and_changes_in_one_step(staffed: Rig) -> None:
    service = staffed.service
    with pytest.raises(Conflict) as nobody:
        service.name_for(COUNTER, "counter")
    assert nobody.value.params["reason"] == "no-cashier"
    service.sign_in(COUNTER, "counter", "王芳", WANG)
    assert service.name_for(COUNTER, "counter") == "王芳"
    service.sign_in(COUNTER, "counter", "李娜", LI)
    assert service.name_for(COUNTER, "counter") == "李娜"
    with pytest.raises(Conflict):
        service.sign_in(COUNTER, "counter", "王芳", LI)
    assert service.name_for(COUNTER, "counter") == "李娜", "a wrong PIN changes nothing"
    with pytest.raises(Conflict):
        service.name_for(COUNTER, "second")
    service.sign_out(COUNTER, "counter")
    assert service.at("counter") is None
    assert staffed.events == [("cashier.changed", "counter", name) for name in ("王芳", "李娜", "")]


def test_a_cashier_who_is_away_signs_in_again(staffed: Rig) -> None:
    staffed.service.sign_in(COUNTER, "counter", "李娜", LI)
    staffed.now = IDLE_SECONDS - 1
    staffed.service.name_for(COUNTER, "counter")
    staffed.now = 2 * IDLE_SECONDS - 2
    assert staffed.service.name_for(COUNTER, "counter") == "李娜", "each redemption begins the time anew"
    staffed.now = 4 * IDLE_SECONDS
    with pytest.raises(Conflict):
        staffed.service.name_for(COUNTER, "counter")


def test_pins_are_set_by_an_administrator_or_the_manager_at_the_reader(staffed: Rig) -> None:
    service = staffed.service
    service.sign_in(COUNTER, "counter", "李娜", LI)
    for caller in (COUNTER, OPERATOR):
        with pytest.raises(Forbidden):
            service.set_pin(caller, "counter", "赵云", LI)
        with pytest.raises(Forbidden):
            service.remove(caller, "counter", "李娜")
    service.sign_in(COUNTER, "counter", "王芳", WANG)
    assert service.set_pin(COUNTER, "counter", "赵云", LI, own=WANG).set_by == "王芳"
    with pytest.raises(Forbidden):
        service.set_pin(COUNTER, "second", "赵云", LI)
    with pytest.raises(Forbidden):
        service.sign_in(OPERATOR, "counter", "王芳", WANG)


def test_nobody_sets_pins_from_another_till_while_the_manager_is_signed_in(staffed: Rig) -> None:
    service = staffed.service
    service.sign_in(COUNTER, "counter", "王芳", WANG)
    for own in (None, LI):
        with pytest.raises(Conflict) as wrong:
            service.set_pin(COUNTER, "counter", "王芳", LI, own=own)
        assert wrong.value.params["reason"] == "cashier-pin"
        with pytest.raises(Conflict):
            service.remove(COUNTER, "counter", "李娜", own=own)
    assert service.store.check("王芳", WANG).manager
    service.remove(COUNTER, "counter", "李娜", own=WANG)
    assert [one.name for one in service.store.all()] == ["王芳"]


def test_a_new_pin_for_a_manager_leaves_the_right(staffed: Rig) -> None:
    service = staffed.service
    service.set_pin(ADMINISTRATOR, "", "李娜", LI, manager=True)
    service.set_pin(ADMINISTRATOR, "", "王芳", Secret(b"8306"))
    assert [one.manager for one in service.store.all()] == [True, True]


def test_a_new_pin_ends_what_was_signed_in_with_the_old_one(staffed: Rig) -> None:
    staffed.service.sign_in(COUNTER, "counter", "李娜", LI)
    staffed.service.set_pin(ADMINISTRATOR, "", "李娜", WANG)
    assert staffed.service.at("counter") is None
    staffed.service.sign_in(COUNTER, "counter", "李娜", WANG)
    staffed.service.remove(ADMINISTRATOR, "", "李娜")
    assert staffed.service.at("counter") is None


def test_a_cashier_changes_the_own_pin_with_the_old_one(staffed: Rig) -> None:
    service = staffed.service
    service.sign_in(COUNTER, "counter", "李娜", LI)
    with pytest.raises(Conflict):
        service.change_own(COUNTER, "counter", WANG, Secret(b"8306"))
    service.change_own(COUNTER, "counter", LI, Secret(b"8306"))
    assert service.store.check("李娜", Secret(b"8306")).name == "李娜"
