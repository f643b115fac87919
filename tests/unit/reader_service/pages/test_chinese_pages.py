"""Chinese pages are Chinese: every page with a full record, searched for Latin words that nobody typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from reader_service.access.authenticator import key_of, new_token
from reader_service.principal import Role
from registry.admin.plans import UnitPlan
from registry.batches.originals import Original
from registry.db.audit_chain import AuditEntry
from registry.store import Registry
from registry.values import CardState, Coded, RejectedRow
from tests.support.registry.registrar import LEASE, claimed, prepare, row, rows
from tests.support.service.accounts import AccountsApp, Client, accounts_app
from tests.support.service.latin import latin

EVERYTHING = tuple(role for role in Role if role is not Role.COUNTER)
UNIT = "石家庄市总工会"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    served = accounts_app(tmp_path_factory.mktemp("chinese"))
    with served.registry:
        yield fill(served)


@pytest.fixture(scope="module")
def client(app: AccountsApp) -> Client:
    signed_in = app.signed_in("chef")
    signed_in.cookies.set("membercard-language", "zh")
    return signed_in


def fill(served: AccountsApp) -> AccountsApp:
    """Something of everything that the registry records."""
    registry = served.registry
    served.person("chef", *EVERYTHING)
    served.person("li.na", Role.REGISTRAR, Role.ADMINISTRATOR)
    served.token(Role.COUNTER, label="柜台")
    rejected = [RejectedRow(9, 7, ("PHONE_MISSING",), "没有填写手机号码。", "孙**")]
    original = Original("登记表.xlsx", b"form")
    batch = registry.rosters.import_roster(
        UNIT, rows(5), rejected, source="登记表.xlsx", digest="d1", by="li.na (token 1)", original=original
    )
    registry.reviews.submit(batch.id, by="li.na")
    registry.reviews.give_back(batch.id, by="chef", reason="缺两人")
    registry.reviews.submit(batch.id, by="li.na")
    registry.batches.approve(batch.id, "chef (unproven)", scheme="130000")
    registry.stock.receive(20, "第一批", "root (command line)")
    prepare(registry, served.service.parts.registry._context.personal._custody, batch.id, "li.na")  # type: ignore[arg-type]
    numbers = [registry.line.verified(claimed(registry, batch.id, n), {}, 2.0).card_number for n in (1, 2, 3)]
    mute = Coded("mute", {})
    registry.line.reject(claimed(registry, batch.id, 4), "the chip gave no answer", "connect", "1", coded=mute)
    registry.line.reject_chip(batch.id, "", "dead", "connect", "1", "lane 1", coded=mute)
    claimed(registry, batch.id, 5)
    served.clock.forward(2 * LEASE)
    registry.line.release_missing(batch.id, f"{5:020d}", "root (command line)", reason="chip lost")
    for state in (CardState.PACKED, CardState.DELIVERED, CardState.ACTIVE, CardState.SUSPENDED):
        registry.cards.change(numbers[0], state, "li.na", "按规定")
    registry.cards.replace(numbers[0], by="li.na", reason="补卡", because=CardState.LOST)
    registry.members.transfer(2, "石家庄铁道大学工会", by="li.na", reason="调动", scheme="130000")
    registry.members.withdraw(3, by="li.na", reason="退休")
    registry.members.unmask(2, by="li.na", reason="核对")
    registry.plans.put(
        [UnitPlan(UNIT, "第一组", 9, date(2026, 11, 1)), UnitPlan("乙", "", 1, date(2027, 1, 1))], by="chef"
    )
    registry.plans.remove("乙", by="chef")
    draft = registry.rosters.import_roster(UNIT, [row(8)], rejected, source="二.xlsx", digest="d2", by="not stated")
    nameless = [
        RejectedRow(8, 6, ("PHONE_MISSING",), "没有填写手机号码。"),
        RejectedRow(9, 7, ("NAME_MISSING",), "没有填写姓名。"),
    ]
    registry.rosters.import_roster(UNIT, [row(9)], nameless, source="三.xlsx", digest="d3", by="first start")
    registry.batches.discard(draft.id, "li.na", reason="重复")
    users(served, registry)
    registry.audit.note(AuditEntry("somebody", "session.refused", origin="127.0.0.1"))
    registry.audit.note(AuditEntry("registry", "restore.notice"))
    return served


def users(served: AccountsApp, registry: Registry) -> None:
    served.person("wang.fang", Role.ADMINISTRATOR, Role.REGISTRAR)
    until = served.clock() + timedelta(days=9)
    for name in ("扫描", "导入"):
        registry.tokens.make(name, key_of(new_token()), ["registrar"], until=until, by="wang.fang", needs_consent=True)
    registry.tokens.consent(2, by="li.na")
    registry.users.change("wang.fang", by="chef", reason="换岗", roles=["administrator"], language="zh", display="王芳")
    registry.tokens.make("接口", key_of(new_token()), ["operator"], until=until, by="wang.fang")
    registry.users.set_password("wang.fang", "x", by="chef", must_change=True, reason="忘记")
    registry.users.disable("wang.fang", by="chef", reason="离职")
    registry.users.enable("wang.fang", by="chef", reason="返聘")
    sentence = "the name cannot be told from that of li.na"
    registry.audit.note(AuditEntry("registry", "user.disable", "user:wang.fang", sentence))


def paths(registry: Registry) -> list[str]:
    pages = [
        "/registry",
        "/intake",
        "/waiting",
        "/progress",
        "/audit",
        "/users",
        "/password",
        "/developer",
        "/users/li.na",
    ]
    pages += [f"/registry/{number}" for number in (1, 2, 3, 4)]
    pages += [f"/registry?state={state}" for state in (CardState.REPLACED, CardState.WITHDRAWN)]
    for batch in registry.batches.page(None, 50).items:
        pages += [f"/intake/{batch.id}?only=all", f"/station/batches/{batch.id}"]
    return pages


def test_no_chinese_page_shows_a_word_of_english_or_a_raw_code(app: AccountsApp, client: Client) -> None:
    odd = {}
    for path in paths(app.registry):
        answer = client.get(path)
        assert answer.status_code == 200, path
        if texts := latin(answer.text):
            odd[path] = texts
    assert odd == {}


def test_a_returned_row_shows_the_masked_name(client: Client, app: AccountsApp) -> None:
    batch = app.registry.batches.page(None, 50).items[-1]
    page = client.get(f"/intake/{batch.id}?only=rejected").text
    assert "孙**" in page
    assert replace(app.registry.rosters.rows(batch.id)[-1], message="").name_masked == "孙**"


@pytest.mark.parametrize(
    ("chosen", "unstored", "missing"),
    [("zh", "早期版本未留存", "未填写"), ("en", "not stored by an earlier version", "not filled in")],
)
def test_a_returned_row_without_a_name_shows_why(app: AccountsApp, chosen: str, unstored: str, missing: str) -> None:
    clerk = app.signed_in("chef")
    clerk.cookies.set("membercard-language", chosen)
    batch = next(one for one in app.registry.batches.page(None, 50).items if one.source == "三.xlsx")
    rows_shown = clerk.get(f"/intake/{batch.id}?only=rejected").text.split("<tr>")[-2:]
    assert [unstored in rows_shown[0], missing in rows_shown[1]] == [True, True]
    assert "–" not in rows_shown[0] + rows_shown[1]


def test_no_refusal_on_a_chinese_page_is_in_english(client: Client) -> None:
    long = "x" * 101
    faulty = ("甲,,五,2026-12-31", ",,5,2026-12-31", "乙,,5,某日", "丙,,5,2026-12-31", "丙,,5,2026-12-31")
    schedule = "\n".join(("单位,组别,计划数,完成日期", *faulty))
    refused: dict[str, list[str]] = {}
    for path, data, files in (
        ("/registry", {"text": long}, None),
        ("/registry/2/transfer", {"unit": "很" * 31, "reason": "调动"}, None),
        ("/registry/2/unmask", {"reason": ""}, None),
        ("/registry/2/withdraw", {"reason": ""}, None),
        ("/registry/9999/withdraw", {"reason": "退休"}, None),
        ("/audit/verify", {"number": "x", "noted": ""}, None),
        ("/audit/verify", {"number": "1", "noted": "x"}, None),
        ("/users", {"name": "新人", "display": "新人"}, None),
        ("/users", {"name": "新人", "roles": "boss"}, None),
        ("/tokens", {"label": "读", "days": "90", "roles": "administrator"}, None),
        ("/tokens", {"label": "读", "days": "5", "roles": "operator"}, None),
        ("/station/start", {}, None),
        ("/progress/plan/remove", {"unit": "没有"}, None),
        ("/progress/plans", {}, {"form": ("p.csv", schedule.encode())}),
        ("/progress/plans", {}, {"form": ("p.csv", b"a,b\n1,2\n")}),
        ("/progress/plans", {}, {"form": ("p.pdf", b"%PDF")}),
        ("/intake", {}, {"form": ("x" * 300 + ".xlsx", b"x")}),
        ("/intake", {}, {"form": ("form.xlsx", b"no workbook")}),
        ("/intake/B20261122-999/submit", {}, None),
    ):
        answer = client.post(path, data=data, files=files, headers={"HX-Request": "true"})
        assert answer.status_code >= 400, (path, data, answer.text)
        if texts := latin(answer.text):
            refused[f"{path} {data}"] = texts
    assert refused == {}
