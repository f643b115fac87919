"""The whole command line in Chinese, and its tables on 80 columns."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from membercard.language import Language, choose, refusal
from tests.support.cli import Cli, IssuerDirectory, csv_form
from tests.support.paths import ROOT

CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"\b[a-z]+(?:,? [a-z]+){2,}\b")
"""Three English words in a row: no name, code, path or command of the program has them."""
COMMAND = re.compile(r"membercard [a-z -]+|apt-get install pcscd|systemctl [a-z.]+|[`'][^`']*[`']")
LONG_UNIT = "石家庄铁道大学工会后勤服务集团饮食服务中心第一分会"


def reads(home: IssuerDirectory) -> list[tuple[str, ...]]:
    """Commands that print and change nothing."""
    return [
        ("batch", "list"),
        ("batch", "show", home.done),
        ("batch", "show", home.draft),
        ("batch", "report", home.done),
        ("roster", "check", str(home.form)),
        ("roster", "form", "check", "hebei"),
        ("stock", "show"),
        ("keys", "list"),
        ("keys", "audit"),
        ("user", "list"),
        ("audit", "list"),
        ("audit", "verify"),
        ("card", "verify", "--reader", home.card),
        ("card", "info", "--reader", home.card),
        ("gp", "info", "--reader", home.card),
        ("gp", "list", "--reader", home.card),
        ("sim", "show", home.card.removeprefix("sim:")),
        ("profile", "check", str(ROOT / "personalize/profiles/union-member-bank.yaml")),
        ("dossier", "show", home.draft),
        ("doctor",),
    ]


def test_read_commands_print_no_english_sentence_in_chinese(home: IssuerDirectory) -> None:
    for words in reads(home):
        done = home.cli.run("--lang", "zh", *words, env={"COLUMNS": "80"})
        text = COMMAND.sub("", done.out + done.err)
        assert SENTENCE.findall(text) == [], (words, text)
        assert CHINESE.search(text), (words, text)


def test_tables_of_cards_and_profiles_fit_80_columns_in_both_languages(home: IssuerDirectory) -> None:
    profile = str(ROOT / "personalize/profiles/union-member-bank.yaml")
    wanted = {
        ("gp", "info", "--reader", home.card): "SCP03",
        ("gp", "list", "--reader", home.card): "F04D454D4245520101",
        ("card", "info", "--reader", home.card): "SCP03",
        ("profile", "check", profile): "F04D454D4245520101",
    }
    for words, part in wanted.items():
        for lang in ("zh", "en"):
            out = home.cli.ok("--lang", lang, *words, env={"COLUMNS": "80"}).out
            table = [line for line in out.splitlines() if profile not in line and home.card not in line]
            assert max(map(cell_len, table)) <= 80, (words, out)
            assert part in out, (words, out)


def test_the_audit_names_actions_in_words_beside_their_codes(home: IssuerDirectory) -> None:
    text = home.cli.ok("--lang", "zh", "audit", "list", "--action", "batch.approve", env={"COLUMNS": "160"}).out
    assert "审核通过 batch.approve" in text
    assert "（未经验证）" in text
    english = home.cli.ok("--lang", "en", "audit", "list", "--action", "batch.approve", env={"COLUMNS": "160"}).out
    assert "审核" not in english
    assert "没有符合条件的记录" in home.cli.ok("--lang", "zh", "audit", "list", "--action", "nothing").out


def test_people_lanes_and_data_elements_are_named_in_words(home: IssuerDirectory) -> None:
    elements = home.cli.ok("card", "read", "--reader", home.card, "--json").json["elements"]
    member = {row["tag"]: str(row["value"]) for row in elements}  # which of them it is depends on the lanes
    identity = member["DF2B"].replace("ID", "证件").replace(", phone", "，手机")
    wanted = {
        ("batch", "show", home.done): ["clerk（未经验证）", "reviewer（未经验证）"],
        ("batch", "report", home.done): ["通道 1", "clerk（未经验证）"],
        ("waiting",): ["clerk（未经验证）"],
        ("keys", "audit"): ["生成", "（未经验证）"],
        ("card", "read", "--reader", home.card): [
            "会员姓名",
            "会籍有效期至",
            member["DF24"],
            {"male": "男", "female": "女"}[member["DF25"]],
            "在职",
            identity,
        ],
        ("card", "verify", "--reader", home.card): ["有效期至", "0101：本年剩 12/12、0201：本年剩 4/4"],
    }
    for words, parts in wanted.items():
        shown = home.cli.ok("--lang", "zh", *words, env={"COLUMNS": "80"}).out
        for part in parts:
            assert part in shown, (words, part, shown)
        assert "unproven" not in shown, words
        assert "lane " not in shown, words


def test_tables_of_units_lists_and_a_restore_fit_80_columns(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "home")
    issuer.cli.ok("lists", "publish", issuer.cli.data)
    unit = issuer.cli.ok("unit", "list", "--json").json[0]["unit"]
    placed = ("--above", "河北省教育工会石家庄市直属机关委员会", "--new", "--reason", "r", "--by", "王芳")
    issuer.cli.ok("unit", "place", unit, *placed)
    for lang in ("zh", "en"):
        for words in (("unit", "list"), ("lists", "show"), ("waiting",), ("card", "read", "--reader", issuer.card)):
            shown = issuer.cli.ok("--lang", lang, *words, env={"COLUMNS": "80"}).out
            assert max(map(cell_len, shown.splitlines())) <= 80, (words, shown)
        restored = ("restore", "check", "--restored", "--by", "王芳", "--reader", issuer.card)
        shown = issuer.cli.ok("--lang", lang, *restored, env={"COLUMNS": "80"}).out
        assert "Counters moved" not in shown, "no counter was moved"
        assert "计数器调整" not in shown


def test_errors_of_all_packages_are_chinese(home: IssuerDirectory, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "no.yaml").write_text("profile: &a 1\n")
    for words in (
        ("roster", "check", "none.xlsx"),
        ("roster", "check", str(tmp_path)),
        ("roster", "check", str(tmp_path / "empty.csv")),
        ("profile", "check", str(tmp_path / "no.yaml")),
        ("gp", "delete", "--reader", home.card, "01"),
        ("gp", "load", "--reader", home.card, str(tmp_path / "empty.csv")),
        ("gp", "apdu", "--reader", home.card, "00"),
        ("card", "verify", "--reader", "sim:nowhere.card"),
        ("sim", "show", "nowhere.card"),
        ("sim", "stock", str(tmp_path / "s"), "--count", "1", "--key", "11"),
        ("stock", "receive", "0", "--supplier-batch", "x"),
        ("stock", "receive", "many", "--supplier-batch", "x"),
        ("--config", "none.toml", "batch", "list"),
        ("--profile", "none.yaml", "batch", "prepare", home.done),
        ("unit", "place", "甲", "--above", "乙", "--reason", "r", "--by", "x"),
        ("batch", "approve", "B20000101-001", "--by", "x"),
    ):
        done = home.cli.run("--lang", "zh", *words, env={"COLUMNS": "300"})
        assert done.status != 0, words
        text = COMMAND.sub("", done.out + done.err)
        assert CHINESE.search(text), (words, text)
        assert SENTENCE.findall(text) == [], (words, text)


def test_json_and_exit_codes_are_the_same_in_both_languages(home: IssuerDirectory) -> None:
    for words in (
        ("batch", "list"),
        ("batch", "show", home.done),
        ("stock", "show"),
        ("keys", "list"),
        ("user", "list"),
    ):
        chinese, english = (home.cli.run("--lang", lang, *words, "--json") for lang in ("zh", "en"))
        assert (chinese.status, chinese.out) == (english.status, english.out), words
    for words in (("batch", "show", "B20000101-001"), ("batch", "approve"), ("card", "verify", "--reader", "sim:none")):
        chinese, english = (home.cli.run("--lang", lang, *words) for lang in ("zh", "en"))
        assert chinese.status == english.status != 0, words
        assert CHINESE.search(chinese.err), words
        assert not CHINESE.search(english.err), words


@pytest.mark.parametrize(
    "environment", [{"MEMBERCARD_LANG": "zh"}, {"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "zh_CN.UTF-8", "LANG": "C.UTF-8"}]
)
def test_the_environment_chooses_the_language_too(home: IssuerDirectory, environment: dict[str, str]) -> None:
    script = replace(home.cli, fresh=True)  # an interpreter looks at some of these when it starts
    assert script.ok("stock", "show", env=environment).out.startswith("空白卡")
    assert script.ok("--lang", "en", "stock", "show", env=environment).out.startswith("Blank chips")


def test_an_unknown_language_is_a_usage_error(home: IssuerDirectory) -> None:
    done = home.cli.run("--lang", "de", "stock", "show")
    assert done.status == 2
    assert "'zh', 'en'" in done.err


def test_help_is_chinese_with_its_panels(home: IssuerDirectory) -> None:
    page = home.cli.ok("--lang", "zh", "batch", "approve", "--help", env={"COLUMNS": "80"}).out
    for part in (
        "用法：membercard batch approve",
        "审核草稿批次。",
        "示例：membercard batch approve",
        "选项",
        "[必填]",
    ):
        assert part in page
    assert max(map(cell_len, page.splitlines())) <= 80
    assert "退出码：0 成功" in home.cli.ok("--lang", "zh", "--help").out


@pytest.mark.parametrize(
    ("typed", "chinese", "english"),
    [
        ("membercard ", "检查和录入登记表", "Check and import"),
        ("membercard --data", "数据库、密钥库和报告所在的目录", "Where database, keystore"),
        ("membercard batch ", "审核草稿批次", "Approve a draft"),
        ("membercard batch approve --", "操作人；", "Who does this"),
        ("membercard sim ", "创建空白卡", "Create blank cards"),
    ],
)
def test_completion_is_in_the_language_of_the_command_at_every_level(
    home: IssuerDirectory, typed: str, chinese: str, english: str
) -> None:
    for lang, wanted, other in (("zh_CN.UTF-8", chinese, english), ("C.UTF-8", english, chinese)):
        environment = {"_MEMBERCARD_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": typed, "LANG": lang}
        shown = home.cli.run(env=environment).out
        assert wanted in shown
        assert other not in shown


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A registry whose units, users and people have long names."""
    root = tmp_path_factory.mktemp("long")
    cli = Cli(root / "data")
    cli.ok("keys", "init")
    form = csv_form(root / "a-form-with-a-rather-long-name-of-its-own.csv", 3, unit=LONG_UNIT, bad=2)
    cli.ok("roster", "import", form, "--by", "Wang Xiaoming of the second department")
    cli.ok(
        "user",
        "add",
        "wang.xiaoming.second.department",
        "--role",
        "counter",
        "--role",
        "registrar",
        "--display",
        "王小明",
    )
    return cli


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_table_fits_80_columns_with_whole_words(long_names: Cli, lang: str) -> None:
    batch = long_names.ok("batch", "list", "--json").json[0]["id"]
    form = long_names.data.parent / "a-form-with-a-rather-long-name-of-its-own.csv"
    whole = {
        ("batch", "list"): [batch, "Xiaoming", *(["(unproven),"] if lang == "en" else [])],
        ("batch", "show", batch): [batch],
        ("keys", "list"): ["imk-card-aes", "hmac-sha256", "sign-issuer"],
        ("keys", "audit"): ["pay-issuer-sm2/1"],
        ("user", "list"): ["wang.xiaoming.second.department"],
        ("audit", "list"): ["user.add", "user:wang.xiaoming.second.department"],
        ("roster", "check", str(form), "--lang", lang): ["ID_CHECKSUM"],
        ("stock", "show"): ["0"],
        ("roster", "form", "check", "hebei"): ["gender"],
    }
    for words, wanted in whole.items():
        out = long_names.run("--lang", lang, *words, env={"COLUMNS": "80"}).out
        table = [
            line for line in out.splitlines() if not line.startswith(form.name) and str(long_names.data) not in line
        ]
        assert max(map(cell_len, table)) <= 80, (words, out)
        assert set(wanted) <= set(out.split()), (words, out)


