"""One cell at a time: what clerks type, what it becomes, what is wrong with it."""

import datetime

import pytest
from stdnum import numdb

from personalize.intake.genders import read_gender
from personalize.intake.identity import Identities, region_codes
from personalize.intake.names import read_name
from personalize.intake.phones import read_phone
from personalize.intake.text import Cell, is_ditto, masked_numbers, squeeze
from personalize.intake.units import unit_fault, unit_name
from tests.support.forms import TODAY, id_number
from tests.support.thorough import repeats

GOOD = "130102197605153974"
X = "12010119960809363X"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        (f" {GOOD}", GOOD),
        (f"{GOOD}\xa0", GOOD),
        (f"\ufeff{GOOD}\u200b", GOOD),
        ("130102 19760515 3974", GOOD),
        (f"'{GOOD}", GOOD),
        (f"’{GOOD}", GOOD),
        (f"\t{GOOD}\n", GOOD),
        ("１３０１０２１９７６０５１５３９７４", GOOD),
        (X[:17] + "x", X),
        (X[:17] + "Ｘ", X),
        (X[:17] + "Х", X),  # Cyrillic
        (X[:17] + "×", X),
    ],
)
def test_id_normalized(typed: str, number: str) -> None:
    identity = Identities(TODAY).read(typed)
    assert (identity.number, identity.faults, identity.normalized) == (number, (), True)


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        (GOOD, ""),
        (X, ""),
        ("", "ID_MISSING"),
        (" \u3000", "ID_MISSING"),
        ("'", "ID_MISSING"),
        ("无", "ID_MISSING"),
        (1.30102197605154e17, "ID_PRECISION_LOST"),
        (130102197605153974, "ID_PRECISION_LOST"),
        ("1.3E+17", "ID_PRECISION_LOST"),
        ("1.30102E+17", "ID_PRECISION_LOST"),
        ("1,30102E+17", "ID_PRECISION_LOST"),
        ("130102197605153974.0", "ID_PRECISION_LOST"),
        ("130102197605153974.", "ID_PRECISION_LOST"),
        ("1.30102197605154E+017", "ID_PRECISION_LOST"),
        ("130,102,197,605,154,000", "ID_PRECISION_LOST"),
        ("130,102,197,605,154,000.00", "ID_PRECISION_LOST"),
        ("暂无", "ID_MISSING"),
        ("#N/A", "ID_MISSING"),
        ("130102760515397", "ID_FORMAT"),
        (130102760515397.0, "ID_FORMAT"),
        ("13010219760515397", "ID_FORMAT"),
        (GOOD + "0", "ID_FORMAT"),
        ("X" + GOOD[1:], "ID_FORMAT"),
        (datetime.date(1976, 5, 15), "ID_FORMAT"),
        (True, "ID_FORMAT"),
        (GOOD[:17] + "5", "ID_CHECKSUM"),
        (id_number(region="990101"), "ID_REGION"),
        (id_number(region="000000"), "ID_REGION"),
        (id_number(born="19891332"), "ID_BIRTHDATE"),
        (id_number(born="19000229"), "ID_BIRTHDATE"),
        (id_number(born="20010229"), "ID_BIRTHDATE"),
        (id_number(born="20000229"), ""),
        (id_number(born="20270101"), "ID_BIRTHDATE"),
        (id_number(region="990101", born="19891332"), "ID_REGION+ID_BIRTHDATE"),
        ("990101198913329120", "ID_CHECKSUM+ID_REGION+ID_BIRTHDATE"),
    ],
)
def test_id_faults(typed: Cell, codes: str) -> None:
    assert "+".join(Identities(TODAY).read(typed).faults) == codes


@pytest.mark.parametrize(
    ("born", "sound"),
    [("20101122", True), ("20101123", False), ("19251123", True), ("19251122", False)],
)
def test_ages_from_the_16th_to_the_day_before_the_101st_birthday(born: str, sound: bool) -> None:
    assert (Identities(TODAY).read(id_number(born=born)).faults == ()) is sound


@pytest.mark.parametrize(
    ("region", "unknown"),
    [
        ("130102", False),
        ("130103", False),  # 桥东区 of Shijiazhuang, abolished in 2014
        ("110103", False),  # 崇文区 of Beijing, abolished in 2010
        ("139999", True),
        ("830000", False),  # residents of Taiwan
        ("710000", False),
    ],
)
def test_county_codes_that_ever_existed_are_known(region: str, unknown: bool) -> None:
    identity = Identities(TODAY).read(id_number(region=region))
    assert (identity.faults, identity.region_unknown) == ((), unknown)


