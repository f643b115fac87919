"""Whatever is in a file or a cell, intake ends with a report or with one of its own faults."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from personalize.errors import IntakeError
from personalize.intake import RosterRow, check
from personalize.intake.documents import Document
from personalize.intake.genders import read_gender
from personalize.intake.header import field_of
from personalize.intake.identity import Identities, check_character
from personalize.intake.names import read_name
from personalize.intake.phones import read_phone
from personalize.intake.title_lines import unit_in
from tests.support import forms
from tests.support.forms import HEADER, TODAY, person

IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

typed = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789xX'+-. \u3000０１２３Ｘ·男女孙王Eе/", max_size=24),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
)


@given(typed)
def test_any_cell_is_read(cell: object) -> None:
    identity = Identities(TODAY).read(cell)  # type: ignore[arg-type]
    name, phone = read_name(cell), read_phone(cell)  # type: ignore[arg-type]
    if not identity.faults and identity.document is Document.RESIDENT_ID:
        assert identity.number[17] == check_character(identity.number[:17])
        assert identity.gender in ("男", "女")
    if not name.fault:
        assert read_name(name.name) == (name.name, None, False)
        assert 0 < len(name.name) <= 20
        assert len(name.name.encode("gb18030")) <= 60
    if not phone.fault:
        assert read_phone(phone.number) == (phone.number, None, False)
    assert read_gender(cell).gender in ("", "男", "女")  # type: ignore[arg-type]
    assert field_of(cell) is None or isinstance(cell, str)  # type: ignore[arg-type]
    assert "\n" not in unit_in([cell])  # type: ignore[list-item]


@given(
    region=st.sampled_from(["110101", "130102", "350502", "650102"]),
    born=st.dates(min_value=TODAY.replace(year=1930), max_value=TODAY.replace(year=2009)),
    serial=st.integers(0, 999),
    noise=st.lists(st.tuples(st.integers(0, 18), st.sampled_from(" '\u3000\u200b\xa0’\t")), max_size=5),
    wide=st.booleans(),
)
def test_any_noise_around_a_sound_number_is_normalized(
    region: str, born: object, serial: int, noise: list[tuple[int, str]], wide: bool
) -> None:
    number = forms.id_number(region, f"{born:%Y%m%d}", serial)
    noisy = number.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789X"}) if wide else number.lower()
    for place, sign in noise:
        noisy = noisy[:place] + sign + noisy[place:]
    identity = Identities(TODAY).read(noisy)
    assert (identity.number, identity.faults) == (number, ())
    assert identity.normalized is (noisy != number)


@given(place=st.integers(0, 16), other=st.integers(1, 9), serial=st.integers(0, 999))
def test_every_single_wrong_digit_is_noticed(place: int, other: int, serial: int) -> None:
    number = forms.id_number(serial=serial)
    wrong = number[:place] + str((int(number[place]) + other) % 10) + number[place + 1 :]
    assert "ID_CHECKSUM" in Identities(TODAY).read(wrong).faults


@example(rows=[[",\n"]], header=0)
@given(rows=st.lists(st.lists(st.text(max_size=12), max_size=8), max_size=12), header=st.integers(0, 12))
@IN_PLACE
def test_any_text_below_and_above_a_header(tmp_path: Path, rows: list[list[str]], header: int) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([*rows[:header], HEADER, *rows[header:], person(1)])
    file = tmp_path / "f.csv"
    file.write_bytes(buffer.getvalue().encode("utf-8", "replace"))
    try:
        report = check(file, today=TODAY)
    except IntakeError:
        return
    for row in report.rows:
        assert isinstance(row, RosterRow) or row.codes
        # A quotation that would swallow fields is none: each of its lines counts.
        assert row.sheet_row <= len(buffer.getvalue().splitlines())
    assert [row.sheet_row for row in report.rows] == sorted({row.sheet_row for row in report.rows})


@given(data=st.binary(max_size=400), suffix=st.sampled_from([".csv", ".xls", ".xlsx", ".txt"]))
@IN_PLACE
def test_any_bytes(tmp_path: Path, data: bytes, suffix: str) -> None:
    file = tmp_path / f"f{suffix}"
    file.write_bytes(data)
    with pytest.raises(IntakeError):
        check(file, today=TODAY)


@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), min_size=1, max_size=6), cut=st.booleans())
@IN_PLACE
@pytest.mark.parametrize("kind", ["xlsx", "xls", "csv"])
def test_any_damage_to_a_sound_form(tmp_path: Path, kind: str, places: list[tuple[float, int]], cut: bool) -> None:
    sound = tmp_path / f"sound.{kind}"
    if not sound.exists():
        {"xlsx": forms.xlsx, "xls": forms.xls, "csv": forms.text}[kind](sound, forms.form(person(1), person(2)))
    data = bytearray(sound.read_bytes())
    for place, change in places:
        data[int(place * len(data))] ^= change
    file = tmp_path / f"f.{kind}"
    file.write_bytes(data[: int(places[0][0] * len(data))] if cut else data)
    try:
        report = check(file, today=TODAY)
    except IntakeError:
        return
    assert all(isinstance(row, RosterRow) or row.codes for row in report.rows)
