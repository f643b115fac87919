"""The plan: every state of the line's table, and what is left to do from there."""

from dataclasses import replace
from pathlib import Path

import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import ChipUnfit
from personalize.line.plan import (
    ChipKeyState,
    Install,
    Personalize,
    PlannedKeys,
    ReadBack,
    RotateKeys,
    Secure,
    describe,
    plan,
)
from personalize.profiles.profile import default_profile
from personalize.reasons import RejectCode
from terminal.globalplatform import ApplicationState, CardLifeCycleState
from terminal.keys import CardKeys, Diversification
from tests.support import issuer

NUMBER = default_profile().card_number.number(7)
MEMBER = bytes.fromhex("F04D454D4245520101")
PACKAGE = bytes.fromhex("F04D454D424552")


@pytest.fixture
def dossier(tmp_path: Path) -> Dossier:
    return issuer.preparer().prepare(issuer.member(), NUMBER, issuer.pool(tmp_path).make())


@pytest.fixture
def final() -> CardKeys:
    keys = issuer.custody()
    return keys.card_keys(keys.latest("imk-card-aes"), Diversification.KDF3, bytes(10), 0x31)


def chip(
    key_set: PlannedKeys = PlannedKeys.STOCK,
    life: int = CardLifeCycleState.OP_READY,
    member: int | None = None,
    packages: frozenset[bytes] = frozenset({PACKAGE}),
) -> ChipKeyState:
    instances = {} if member is None else {MEMBER: member}
    return ChipKeyState(key_set, 0x30 if key_set is PlannedKeys.STOCK else 0x31, life, instances, packages)


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        (chip(), [Install, Personalize, RotateKeys, Secure, ReadBack]),
        (chip(member=ApplicationState.SELECTABLE), [Personalize, RotateKeys, Secure, ReadBack]),
        (chip(member=ApplicationState.INSTALLED), [Install, Personalize, RotateKeys, Secure, ReadBack]),
        (chip(member=ApplicationState.PERSONALIZED), [RotateKeys, Secure, ReadBack]),
        (chip(PlannedKeys.FINAL, member=ApplicationState.PERSONALIZED), [Secure, ReadBack]),
        (chip(PlannedKeys.FINAL, CardLifeCycleState.INITIALIZED, ApplicationState.PERSONALIZED), [Secure, ReadBack]),
        (chip(PlannedKeys.FINAL, CardLifeCycleState.SECURED, ApplicationState.PERSONALIZED), [ReadBack]),
    ],
)
def test_only_what_the_chip_still_needs(
    dossier: Dossier, final: CardKeys, state: ChipKeyState, steps: list[type]
) -> None:
    assert [type(step) for step in plan(dossier, state, final)] == steps


def test_an_instance_in_the_way_is_deleted_first(dossier: Dossier, final: CardKeys) -> None:
    fresh, odd = plan(dossier, chip(), final)[0], plan(dossier, chip(member=ApplicationState.INSTALLED), final)[0]
    assert isinstance(fresh, Install)
    assert isinstance(odd, Install)
    assert (fresh.delete_first, odd.delete_first) == (False, True)


def test_life_cycle_goes_through_every_state(dossier: Dossier, final: CardKeys) -> None:
    steps = plan(dossier, chip(member=ApplicationState.PERSONALIZED), final)
    assert Secure((CardLifeCycleState.INITIALIZED, CardLifeCycleState.SECURED)) in steps


@pytest.mark.parametrize(
    ("state", "pattern"),
    [
        (chip(life=CardLifeCycleState.CARD_LOCKED), "locked or terminated"),
        (chip(life=CardLifeCycleState.TERMINATED), "locked or terminated"),
        (chip(packages=frozenset()), "no load file"),
        (chip(PlannedKeys.FINAL), "final keys but is not personalized"),
        (chip(PlannedKeys.FINAL, member=ApplicationState.SELECTABLE), "final keys but is not personalized"),
    ],
)
def test_other_states_are_no_chip_of_this_line(
    dossier: Dossier, final: CardKeys, state: ChipKeyState, pattern: str
) -> None:
    with pytest.raises(ChipUnfit, match=pattern):
        plan(dossier, state, final)


@pytest.mark.parametrize("beside", [{0x70, 0x71, 0x72, 0x73}, {0x01, 0x40}, set()])
def test_key_sets_beside_change_nothing(dossier: Dossier, final: CardKeys, beside: set[int]) -> None:
    assert plan(dossier, replace(chip(), beside=frozenset(beside)), final) == plan(dossier, chip(), final)


def test_a_number_that_another_key_set_has_is_no_number_for_the_final_keys(dossier: Dossier, final: CardKeys) -> None:
    with pytest.raises(ChipUnfit, match="key version 31 of the final keys is taken") as error:
        plan(dossier, replace(chip(), beside=frozenset({0x31})), final)
    assert (error.value.code, error.value.params) == (RejectCode.KEY_VERSION_TAKEN, {"version": "31"})


def test_a_printed_plan_shows_check_values_and_no_data(dossier: Dossier, final: CardKeys) -> None:
    text = describe(dossier, plan(dossier, chip(), final))
    assert final.kcvs[0].hex().upper() in text
    assert "DGI 8000  secret  keys, KCV" in text
    for planted in ("孙波磊", "130102197605153974", "18801434135", "石家庄"):
        assert planted not in text
