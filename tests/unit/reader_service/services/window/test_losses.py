"""The service of losses: counters know at once, a second person consents at the window, the bank gets its file."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta

import openpyxl
import pytest

from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.access.settings import AccessSettings
from reader_service.errors import Conflict, Forbidden, Invalid, NotFound, OwnWork
from reader_service.principal import Role
from reader_service.services.counter.lists import ListService
from reader_service.services.window.losses import LossService
from registry.members.identity import Caller, CallerKind
from registry.members.losses import CollectionPoint
from registry.values import BatchState, CardState
from tests.support import issuer
from tests.support.registry import registrar
from tests.support.registry.registrar import rows
from tests.support.service.registry_rig import AUDITOR, CLERK, COUNTER, OPERATOR, REVIEWER, RegistryRig, carded

THERE = CollectionPoint("服务大厅 3 号窗口", date(2026, 12, 1))
ACCOUNT = "6210971300000000016"


@pytest.fixture
def losses(rig: RegistryRig) -> LossService:
    lists = ListService(rig.parts, rig.bus)
    accounts = AccountService(rig.registry, AccessSettings(), passwords=Passwords(CHEAP), clock=rig.clock)
    return LossService(rig.parts, rig.bus, lists, accounts)


@pytest.fixture
def number(rig: RegistryRig) -> str:
    return carded(rig.registry, 1)[1][0]


def token_of(rig: RegistryRig, person: str, *roles: Role) -> str:
    """A token of a user with this name."""
    rig.registry.users.add(person, person, Passwords(CHEAP).hash("a sentence of somebody"), ["administrator"], by="t")
    secret = new_token()
    until = rig.clock() + timedelta(days=1)
    rig.registry.tokens.make("consent", key_of(secret), [role.value for role in roles], until=until, by=person)
    return secret


def signed_cards(rig: RegistryRig) -> list[tuple[str, str]]:
    """Numbers and reasons of the newest edition."""
    edition = rig.registry.hotlist.newest()
    assert edition is not None
    return [(card[0], card[2]) for card in json.loads(edition.signed)["list"]["cards"]]


def test_a_loss_is_in_a_signed_edition_at_once_and_its_end_in_the_next(
    rig: RegistryRig, losses: LossService, number: str
) -> None:
    listed = losses.report(CLERK, number, "丢失", collection=THERE)
    assert (signed_cards(rig), listed.edition) == ([(number, "lost")], rig.registry.hotlist.newest().version)  # type: ignore[union-attr]
    assert (listed.loss.place, listed.loss.batch_state) == (rig.parts.station, BatchState.DRAFT)
    noted = losses.unlist(CLERK, listed.loss.number, "找到了")
    assert (signed_cards(rig), noted.edition, noted.loss.returned_by) == ([(number, "lost")], None, CLERK.name)
    with pytest.raises(OwnWork):
        losses.unlist(CLERK, listed.loss.number, "找到了", token_of(rig, CLERK.name, Role.REVIEWER))
    unlisted = losses.unlist(CLERK, listed.loss.number, "找到了", token_of(rig, "wang", Role.REVIEWER))
    assert signed_cards(rig) == []
    assert (unlisted.loss.card_state, unlisted.edition) == (CardState.VERIFIED, (listed.edition or 0) + 1)


def test_a_token_of_a_second_person_approves_the_replacement_at_the_window(
    rig: RegistryRig, losses: LossService, number: str
) -> None:
    loss = losses.report(CLERK, number, "丢失", collection=THERE).loss
    other = token_of(rig, "wang", Role.REVIEWER)
    for wrong, error in (
        ("x" * 20, Invalid),
        (token_of(rig, "zhao", Role.COUNTER), Forbidden),
        (token_of(rig, CLERK.name, Role.REVIEWER), OwnWork),
    ):
        with pytest.raises(error):
            losses.consent(CLERK, loss.number, wrong)
    batch = losses.consent(CLERK, loss.number, f" {other} ")
    assert (batch.state, batch.id) == (BatchState.APPROVED, loss.batch)
    assert batch.approved_by is not None
    assert batch.approved_by.startswith("consent (token ")
    with pytest.raises(Conflict, match="no replacement that waits"):
        losses.consent(CLERK, loss.number, other)


def test_places_and_days_of_collection_are_checked_before_anything_changes(
    rig: RegistryRig, losses: LossService, number: str
) -> None:
    today = rig.parts.now().date()
    wrong = {
        "collect_at": [CollectionPoint(place, today) for place in ("", "  ", "x" * 101, "a\u202eb")],
        "collect_on": [CollectionPoint("窗口", today + timedelta(days=days)) for days in (-1, 367)],
    }
    for field, points in wrong.items():
        for point in points:
            with pytest.raises(Invalid) as refused:
                losses.report(CLERK, number, "丢失", collection=point)
            assert list(refused.value.fields) == [field]
    with pytest.raises(Invalid):
        losses.report(CLERK, number, " ")
    assert rig.registry.hotlist.entries() == []
    assert losses.proposed_day() == today + timedelta(days=7)


def test_only_who_looks_after_cards_reports_a_loss(losses: LossService, number: str) -> None:
    for who in (OPERATOR, REVIEWER, COUNTER, AUDITOR):
        for call in (
            lambda who=who: losses.report(who, number, "x"),
            lambda who=who: losses.order(who, 1, THERE, "x"),
            lambda who=who: losses.unlist(who, 1, "x"),
            lambda who=who: losses.still_lost(who, 1, "x"),
            lambda who=who: losses.consent(who, 1, "x"),
            lambda who=who: losses.page(who),
            lambda who=who: losses.make_report(who),
            lambda who=who: losses.report_file(who, 1, "csv"),
            lambda who=who: losses.file_since(who, date(2026, 1, 1), "csv"),
        ):
            with pytest.raises(Forbidden):
                call()
    with pytest.raises(NotFound):
        losses.loss(CLERK, 9)


def test_a_caller_who_is_not_identified_changes_nothing(rig: RegistryRig, losses: LossService, number: str) -> None:
    with pytest.raises(Conflict, match="0 right answers"):
        losses.report(CLERK, number, "来电", caller=Caller(CallerKind.OTHER))
    assert rig.registry.hotlist.entries() == []


def test_the_bank_gets_account_numbers_as_text_in_either_form(rig: RegistryRig, losses: LossService) -> None:
    batch = registrar.approved(rig.registry, rows(1))
    registrar.prepare(rig.registry, issuer.custody(), batch, pans=[ACCOUNT])
    card = rig.registry.line.verified(registrar.claimed(rig.registry, batch, 1), {}, 1.0)
    number = losses.report(CLERK, card.card_number, "丢失").loss.number
    assert losses.new_for_bank(CLERK) == 1
    report = losses.make_report(CLERK)
    assert [one.number for one in losses.reports(CLERK).items] == [report.number] == [1]
    at = f"{rig.clock().astimezone(rig.parts.zone):%Y-%m-%d %H:%M:%S}"
    wanted = [str(number), "挂失 lost", at, ACCOUNT, "欧****"]
    file = losses.report_file(CLERK, 1, "csv")
    assert (file.filename, ACCOUNT in repr(losses)) == ("losses-0001.csv", False)
    assert list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))[1:] == [
        [*wanted[:3], f"\t{ACCOUNT}", wanted[4]]
    ], "a spreadsheet program takes it for text"
    book = openpyxl.load_workbook(io.BytesIO(losses.report_file(CLERK, 1, "xlsx").content))
    (sheet,) = book.worksheets
    assert [[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)] == [wanted]
    since = losses.file_since(CLERK, rig.clock().date(), "csv")
    assert since.content == file.content
    later = losses.file_since(CLERK, rig.clock().date() + timedelta(days=1), "csv").content.decode("utf-8-sig")
    assert len(later.splitlines()) == 1
