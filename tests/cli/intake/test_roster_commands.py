"""`membercard roster` as a clerk uses it, and what it hands to the registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from membercard import settings
from membercard.commands.intake.roster import app
from personalize.errors import HeaderNotFound
from personalize.intake import check
from personalize.rosters import to_import
from registry.errors import RegistryConflict
from registry.store import Registry
from tests.support import forms
from tests.support.forms import HEADER, TITLE, TODAY, UNIT, id_number, person
from tests.support.paths import ROOT
from tests.support.registry.registrar import custodian

ROSTERS = (ROOT / "tests") / "data" / "rosters"
runner = CliRunner()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with Registry.open(f"sqlite:///{tmp_path}/registry.db", custodian()) as opened:
        monkeypatch.setattr(settings, "open_registry", lambda: opened)
        yield opened


def test_check_as_json_is_the_expected_file() -> None:
    file = ROSTERS / "roster-messy-300.xlsx"
    result = runner.invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 1
    expected = json.loads(file.with_suffix(".expected.json").read_text(encoding="utf-8"))
    assert json.loads(result.stdout) == {"file": str(file)} | expected


def test_json_has_one_line_a_row_whatever_is_in_it(tmp_path: Path) -> None:
    unit = '}, {"sheet_row": 9'
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1, unit=unit), person(2)))
    result = runner.invoke(app, ["check", str(form), "--json"])
    assert result.exit_code == 0, f"{result.exception!r}\n{result.output}"
    assert json.loads(result.stdout)["rows"][0]["record"]["unit"] == unit
    assert len([line for line in result.stdout.splitlines() if '{"sheet_row": ' in line]) == 2
    empty = forms.xlsx(tmp_path / "g.xlsx", forms.form())
    assert json.loads(runner.invoke(app, ["check", str(empty), "--json"]).stdout)["rows"] == []


def test_check_of_a_sound_form() -> None:
    result = runner.invoke(app, ["check", str(ROSTERS / "roster-clean-50.xlsx")])
    assert result.exit_code == 0
    assert result.stdout == "roster-clean-50.xlsx · 石家庄铁道大学工会 · 通过 50 · 退回 0\n"


@pytest.mark.parametrize(("language", "expected"), [("zh", "手机号码不对"), ("en", "one 11-digit mobile number")])
def test_check_shows_the_rejected_rows_and_no_secrets(tmp_path: Path, language: str, expected: str) -> None:
    people = [person(1, phone="12345"), person(2, gender="M", id=" " + id_number(serial=2)), person(3, gender="M")]
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(*people))
    result = runner.invoke(app, ["check", str(form), "--lang", language], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert expected in result.stdout
    assert "孙**" in result.stdout
    assert "GENDER_MISMATCH" in result.stdout
    assert not any(secret in result.stdout for secret in ("孙波磊", id_number(serial=1), "18801434135", "12345"))


def test_check_writes_the_annotated_copy(tmp_path: Path) -> None:
    form = forms.text(tmp_path / "f.csv", forms.form(person(1, phone="12345")))
    out = tmp_path / "out.xlsx"
    result = runner.invoke(app, ["check", str(form), "--annotate", str(out)])
    assert result.exit_code == 1
    assert load_workbook(out)["名单"]["G4"].value == "退回"


@pytest.mark.parametrize("arguments", [[], ["--annotate", "out.csv"], ["--lang", "fr"], ["--nonsense"]])
def test_usage(arguments: list[str]) -> None:
    form = [] if not arguments else [str(ROSTERS / "roster-clean-50.xlsx")]
    assert runner.invoke(app, ["check", *form, *arguments]).exit_code == 2


def test_a_form_without_people_is_a_problem_and_without_a_header_a_fault(tmp_path: Path) -> None:
    empty = forms.xlsx(tmp_path / "f.xlsx", forms.form())
    assert runner.invoke(app, ["check", str(empty)]).exit_code == 1
    other = forms.xlsx(tmp_path / "g.xlsx", [("甲", "乙")])
    assert isinstance(runner.invoke(app, ["check", str(other)]).exception, HeaderNotFound)


def test_import_makes_a_draft_batch_once(tmp_path: Path, registry: Registry) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2, phone="12345"), person(3)))
    result = runner.invoke(app, ["import", str(form), "--by", "李娜", "--json"])
    assert result.exit_code == 0, result.output
    imported = json.loads(result.stdout)
    assert (imported["accepted"], imported["rejected"], imported["unit"]) == (2, 1, UNIT)
    assert imported["rejects"] == [{"sheet_row": 5, "seq": 2, "codes": ["PHONE_FORMAT"]}]
    batch = registry.batches.batch(imported["batch"])
    assert (batch.state, batch.unit, batch.imported_by, batch.source) == ("draft", UNIT, "李娜 (unproven)", "f.xlsx")
    again = runner.invoke(app, ["import", str(form), "--by", "李娜"])
    assert again.exit_code == 1
    assert f"imported before as {batch.id}" in str(again.exception)
    assert len(registry.batches.all()) == 1


def test_the_same_file_with_new_people_is_refused_by_its_digest(tmp_path: Path, registry: Registry) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1)))
    report = check(form, today=TODAY)
    registry.rosters.import_roster(UNIT, *to_import(report), source="f.xlsx", digest=report.digest, by="李娜")
    with pytest.raises(RegistryConflict, match="imported before"):
        registry.rosters.import_roster(UNIT, *to_import(report), source="f.xlsx", digest=report.digest, by="李娜")


def test_import_says_what_comes_next(tmp_path: Path, registry: Registry) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1, unit="财务处")))
    result = runner.invoke(app, ["import", str(form), "--by", "李娜", "--unit", "第二工会"])
    batch = registry.batches.all()[0]
    assert f"membercard batch approve {batch.id} --by NAME" in result.stdout
    assert batch.unit == "第二工会"


def test_nobody_accepted_makes_no_batch(tmp_path: Path, registry: Registry) -> None:
    form = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1, phone=None)))
    result = runner.invoke(app, ["import", str(form), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["batch"] is None
    assert registry.batches.all() == []


def test_people_on_record(tmp_path: Path, registry: Registry) -> None:
    first = check(forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2))), today=TODAY)
    registry.rosters.import_roster(UNIT, *to_import(first), source="f.xlsx", digest=first.digest, by="李娜")
    people = [person(1), person(2, unit="第二工会"), person(3)]
    again = forms.xlsx(tmp_path / "g.xlsx", forms.form(*people))
    result = runner.invoke(app, ["check", str(again), "--registry", "--json"])
    codes = [row["codes"] for row in json.loads(result.stdout)["rows"]]
    assert codes == [["UNCHANGED"], ["ALREADY_HAS_CARD", "OTHER_UNIT"], []]
    assert runner.invoke(app, ["check", str(again), "--json"]).exit_code == 0


def test_rows_of_several_sheets_keep_apart(tmp_path: Path, registry: Registry) -> None:
    book = forms.Workbook()
    forms.fill(book.active, forms.form(person(1), person(2)))
    forms.fill(book.create_sheet("二部"), [HEADER, person(3), person(4), person(5), person(6, phone=None)])
    forms.fill(book.create_sheet("三部"), [HEADER, person(7)])
    book.save(tmp_path / "f.xlsx")
    report = check(tmp_path / "f.xlsx", today=TODAY)
    accepted, rejected = to_import(report)
    assert [row.sheet_row for row in accepted] == [4, 5, 7, 8, 9, 12]
    assert [row.sheet_row for row in rejected] == [10]
    assert rejected[0].message.startswith("工作表“二部”第5行：没有填写手机号码")
    batch = registry.rosters.import_roster(UNIT, accepted, rejected, source="f.xlsx", digest=report.digest, by="李娜")
    assert (batch.accepted, batch.rejected) == (6, 1)


def test_one_department_name_in_two_colleges_is_two_units(tmp_path: Path, registry: Registry) -> None:
    for serial, college in ((1, "石家庄铁道大学工会"), (2, "河北师范大学工会")):
        rows = [TITLE, (f"基层工会名称：{college}",), HEADER, person(serial, unit="后勤处")]
        form = forms.xlsx(tmp_path / f"{serial}.xlsx", rows)
        result = runner.invoke(app, ["import", str(form), "--by", "李娜", "--json"])
        assert result.exit_code == 0, result.output
        registry.batches.approve(json.loads(result.stdout)["batch"], "王")
    units = [member.unit for member in registry.members.page().items]
    assert units == ["石家庄铁道大学工会 / 后勤处", "河北师范大学工会 / 后勤处"]
    other = forms.xlsx(
        tmp_path / "3.xlsx", [TITLE, ("基层工会名称：河北师范大学工会",), HEADER, person(1, unit="后勤处")]
    )
    result = runner.invoke(app, ["check", str(other), "--registry", "--json"])
    assert json.loads(result.stdout)["rows"][0]["codes"] == ["ALREADY_HAS_CARD", "OTHER_UNIT"]


def test_a_resubmitted_form_shows_what_is_unchanged_and_what_requests_a_change(
    tmp_path: Path, registry: Registry
) -> None:
    first = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2), person(3)))
    assert runner.invoke(app, ["import", str(first), "--by", "李娜"]).exit_code == 0
    batch = registry.batches.all()[0]
    people = [person(1), person(2, phone="18801430002"), person(3, name="孙波雷")]
    corrected = forms.xlsx(tmp_path / "g.xlsx", forms.form(*people))
    result = runner.invoke(app, ["check", str(corrected), "--registry", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["accepted"], report["rejected"], report["unchanged"], report["changes"]) == (0, 0, 1, 2)
    rows = [(row["verdict"], row["codes"], row["batch"]) for row in report["rows"]]
    assert rows == [
        ("unchanged", ["UNCHANGED"], batch.id),
        ("change", ["PHONE_CHANGED"], batch.id),
        ("change", ["NAME_CHANGED"], batch.id),
    ]
    result = runner.invoke(app, ["import", str(corrected), "--by", "李娜", "--lang", "en"])
    assert result.exit_code == 0, result.output
    assert "unchanged 1 · changes 2" in result.stdout
    same = forms.xlsx(tmp_path / "h.xlsx", forms.form(person(1)))
    result = runner.invoke(app, ["import", str(same), "--by", "李娜"])
    assert result.exit_code == 0, result.output
    assert "Nothing is new or changed" in result.stdout
    assert len(registry.batches.all()) == 2


def test_the_annotated_copy_of_a_resubmitted_form_marks_what_is_known(tmp_path: Path, registry: Registry) -> None:
    first = forms.xlsx(tmp_path / "f.xlsx", forms.form(person(1), person(2)))
    assert runner.invoke(app, ["import", str(first), "--by", "李娜"]).exit_code == 0
    corrected = forms.xlsx(tmp_path / "g.xlsx", forms.form(person(1), person(2, phone="18801430002"), person(3)))
    copy = tmp_path / "copy.xlsx"
    result = runner.invoke(app, ["check", str(corrected), "--registry", "--annotate", str(copy)])
    assert result.exit_code == 0, result.output
    sheet = load_workbook(copy).worksheets[0]
    assert [sheet.cell(row, 7).value for row in (4, 5, 6)] == ["未变", "变更", "通过"]
    assert sheet.cell(4, 8).value == f"已在批次{registry.batches.all()[0].id}中；与登记资料一致，不再重复办卡。"
