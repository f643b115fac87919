"""Delimited text: quotation marks that quote, and those that do not."""

from pathlib import Path

import pytest

from personalize.intake import check
from personalize.intake.files.delimited import records
from tests.support import forms
from tests.support.forms import TODAY, UNIT, id_number, person, verdicts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,"b,c",d\n', [["a", "b,c", "d"]]),
        ('a,"b\nc",d\r\ne\n', [["a", "b\nc", "d"], ["e"]]),
        ('a,"b""c",""\n', [["a", 'b"c', ""]]),
        ('a,"""",b\n', [["a", '"', "b"]]),
        ('a,"b\n', [["a", '"b']]),
        ('a,"\nb,"\n', [["a", '"'], ["b", '"']]),
        ('a,",b,c\nd,",e,f\n', [["a", '"', "b", "c"], ["d", '"', "e", "f"]]),
        ('a,"b"c,d\n', [["a", '"b"c', "d"]]),
        ("a\rb\r\n\nc", [["a"], ["b"], [], ["c"]]),
        ("a,b,", [["a", "b", ""]]),
        ('"a" ,b', [["a", "b"]]),
        ("", []),
    ],
)
def test_records(text: str, expected: list[list[str]]) -> None:
    assert records(text, ",") == expected


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("rows", [(2,), (2, 5), (1, 3, 4), (1, 6)])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_an_open_quotation_mark_swallows_nobody(
    tmp_path: Path, column: int, rows: tuple[int, ...], delimiter: str
) -> None:
    people = [person(number) for number in range(1, 7)]
    for number in rows:
        people[number - 1][column] = '"'
    lines = [delimiter.join(map(str, row)) for row in forms.form(*people)]
    (tmp_path / "f.csv").write_bytes("\r\n".join([*lines, ""]).encode("gb18030"))
    report = check(tmp_path / "f.csv", today=TODAY)
    assert [row.sheet_row for row in report.rows] == [4, 5, 6, 7, 8, 9]
    for number in {1, 2, 3, 4, 5, 6} - set(rows):
        assert report.rows[number - 1].codes == ()
    if column in (0, 5) and 1 not in rows:
        assert verdicts(report) == ["ok"] * 6


def test_an_unclosed_name_takes_no_other_field_along(tmp_path: Path) -> None:
    lines = [
        f'1,{id_number(serial=1)},"孙波磊,男,18801434135,{UNIT}',
        f'2,{id_number(serial=2)},孙"波,女,18801434135,{UNIT}',
    ]
    head = ",".join(forms.HEADER)
    (tmp_path / "f.csv").write_text("\n".join([head, *lines, '3,x,"', ""]), encoding="utf-8")
    report = check(tmp_path / "f.csv", today=TODAY)
    assert [row.sheet_row for row in report.rows] == [2, 3, 4]
    assert verdicts(report)[:2] == ["NAME_CHARS", "NAME_CHARS"]
