"""E-cards on record: a code signs in one telephone, three tries end it, and the end of a card ends its e-card."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from registry.ecards.devices import DELEGATED, NOT_ACTIVE, WRONG
from registry.ecards.values import EcardEnd, EcardTerms, PhoneSignIn, SignedInPhone
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.store import Registry
from simulators.ecard.phone import MemberPhone
from terminal.ecard.lists import EndedEcard
from terminal.keys.memory import MemoryCustody
from terminal.secret import Secret
from tests.support.registry.registrar import SetClock, audit_entries, carded, row

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
PHONE, OTHER = MemberPhone(), MemberPhone()
TAIL = row(1).person.id_number[-6:]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> str:
    """The number of an active card."""
    number = carded(registry, custody)[0].card_number
    for state in ("packed", "delivered", "active"):
        registry.cards.change(number, state, "wang", "x")
    return number


def request(registry: Registry, card: str, phone: MemberPhone = PHONE) -> PhoneSignIn:
    """With a new code."""
    code = registry.ecard_codes.issue(card, by="wang").code.reveal().decode()
    return PhoneSignIn(card, TAIL, code, phone.key)


def signed_in(registry: Registry, card: str, phone: MemberPhone = PHONE) -> SignedInPhone:
    answer = registry.ecard_devices.sign_in(request(registry, card, phone))
    assert isinstance(answer, SignedInPhone)
    return answer


def test_a_code_signs_a_telephone_in_once_and_it_is_delegated_for_days(registry: Registry, card: str) -> None:
    first = request(registry, card)
    answer = registry.ecard_devices.sign_in(first)
    assert isinstance(answer, SignedInPhone)
    assert registry.ecard_devices.sign_in(first) is WRONG
    terms = registry.ecard_devices.delegate(answer.session)
    assert terms == EcardTerms(card, 1, 1, 0, PHONE.key, NOW, NOW + DELEGATED)
    assert audit_entries(registry, "ecard.sign-in") == [("e-card", f"card:{card}-1", "")]
    (view,) = registry.ecard_devices.page().items
    assert (view.card_tail, view.generation, view.delegated_until, view.ended) == (card[-4:], 1, NOW + DELEGATED, None)
    assert (card in repr(first), TAIL in repr(first)) == (False, False)


def test_who_signs_in_anew_ends_the_telephone_before(registry: Registry, card: str) -> None:
    before = signed_in(registry, card)
    registry.ecard_devices.delegate(before.session)
    after = signed_in(registry, card, OTHER)
    assert after.generation == 2
    assert registry.ecard_devices.delegate(after.session).generation == 2
    with pytest.raises(NotOnRecord) as refused:
        registry.ecard_devices.delegate(before.session)
    assert refused.value.reason == "ecard-session"
    assert registry.ecard_devices.ended() == [EndedEcard(card, 1, 1)]
    assert [one.ended for one in registry.ecard_devices.page().items] == [None, EcardEnd.AGAIN]


def test_an_ended_ecard_is_listed_while_its_delegation_runs(registry: Registry, card: str, clock: SetClock) -> None:
    session = signed_in(registry, card).session
    registry.ecard_devices.delegate(session)
    registry.ecard_devices.end(card, by="wang", reason="手机丢失")
    clock.now = NOW + DELEGATED - timedelta(seconds=1)
    assert registry.ecard_devices.ended() == [EndedEcard(card, 1, 1)]
    clock.now = NOW + DELEGATED
    assert registry.ecard_devices.ended() == []
    with pytest.raises(NotOnRecord) as refused:
        registry.ecard_devices.end(card, by="wang", reason="x")
    assert refused.value.reason == "ecard"


def test_three_wrong_tries_end_a_code_whichever_part_is_wrong(registry: Registry, card: str) -> None:
    right = request(registry, card)
    wrong = "00000000" if right.code != "00000000" else "00000001"
    assert registry.ecard_devices.sign_in(replace(right, code=wrong)) is WRONG
    assert registry.ecard_devices.sign_in(replace(right, id_tail="000000")) is WRONG
    assert isinstance(registry.ecard_devices.sign_in(right), SignedInPhone)
    second = request(registry, card)
    for _ in range(3):
        assert registry.ecard_devices.sign_in(replace(second, id_tail="000000")) is WRONG
    assert registry.ecard_devices.sign_in(second) is WRONG
    assert len(audit_entries(registry, "ecard.refused")) == 5
    assert len(registry.ecard_devices.page().items) == 1


def test_a_code_lasts_two_weeks_and_a_new_one_ends_it(registry: Registry, card: str, clock: SetClock) -> None:
    first = request(registry, card)
    second = request(registry, card)
    if first.code != second.code:
        assert registry.ecard_devices.sign_in(first) is WRONG
    clock.now = NOW + timedelta(days=14)
    assert registry.ecard_devices.sign_in(second) is WRONG
    third = request(registry, card)
    clock.now = NOW + timedelta(days=28) - timedelta(seconds=1)
    assert isinstance(registry.ecard_devices.sign_in(third), SignedInPhone)


@pytest.mark.parametrize("number", ["6212260000009999999", "", "x"])
def test_an_unknown_card_is_refused_as_a_wrong_code_is(registry: Registry, number: str) -> None:
    assert registry.ecard_devices.sign_in(PhoneSignIn(number, TAIL, "12345678", PHONE.key)) is WRONG


def test_a_card_that_is_not_active_has_no_ecard(registry: Registry, custody: MemoryCustody) -> None:
    number = carded(registry, custody)[0].card_number
    with pytest.raises(RegistryConflict) as refused:
        registry.ecard_codes.issue(number, by="wang")
    assert refused.value.reason == "ecard-card-state"
    for state in ("packed", "delivered"):
        registry.cards.change(number, state, "wang", "x")
    wanted = request(registry, number)
    assert registry.ecard_devices.sign_in(wanted) is NOT_ACTIVE
    registry.cards.change(number, "active", "wang", "x")
    assert isinstance(registry.ecard_devices.sign_in(wanted), SignedInPhone)


@pytest.mark.parametrize("end", ["lost", "damaged", "expired", "withdrawn"])
def test_the_end_of_a_card_ends_its_ecard_and_its_code(registry: Registry, card: str, end: str) -> None:
    session = signed_in(registry, card).session
    registry.ecard_devices.delegate(session)
    waiting = request(registry, card)
    registry.cards.change(card, end, "wang", "x")
    (view,) = registry.ecard_devices.page().items
    assert (view.ended, view.ended_at, view.ended_by) == (EcardEnd(end), NOW, "wang")
    with pytest.raises(NotOnRecord):
        registry.ecard_devices.delegate(session)
    assert registry.ecard_devices.sign_in(waiting) is WRONG


def test_a_suspended_card_is_not_renewed_until_it_is_active(registry: Registry, card: str) -> None:
    session = signed_in(registry, card).session
    registry.cards.change(card, "suspended", "wang", "x")
    with pytest.raises(RegistryConflict) as refused:
        registry.ecard_devices.delegate(session)
    assert refused.value.reason == "ecard-not-renewed"
    registry.cards.change(card, "active", "wang", "x")
    assert registry.ecard_devices.delegate(session).until == NOW + DELEGATED


def test_a_clock_that_goes_back_shortens_no_delegation(registry: Registry, card: str, clock: SetClock) -> None:
    session = signed_in(registry, card).session
    registry.ecard_devices.delegate(session)
    clock.now = NOW - timedelta(hours=1)
    assert registry.ecard_devices.delegate(session).until == NOW + DELEGATED


@pytest.mark.parametrize(
    "key", [b"", bytes(33), b"\x02" + b"\xff" * 32, b"\x02" * 34], ids=["none", "zeros", "off", "long"]
)
def test_a_key_that_is_no_point_is_refused_before_anything_is_tried(registry: Registry, card: str, key: bytes) -> None:
    right = request(registry, card)
    with pytest.raises(RegistryConflict) as refused:
        registry.ecard_devices.sign_in(replace(right, device_key=key))
    assert refused.value.reason == "ecard-device-key"
    assert isinstance(registry.ecard_devices.sign_in(right), SignedInPhone)


def test_a_session_that_nobody_has_is_refused(registry: Registry, card: str) -> None:
    signed_in(registry, card)
    with pytest.raises(NotOnRecord):
        registry.ecard_devices.delegate(Secret(bytes(32)))


def test_the_database_keeps_codes_and_telephones(registry: Registry, card: str) -> None:
    signed_in(registry, card)
    request(registry, card)
    for statement in (
        "UPDATE ecard_codes SET tries = 3 WHERE ended IS NULL",
        "UPDATE ecard_codes SET ended = NULL, ended_at = NULL, ended_by = NULL WHERE ended = 'used'",
        "UPDATE ecard_codes SET expires_at = '2030-01-01'",
        "UPDATE ecard_devices SET generation = 5",
        "UPDATE ecard_devices SET ended = 'staff'",
        "DELETE FROM ecard_codes",
        "DELETE FROM ecard_devices",
        "INSERT INTO ecard_codes (card_number, sequence, digest, issued_at, issued_by, expires_at, tries) "
        "SELECT card_number, sequence, digest, issued_at, issued_by, expires_at, 0 FROM ecard_codes",
    ):
        with pytest.raises(RegistryError), registry.ecard_devices._context.write() as conn:
            conn.execute(text(statement))
    assert [one.ended for one in registry.ecard_devices.page().items] == [None]