def test_a_pipe_has_each_row_on_one_line(long_names: Cli) -> None:
    rows = long_names.ok("batch", "list").out.splitlines()
    assert sum(LONG_UNIT in row and "unproven" in row for row in rows) == 1
    assert json.loads(long_names.ok("batch", "list", "--json").out)


def test_mistakes_of_a_first_day_get_a_sentence_with_the_next_step(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli.ok("keys", "init")
    form = csv_form(tmp_path / "form.csv", 1)
    for words, part in (
        (("user", "list"), "membercard user add"),
        (("unit", "list"), "membercard roster import"),
        (("batch", "list"), "membercard roster import"),
        (("audit", "list", "--action", "nothing"), "batch.approve"),
    ):
        for lang in ("zh", "en"):
            assert part in cli.ok("--lang", lang, *words).out, (words, lang)
    for blank in ("", " ", "\u3164"):
        refused = cli.run("--lang", "en", "roster", "import", form, "--by", blank)
        assert (refused.status, "the name is empty" in refused.err) == (2, True)
    assert cli.ok("batch", "list", "--json").json == []
    cli.ok("roster", "import", form, "--by", "李娜")
    batch = cli.ok("batch", "list", "--json").json[0]["id"]
    assert f"批次 {batch} 由 李娜" in cli.run("--lang", "zh", "batch", "approve", batch, "--by", "李娜").err
    cli.ok("batch", "approve", batch, "--by", "王芳")
    again = cli.run("--lang", "zh", "batch", "approve", batch, "--by", "王芳").err
    assert "只有草稿可以审核" in again
    assert "刷新" not in again
    lists = cli.run("--lang", "zh", "lists", "show")
    assert (lists.status, "membercard lists publish" in lists.err) == (1, True)


def test_a_refusal_that_the_pages_have_no_words_for_keeps_its_sentence() -> None:
    choose(Language.CHINESE)
    try:
        assert refusal("a-new-rule", {}, "nobody wrote this sentence") == "nobody wrote this sentence"
    finally:
        choose(None)
