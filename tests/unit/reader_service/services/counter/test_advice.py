"""How a card that is not activated is shown: whether its member has it, and at which windows it is activated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from programme.programme import Federation
from reader_service.services.counter.advice import advise
from registry.errors import RegistryUnavailable
from registry.store import Registry
from registry.values import Card
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.presentation import NOT_HANDED_OVER, PRESENTATIONS, Advice, Tone
from tests.support import issuer
from tests.support.registry import databases
from tests.support.registry.registrar import claimed, ready
from tests.support.service.page_app import verdict

PLAIN = PRESENTATIONS[VerdictCode.NOT_ACTIVATED]
WINDOWS = {
    "city": {"level": "city", "name": {"zh": "市职工服务中心", "en": "City service centre"}},
    "yuhua": {"level": "district", "under": "city", "name": {"zh": "裕华区服务中心", "en": "Yuhua service centre"}},
}
NAME = {"zh": "河北省总工会", "en": "Hebei Federation"}


def federation(**fields: object) -> Federation:
    return Federation.model_validate({"division": "130000", "name": NAME} | fields)


def of_card(number: str, sequence: int = 1, code: VerdictCode = VerdictCode.NOT_ACTIVATED) -> Verdict:
    """The verdict on that card."""
    given = verdict(code).verdict
    assert given.member is not None
    return replace(given, member=replace(given.member, card_number=number, sequence=sequence))


def unasked() -> None:
    pytest.fail("nothing is asked about this card")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Registry]:
    with databases.registry(databases.fresh(tmp_path), issuer.custody()) as opened:
        yield opened


@pytest.fixture
def card(store: Registry) -> Card:
    return store.line.verified(claimed(store, ready(store, issuer.custody(), 1), 1), {"verdict": "NOT_ACTIVATED"}, 1.0)


def test_personalized_delivered_and_activated_cards_differ_where_the_registry_is_at_hand(
    store: Registry, card: Card
) -> None:
    shown = []
    for state in ("", "packed", "delivered"):
        if state:
            store.cards.change(card.card_number, state, "前台", "")
        advice = advise(of_card(card.card_number), lambda: store, lambda: None)
        shown.append((advice.delivered, advice.shown))
    assert shown == [(False, NOT_HANDED_OVER), (False, NOT_HANDED_OVER), (True, PLAIN)]
    active = advise(of_card(card.card_number, code=VerdictCode.ACTIVE), unasked, unasked)
    assert active == Advice(PRESENTATIONS[VerdictCode.ACTIVE])


def test_a_card_that_nobody_was_handed_is_not_served_and_stays_here_in_both_languages() -> None:
    assert NOT_HANDED_OVER.tone is Tone.BAD
    assert (NOT_HANDED_OVER.word.zh, NOT_HANDED_OVER.word.en) == ("未发放", "Not handed over")
    assert NOT_HANDED_OVER.next.zh == "会员尚未领到此卡：请勿提供服务，留下卡片并联系工会"
    assert NOT_HANDED_OVER.next.en == "Its member never got this card: do not serve, keep it, call the union"


def test_without_a_record_of_this_card_the_words_are_those_of_the_verdict(store: Registry, card: Card) -> None:
    for registry, shown in (
        (None, of_card(card.card_number)),
        (store, of_card("6200000000000042131")),
        (store, of_card(card.card_number, sequence=2)),
    ):
        assert advise(shown, lambda registry=registry: registry, lambda: None) == Advice(PLAIN)


def test_a_database_that_is_away_takes_no_verdict_with_it(
    store: Registry, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_number: str) -> Card:
        raise RegistryUnavailable("the database is away")

    monkeypatch.setattr(store.cards, "card", away)
    assert advise(of_card(card.card_number), lambda: store, lambda: None) == Advice(PLAIN)


@pytest.mark.parametrize(
    ("windows", "hotline", "zh", "en"),
    [
        (WINDOWS, None, "：市职工服务中心、裕华区服务中心", ": City service centre, Yuhua service centre"),
        (
            WINDOWS,
            "12351",
            "：市职工服务中心、裕华区服务中心；电话 12351",
            ": City service centre, Yuhua service centre; telephone 12351",
        ),
        ({}, "12351", "：电话 12351", ": telephone 12351"),
        ({}, None, "", ""),
        (
            WINDOWS | {f"d{number}": WINDOWS["yuhua"] for number in range(3)},
            None,
            "：市职工服务中心",
            ": City service centre",
        ),
    ],
    ids=["windows", "both", "hotline", "nothing", "many"],
)
def test_the_words_name_the_windows_and_the_hotline_of_the_programme(
    windows: dict[str, object], hotline: str | None, zh: str, en: str
) -> None:
    where = federation(windows=windows, hotline=hotline)
    step = advise(of_card("6200000000000042131"), lambda: None, lambda: where).to_json()["next_step"]
    assert step == {
        "zh": f"请会员携本人身份证件到工会窗口激活此卡{zh}",
        "en": f"The member activates it at a union window, with an ID{en}",
    }
