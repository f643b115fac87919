"""Leases: one user a reader, never stolen, freed by time, by giving back and by the end of a session."""

from __future__ import annotations

from datetime import timedelta

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


class LeaseRig:
    """Leases of the readers ``a`` and ``b``; ``changes`` has what changed."""

    def __init__(self) -> None:
        self.time = Time()
        self.today = NOON
        self.changes: list[tuple[str, bool]] = []
        self.leases = Leases(
            known=self._known,
            changed=lambda reader, ended: self.changes.append((reader, ended)),
            clock=lambda: self.today,
            monotonic=self.time,
        )

    @staticmethod
    def _known(reader_id: str) -> None:
        if reader_id not in ("a", "b"):
            raise NotFound("there is no such reader")


@pytest.fixture
def rig() -> LeaseRig:
    return LeaseRig()


def test_a_reader_is_one_users_until_it_is_given_back(rig: LeaseRig) -> None:
    lease = rig.leases.take(OPERATOR, "a", 30)
    assert (lease.reader, lease.holder, (lease.until - NOON).total_seconds()) == ("a", "张师傅", 30)
    rig.leases.check(OPERATOR, "a", lease.token)
    held = rig.leases.held("a")
    assert held is not None
    assert held.holder == "张师傅"
    with pytest.raises(LeaseHeld, match="张师傅") as refused:
        rig.leases.take(OTHER, "a")
    assert refused.value.params["holder"] == "张师傅"
    rig.leases.take(OTHER, "b")
    rig.leases.give_back(OPERATOR, "a", lease.token)
    assert rig.leases.held("a") is None
    assert rig.leases.take(OTHER, "a").token != lease.token
    assert rig.changes == [("a", False), ("b", False), ("a", True), ("a", False)]


def test_taking_again_is_the_same_lease_until_later(rig: LeaseRig) -> None:
    first = rig.leases.take(OPERATOR, "a", 30)
    rig.time.now += 20
    again = rig.leases.take(OPERATOR, "a", 60)
    assert again.token == first.token
    rig.time.now += 40
    rig.leases.check(OPERATOR, "a", first.token)


@pytest.mark.parametrize("who", [OTHER, Principal(OPERATOR.name, OPERATOR.roles, token="till")])
def test_a_token_is_of_no_use_to_others(rig: LeaseRig, who: Principal) -> None:
    lease = rig.leases.take(OPERATOR, "a")
    for use in (rig.leases.check, rig.leases.give_back, rig.leases.renew):
        with pytest.raises(LeaseLost):
            use(who, "a", lease.token)
    with pytest.raises(LeaseLost):
        rig.leases.check(OPERATOR, "a", "guessed")
    with pytest.raises(LeaseLost):
        rig.leases.check(OPERATOR, "b", lease.token)
    rig.leases.check(OPERATOR, "a", lease.token)
    assert lease.token not in repr(lease)


def test_a_lease_runs_out_unless_it_is_renewed(rig: LeaseRig) -> None:
    lease = rig.leases.take(OPERATOR, "a", 30)
    rig.time.now += 29
    assert rig.leases.renew(OPERATOR, "a", lease.token, 30).token == lease.token
    rig.time.now += 29
    rig.leases.check(OPERATOR, "a", lease.token)
    rig.time.now += 1
    with pytest.raises(LeaseLost, match="take it again"):
        rig.leases.check(OPERATOR, "a", lease.token)
    assert rig.leases.held("a") is None
    assert rig.leases.sweep() == ["a"]
    assert rig.leases.sweep() == []
    assert rig.changes[-1] == ("a", True)
    rig.leases.take(OTHER, "a")
    rig.time.now += 100
    rig.leases.take(OPERATOR, "a")
    assert rig.changes[-1] == ("a", True)


def test_the_end_of_a_session_frees_what_it_had(rig: LeaseRig) -> None:
    rig.leases.take(OPERATOR, "a")
    machine = Principal(OPERATOR.name, OPERATOR.roles, token="till")
    lease = rig.leases.take(machine, "b")
    assert lease.holder == "张师傅 (till)"
    assert rig.leases.free_all(OPERATOR.name) == 1
    assert rig.leases.held("a") is None
    rig.leases.check(machine, "b", lease.token)
    assert rig.leases.free_all(OPERATOR.name, "till") == 1
    assert rig.leases.free_all(OPERATOR.name, "till") == 0


def test_lanes_and_counters_have_their_reader_exclusively(rig: LeaseRig) -> None:
    lease = rig.leases.take(OPERATOR, "a")
    with pytest.raises(LeaseHeld, match="张师傅"):
        rig.leases.occupy(OTHER, "a", Mode.LANE)
    rig.leases.occupy(OPERATOR, "a", Mode.LANE)
    assert rig.leases.mode("a") is Mode.LANE
    with pytest.raises(LeaseLost):
        rig.leases.check(OPERATOR, "a", lease.token)
    for p in (OPERATOR, OTHER):
        with pytest.raises(LeaseHeld, match="lane"):
            rig.leases.take(p, "a")
        with pytest.raises(LeaseHeld):
            rig.leases.occupy(p, "a", Mode.COUNTER)
    rig.leases.vacate("a", Mode.COUNTER)
    assert rig.leases.mode("a") is Mode.LANE
    rig.leases.vacate("a", Mode.LANE)
    rig.leases.take(OTHER, "a")


def test_who_may_and_for_how_long(rig: LeaseRig) -> None:
    with pytest.raises(Forbidden):
        rig.leases.take(AUDITOR, "a")
    with pytest.raises(NotFound):
        rig.leases.take(OPERATOR, "c")
    for seconds in (0, 601, float("nan")):
        with pytest.raises(Invalid) as refused:
            rig.leases.take(OPERATOR, "a", seconds)
        assert "seconds" in refused.value.fields
    assert rig.leases.held("a") is None


def test_a_lease_that_outlives_a_pause_of_the_machine_says_so(rig: LeaseRig) -> None:
    """The clock on the wall went on, the time of the lease did not."""
    rig.leases.take(OPERATOR, "a", 60)
    rig.time.now += 10
    rig.today += timedelta(seconds=10)
    rig.leases.sweep()
    before = rig.leases.held("a")
    rig.today += timedelta(hours=1)
    rig.leases.sweep()
    held = rig.leases.held("a")
    assert before is not None
    assert held is not None
    assert held.until - before.until == timedelta(hours=1)
    assert held.until - rig.today == timedelta(seconds=50)
    assert rig.changes == [("a", False), ("a", False)]
    rig.time.now += 51
    assert rig.leases.sweep() == ["a"]
