"""Lists of grants: which rows stand, a budget that is not overdrawn, and one payment for each row."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from programme.programme import Programme, parse_programme
from programme.records.aid_terms import aid_terms, budget_of
from registry.aid.values import AidFinding, AidList, AidRequest, AidRule, AidState
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.paying.instructions import InstructionState, PaymentKind
from registry.store import Registry
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.covered import Population
from tests.support.registry.registrar import SetClock, row

KINDS = """\
grants:
  promotion:
    name: {zh: 技能晋级补贴, en: Promotion grant}
    table:
      technician: {name: {zh: 技师, en: Technician}, amount: 800}
      senior: {name: {zh: 高级技师, en: Senior technician}, amount: 1000}
    once: lifetime
  medical: {name: {zh: 医疗二次补助, en: Medical}, most: 500, once: year, budget: {2026: 1000}}
  hardship: {name: {zh: 困难, en: Hardship}, most: 500, categories: [in-hardship]}
  opening: {name: {zh: 开卡补贴, en: Opening grant}, amount: 20, once: lifetime, on_activation: true}
"""


def granting_programme() -> Programme:
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    return parse_programme(HEAD.replace("benefits:\n", f"{KINDS}benefits:\n") + benefit, "own.yaml").programme


PROGRAMME = granting_programme()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 3, 1, 4, tzinfo=UTC))


@pytest.fixture
def people(registry: Registry) -> Population:
    """Four members with cards."""
    people = Population(registry)
    for _ in range(4):
        people.holder()
    return people


def name(member: int) -> str:
    return row(member).person.name


def asks(place: int, member: int, choice: str = "", amount: int | None = None) -> AidRequest:
    return AidRequest(place, f"{130100000000 + member}", name(member), choice, amount)


def taken_in(
    registry: Registry, kind: str, *requests: AidRequest, digest: str = "d", year: int = 2026
) -> tuple[AidList | None, list[AidFinding]]:
    terms = aid_terms(PROGRAMME, kind, year)
    return registry.aid_lists.take_in(terms, requests, source="list.xlsx", digest=digest, by="wang")


def drafted(registry: Registry, kind: str, *requests: AidRequest, digest: str = "d", year: int = 2026) -> AidList:
    listed, findings = taken_in(registry, kind, *requests, digest=digest, year=year)
    assert findings == []
    assert listed is not None
    return listed


def approved(registry: Registry, listed: AidList) -> AidList:
    return registry.aid_lists.approve(listed.id, budget_of(PROGRAMME, listed.kind, listed.year), by="li")


def test_a_member_is_named_by_any_number_and_paid_by_the_rule(registry: Registry, people: Population) -> None:
    by_card = AidRequest(5, "6212260000 000002", name(2), "高级技师", 100_000)
    by_identity = AidRequest(6, row(3).person.id_number, name(3), "Technician")
    listed = drafted(registry, "promotion", asks(4, 1, "technician"), by_card, by_identity)
    assert (listed.state, listed.rows, listed.amount, listed.rejected) == (AidState.DRAFTED, 3, 260_000, 0)
    rows = [(one.row, one.member_id, one.choice, one.amount) for one in registry.aid_lists.rows(listed.id).items]
    assert rows == [(4, 1, "technician", 80_000), (5, 2, "senior", 100_000), (6, 3, "technician", 80_000)]
    with pytest.raises(RegistryConflict, match="a second person does"):
        registry.aid_lists.approve(listed.id, None, by="Wang")
    done = approved(registry, listed)
    assert (done.state, done.approved_by) == (AidState.APPROVED, "li")
    orders = [registry.instructions.of(PaymentKind.GRANT, f"grant/{listed.id}/{place}") for place in (4, 5, 6)]
    assert [(one.member, one.amount, one.purpose, one.state) for one in orders if one] == [
        (1, 80_000, "技能晋级补贴", InstructionState.WAITING),
        (2, 100_000, "技能晋级补贴", InstructionState.WAITING),
        (3, 80_000, "技能晋级补贴", InstructionState.WAITING),
    ]
    with pytest.raises(RegistryConflict, match="is approved"):
        approved(registry, listed)


def test_rows_that_do_not_stand_are_findings(registry: Registry, people: Population) -> None:
    people.leave(4, "died", date(2026, 2, 1))
    listed, findings = taken_in(
        registry,
        "promotion",
        AidRequest(1, "", name(1), "technician"),
        AidRequest(2, "130100009999", name(1), "technician"),
        AidRequest(3, "130100000001", name(2), "technician"),
        asks(4, 4, "technician"),
        asks(5, 1, "engineer"),
        asks(6, 1),
        asks(7, 1, "technician", 80_001),
        asks(8, 1, "technician", -1),
        asks(9, 1, "technician"),
        asks(10, 1, "技师"),
        asks(11, 1, "senior"),
    )
    rules = ("number", "member", "name", "left", "choice", "choice", "amount", "amount", "twice")
    assert findings == [AidFinding(place, AidRule(rule)) for place, rule in zip((*range(1, 9), 10), rules, strict=True)]
    assert listed is not None
    assert (listed.rows, listed.rejected) == (2, 9)
    assert registry.aid_lists.findings(listed.id) == findings
    assert taken_in(registry, "promotion", asks(1, 2, "none"), digest="e") == (None, [AidFinding(1, AidRule.CHOICE)])
    assert [one.id for one in registry.aid_lists.page().items] == [listed.id]


@pytest.mark.parametrize(
    ("amount", "rule"), [(50_000, None), (50_001, "most"), (0, "amount"), (None, "amount"), (-1, "amount"), (1, None)]
)
def test_an_amount_at_its_edges(registry: Registry, people: Population, amount: int | None, rule: str | None) -> None:
    _, findings = taken_in(registry, "medical", asks(1, 1, "", amount))
    assert findings == ([] if rule is None else [AidFinding(1, AidRule(rule))])


def test_a_category_that_has_no_such_grant(registry: Registry, people: Population) -> None:
    people.recategorize(2, 4)
    listed, findings = taken_in(registry, "hardship", asks(1, 1, "", 100), asks(2, 2, "", 100))
    assert findings == [AidFinding(1, AidRule.CATEGORY)]
    assert listed is not None


def test_once_a_lifetime_and_once_a_year(registry: Registry, people: Population) -> None:
    first = drafted(registry, "promotion", asks(1, 1, "technician"))
    again = (None, [AidFinding(1, AidRule.ONCE)])
    assert taken_in(registry, "promotion", asks(1, 1, "technician"), digest="e") == again
    drafted(registry, "promotion", asks(1, 1, "senior"), digest="f")
    registry.aid_lists.discard(first.id, by="li", reason="zu früh")
    other = approved(registry, drafted(registry, "promotion", asks(1, 1, "technician"), digest="g"))
    assert other.state is AidState.APPROVED
    assert taken_in(registry, "promotion", asks(1, 1, "technician"), digest="h", year=2030) == again
    drafted(registry, "medical", asks(1, 1, "", 100), digest="i")
    assert taken_in(registry, "medical", asks(1, 1, "", 100), digest="j") == again
    drafted(registry, "medical", asks(1, 1, "", 100), digest="k", year=2027)


def test_a_budget_is_spent_to_its_last_fen_and_not_further(registry: Registry, people: Population) -> None:
    lists = [drafted(registry, "medical", asks(1, one, "", 49_999), digest=f"d{one}") for one in (1, 2)]
    for one in lists:
        approved(registry, one)
    (budget,) = registry.aid_lists.budgets()
    assert (budget.amount, budget.spent) == (100_000, 99_998)
    much = drafted(registry, "medical", asks(1, 3, "", 3), digest="d3")
    with pytest.raises(RegistryConflict) as refused:
        approved(registry, much)
    assert (refused.value.reason, refused.value.params["left"]) == ("aid-budget", 2)
    assert registry.instructions.of(PaymentKind.GRANT, f"grant/{much.id}/1") is None
    registry.aid_lists.discard(much.id, by="wang", reason="Budget")
    approved(registry, drafted(registry, "medical", asks(1, 3, "", 2), digest="d4"))
    assert [one.spent for one in registry.aid_lists.budgets()] == [100_000]
    with pytest.raises(RegistryConflict, match="has 0 fen left"):
        approved(registry, drafted(registry, "medical", asks(1, 4, "", 1), digest="d5", year=2027))


def test_the_opening_grant_is_for_everybody_who_did_not_have_it(registry: Registry, people: Population) -> None:
    packed = people.member()
    people.card(packed, "packed")
    terms = aid_terms(PROGRAMME, "opening", 2026)
    first = registry.aid_lists.draw_up(terms, by="wang")
    assert first is not None
    assert (first.rows, first.amount) == (4, 8_000)
    approved(registry, first)
    assert registry.aid_lists.draw_up(terms, by="wang") is None
    people.holder()
    second = registry.aid_lists.draw_up(terms, by="wang")
    assert second is not None
    assert [one.member_id for one in registry.aid_lists.rows(second.id).items] == [6]


def test_the_same_file_is_taken_in_once(registry: Registry, people: Population) -> None:
    listed = drafted(registry, "medical", asks(1, 1, "", 5))
    with pytest.raises(RegistryConflict, match=f"this file is list {listed.id} already"):
        taken_in(registry, "medical", asks(1, 2, "", 5))
    registry.aid_lists.discard(listed.id, by="li", reason="falsch")
    with pytest.raises(RegistryConflict, match="is discarded"):
        registry.aid_lists.discard(listed.id, by="li", reason="falsch")
    drafted(registry, "medical", asks(1, 2, "", 5))
    with pytest.raises(NotOnRecord, match="no list 9 of grants"):
        registry.aid_lists.aid_list(9)


def test_the_database_keeps_lists_rows_and_budgets(registry: Registry, people: Population) -> None:
    approved(registry, drafted(registry, "medical", asks(1, 1, "", 100)))
    for statement in (
        "UPDATE aid_budgets SET spent = 100001",
        "UPDATE aid_budgets SET spent = 0",
        "UPDATE aid_lists SET amount = 1",
        "UPDATE aid_lists SET state = 'drafted', approved_at = NULL, approved_by = NULL",
        "UPDATE aid_rows SET amount = 5",
        "DELETE FROM aid_rows",
        "DELETE FROM aid_lists",
        "DELETE FROM aid_budgets",
        'INSERT INTO aid_rows (list_id, "row", member_id, choice, amount, once_key, living) '
        "SELECT list_id, 9, member_id, choice, amount, once_key, living FROM aid_rows",
    ):
        with pytest.raises(RegistryError), registry.aid_lists._context.write() as conn:
            conn.execute(text(statement))
    assert [(one.amount, one.spent) for one in registry.aid_lists.budgets()] == [(100_000, 100)]
