"""Leases: one user a reader, never stolen, freed by time, by giving back and by the end of a session."""

from __future__ import annotations

import pytest

from reader_service.errors import Forbidden, Invalid, LeaseHeld, LeaseLost, NotFound
from reader_service.principal import Principal
from reader_service.readers.leases import Leases
from reader_service.readers.values import Mode
from tests.support.service.reader_rig import AUDITOR, NOON, OPERATOR, OTHER


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Leases of the readers ``a`` and ``b``; ``told`` has what changed."""

    def __init__(self) -> None:
        self.time = Time()
        self.told: list[tuple[str, bool]] = []
        self.leases = Leases(
            known=self._known,
            changed=lambda reader, ended: self.told.append((reader, ended)),
            clock=lambda: NOON,
            monotonic=self.time,
        )

    @staticmethod
    def _known(reader_id: str) -> None:
        if reader_id not in ("a", "b"):
            raise NotFound("there is no such reader")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_reader_is_one_users_until_it_is_given_back(desk: Desk) -> None:
    lease = desk.leases.take(OPERATOR, "a", 30)
    assert (lease.reader, lease.holder, (lease.until - NOON).total_seconds()) == ("a", "张师傅", 30)
    desk.leases.check(OPERATOR, "a", lease.token)
    held = desk.leases.held("a")
    assert held is not None
    assert held.holder == "张师傅"
    with pytest.raises(LeaseHeld, match="张师傅") as refused:
        desk.leases.take(OTHER, "a")
    assert refused.value.params["holder"] == "张师傅"
    desk.leases.take(OTHER, "b")
    desk.leases.give_back(OPERATOR, "a", lease.token)
    assert desk.leases.held("a") is None
    assert desk.leases.take(OTHER, "a").token != lease.token
    assert desk.told == [("a", False), ("b", False), ("a", True), ("a", False)]


def test_taking_again_is_the_same_lease_until_later(desk: Desk) -> None:
    first = desk.leases.take(OPERATOR, "a", 30)
    desk.time.now += 20
    again = desk.leases.take(OPERATOR, "a", 60)
    assert again.token == first.token
    desk.time.now += 40
    desk.leases.check(OPERATOR, "a", first.token)


@pytest.mark.parametrize("who", [OTHER, Principal(OPERATOR.name, OPERATOR.roles, token="till")])
def test_a_token_is_of_no_use_to_others(desk: Desk, who: Principal) -> None:
    lease = desk.leases.take(OPERATOR, "a")
    for use in (desk.leases.check, desk.leases.give_back, desk.leases.renew):
        with pytest.raises(LeaseLost):
            use(who, "a", lease.token)
    with pytest.raises(LeaseLost):
        desk.leases.check(OPERATOR, "a", "guessed")
    with pytest.raises(LeaseLost):
        desk.leases.check(OPERATOR, "b", lease.token)
    desk.leases.check(OPERATOR, "a", lease.token)
    assert lease.token not in repr(lease)


def test_a_lease_runs_out_unless_it_is_renewed(desk: Desk) -> None:
    lease = desk.leases.take(OPERATOR, "a", 30)
    desk.time.now += 29
    assert desk.leases.renew(OPERATOR, "a", lease.token, 30).token == lease.token
    desk.time.now += 29
    desk.leases.check(OPERATOR, "a", lease.token)
    desk.time.now += 1
    with pytest.raises(LeaseLost, match="take it again"):
        desk.leases.check(OPERATOR, "a", lease.token)
    assert desk.leases.held("a") is None
    assert desk.leases.sweep() == ["a"]
    assert desk.leases.sweep() == []
    assert desk.told[-1] == ("a", True)
    desk.leases.take(OTHER, "a")
    desk.time.now += 100
    desk.leases.take(OPERATOR, "a")
    assert desk.told[-1] == ("a", True)


def test_the_end_of_a_session_frees_what_it_had(desk: Desk) -> None:
    desk.leases.take(OPERATOR, "a")
    machine = Principal(OPERATOR.name, OPERATOR.roles, token="till")
    lease = desk.leases.take(machine, "b")
    assert lease.holder == "张师傅 (till)"
    assert desk.leases.free_all(OPERATOR.name) == 1
    assert desk.leases.held("a") is None
    desk.leases.check(machine, "b", lease.token)
    assert desk.leases.free_all(OPERATOR.name, "till") == 1
    assert desk.leases.free_all(OPERATOR.name, "till") == 0


def test_lanes_and_counters_have_their_reader_alone(desk: Desk) -> None:
    lease = desk.leases.take(OPERATOR, "a")
    with pytest.raises(LeaseHeld, match="张师傅"):
        desk.leases.occupy(OTHER, "a", Mode.LANE)
    desk.leases.occupy(OPERATOR, "a", Mode.LANE)
    assert desk.leases.mode("a") is Mode.LANE
    with pytest.raises(LeaseLost):
        desk.leases.check(OPERATOR, "a", lease.token)
    for p in (OPERATOR, OTHER):
        with pytest.raises(LeaseHeld, match="lane"):
            desk.leases.take(p, "a")
        with pytest.raises(LeaseHeld):
            desk.leases.occupy(p, "a", Mode.COUNTER)
    desk.leases.vacate("a", Mode.COUNTER)
    assert desk.leases.mode("a") is Mode.LANE
    desk.leases.vacate("a", Mode.LANE)
    desk.leases.take(OTHER, "a")


def test_who_may_and_for_how_long(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        desk.leases.take(AUDITOR, "a")
    with pytest.raises(NotFound):
        desk.leases.take(OPERATOR, "c")
    for seconds in (0, 601, float("nan")):
        with pytest.raises(Invalid) as refused:
            desk.leases.take(OPERATOR, "a", seconds)
        assert "seconds" in refused.value.fields
    assert desk.leases.held("a") is None