def test_the_region_table_is_the_librarys() -> None:
    library = numdb.get("cn/loc")
    codes = region_codes() - {"83", "830000"}
    provinces = {code for code in codes if len(code) == 2}
    assert provinces == {f"{code:02}" for code in range(100) if "province" in library.info(f"{code:02}0000")[0][1]}
    counties = {province + below[1] for _, province, _, _, children in library.prefixes for below in children}
    assert {code for code in codes if len(code) == 6} == counties
    for code in (province + f"{county:04}" for province in provinces for county in range(0, 10_000, repeats(97, 1))):
        assert any("county" in entry for _, entry in library.info(code)) is (code in codes), code
    assert len(codes) > 6000


def test_the_sex_digit_counts_only_with_the_right_check_character() -> None:
    identities = Identities(TODAY)
    assert identities.read(GOOD).gender == "男"
    assert identities.read(id_number(serial=398)).gender == "女"
    assert identities.read(id_number(region="990101")).gender == "男"
    assert identities.read(GOOD[:17] + "5").gender == ""


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" 孙波磊 ", "孙波磊"),
        ("覃\u3000宇", "覃宇"),
        ("孙 波 磊", "孙波磊"),
        ("王\u200b伟", "王伟"),
        ("王\n伟", "王伟"),
        ("阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉‧买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉・买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉.买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉．买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉 · 买买提", "阿卜杜拉·买买提"),
        ("Ｊｏｈｎ  Smith", "John Smith"),
        ("程\ue863", "程䶮"),  # GBK's place for a character that Unicode took in later
        ("葛\U000e0100", "葛"),
    ],
)
def test_name_normalized(typed: str, name: str) -> None:
    assert read_name(typed) == (name, None, True)


@pytest.mark.parametrize(
    "name",
    [
        "孙波磊",
        "王",
        "古丽娜尔·艾合买提",
        "夏辉㛃",
        "郭远𫖯",
        "程䶮",
        "𠮷田",
        "〇〇",
        "John Smith",
        "J. R. Smith",
        "José Müller",
        "Anne-Marie O'Neil",
        "王" * 20,
        "𫖯" * 15,
    ],
)
def test_name_as_it_is(name: str) -> None:
    assert read_name(name) == (name, None, False)


@pytest.mark.parametrize(
    "typed",
    ["雷燕娜#1", "王伟1", "王伟A", "王伟（退休）", "张三、李四", "·买买提", "买买提·", "?", "王\ufffd", "王*伟", "123",
     123.0, "王" * 21, "𫖯" * 16, "A" * 21, "王伟\ue000", "Дмитрий", "\ud800", "#REF!"],
)  # fmt: skip
def test_name_refused(typed: Cell) -> None:
    assert read_name(typed).fault == "NAME_CHARS"


@pytest.mark.parametrize(
    "typed",
    ["", " ", "\u200b", "无", "-", "/", "暂无", "没有", "空", "（无）", "无。", "N/A", "null", "……", "——", "不详",
     "未知", "待定", "待补充", "暂缺",
     "無", "尚无", "未填写", "同上", "无姓名", "nan"],
)  # fmt: skip
def test_name_missing(typed: str) -> None:
    assert read_name(typed) == ("", "NAME_MISSING", False)


def test_a_long_row_of_letters_is_refused_at_once() -> None:
    assert read_name("a" * 50_000 + "!").fault == "NAME_CHARS"


@pytest.mark.parametrize(
    "typed",
    ["+86 180-5824-5173", "+8618058245173", "0086 18058245173", "86-18058245173", "8618058245173", "(+86)18058245173",
     "180 5824 5173", " 18058245173", "180.5824.5173", "180—5824—5173", "１８０５８２４５１７３", "'18058245173",
     "018058245173", "+86 (0)180 5824 5173", "17951 18058245173", "18058245173.0", "1.8058245173E10"],
)  # fmt: skip
def test_phone_normalized(typed: str) -> None:
    assert read_phone(typed) == ("18058245173", None, True)


@pytest.mark.parametrize("typed", ["18058245173", 18058245173, 18058245173.0])
def test_phone_as_it_is(typed: Cell) -> None:
    assert read_phone(typed) == ("18058245173", None, False)


@pytest.mark.parametrize(
    "typed",
    ["12345", "1805824517", "180582451733", "12805824517", "28058245173", "0311-87654321", "87654321",
     "18058245173/13900139000", "18058245173、13900139000", "18058245173 13900139000", "18058245173\n13900139000",
     "+852 9123 4567", "+1 626 123 4567", "+16261234567", "001 626 123 4567", "1 (626) 223-4567", "+44 7911 123456",
     "18058245173（本人）", "1.8058E+10", 1.5, datetime.date(2020, 1, 1), "1805824517X"],
)  # fmt: skip
def test_phone_refused(typed: Cell) -> None:
    assert read_phone(typed) == ("", "PHONE_FORMAT", False)


@pytest.mark.parametrize("typed", ["", "  ", "无", "—"])
def test_phone_missing(typed: str) -> None:
    assert read_phone(typed).fault == "PHONE_MISSING"


@pytest.mark.parametrize(
    ("typed", "gender"),
    [("男性", "男"), ("M", "男"), ("Male", "男"), ("先生", "男"), ("1", "男"), (1.0, "男"), (1, "男"), (" 男", "男"),
     ("女性", "女"), ("f", "女"), ("女士", "女"), ("２", "女"), (2.0, "女"), ("女\u3000", "女"),
     ("☑男 □女", "男"), ("□男☑女", "女"), ("男√ 女□", "男"), ("男□ / 女■", "女"), ("√男 女", "男"), ("□女 ☑男", "男")],
)  # fmt: skip
def test_gender_normalized(typed: Cell, gender: str) -> None:
    assert read_gender(typed) == (gender, None, True)


def test_gender_as_it_is() -> None:
    assert [read_gender(gender) for gender in "男女"] == [("男", None, False), ("女", None, False)]


@pytest.mark.parametrize("typed", ["", "未知", "0", 3.0, True, "男女", "男√女", "☑男☑女", "□男□女", "√"])
def test_gender_untold(typed: Cell) -> None:
    assert read_gender(typed) == ("", "GENDER_MISSING", False)


def test_readings_do_not_print_people() -> None:
    readings = [Identities(TODAY).read(GOOD), read_name("孙波磊"), read_phone("18058245173")]
    assert not any(secret in f"{readings!r}" for secret in (GOOD, "孙", "18058245173"))


@pytest.mark.parametrize(
    "typed",
    ["", "无", "暂无", "0", 0, 0.0, "0.00", "#N/A", "#REF!", "#VALUE!", "#NAME?", False, datetime.date(2026, 1, 1),
     "—", "没有单位"],
)  # fmt: skip
def test_unit_missing(typed: Cell) -> None:
    assert unit_fault(unit_name(typed)) == "UNIT_MISSING"


@pytest.mark.parametrize(
    ("name", "fault"),
    [("工" * 30, None), ("工" * 31, "UNIT_TOO_LONG"), ("A" * 60, None), ("A" * 61, "UNIT_TOO_LONG"),
     ("𠮷" * 16, "UNIT_TOO_LONG"),
     ("甲\ud800", "UNIT_CHARS"), (GOOD, "UNIT_CHARS"), (f"甲工会{GOOD}", "UNIT_CHARS"), ("第0311号工会", None), ("3",
     None), ("甲工会13800138000", "UNIT_CHARS"), ("=", "UNIT_CHARS"), ("|", "UNIT_CHARS"), ("××学院", "UNIT_CHARS"),
     ("XX大学工会", "UNIT_CHARS")],
)  # fmt: skip
def test_a_unit_that_no_card_can_carry(name: str, fault: str | None) -> None:
    assert unit_fault(unit_name(name)) == fault


@pytest.mark.parametrize("typed", ['铁道大学工会"', '"铁道大学工会', "'铁道大学工会"])
def test_a_stray_quotation_mark_makes_no_other_unit(typed: str) -> None:
    assert unit_name(typed) == "铁道大学工会"
    assert unit_name('"铁道"大学工会') == '"铁道"大学工会'


@pytest.mark.parametrize(
    "typed",
    ["同上", "同 上", "同上。", "同上，", "（同上）", "〃", "“", "”", '"', "''", "″", "—〃—", "同前", "同上行",
     "同上单位", "々", "ditto", "〝〞", "同", "↑", "ibid."],
)  # fmt: skip
def test_ditto(typed: str) -> None:
    assert is_ditto(squeeze(typed))


@pytest.mark.parametrize("typed", ["", "-", "上海同上科技", "同上海分会", "同心工会"])
def test_no_ditto(typed: str) -> None:
    assert not is_ditto(squeeze(typed))


def test_numbers_of_persons_are_masked_in_any_text() -> None:
    assert masked_numbers(f"甲{GOOD}乙{X}丙18801434135，0311") == "甲***乙***丙***，0311"
