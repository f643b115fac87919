"""docs/tour.md with the `membercard demo` at its end, as a newcomer runs them: what they show, what they leave, and
that what the demo tells to try next works."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from base64 import b64decode
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook
from PIL import Image

from membercard.demo.programmes.scripts import SCRIPTS
from tests.support.cli import Cli
from tests.support.guides import Ran, paste
from tests.support.paths import ROOT
from tests.support.thorough import repeats
from tests.support.waiting import PATIENCE

CHAPTERS = (
    "5 Hand-over",
    "6 Activation",
    "7 At the counter",
    "8 At the",
    "9 Members",
    "10 Upload",
    "11 Reconciliation",
)
NEEDS_PCSC = "sim attach"
"""The block with a real PC/SC slot, whose commands tests/pcsc has."""
DEMO = "membercard demo "
"""The command of the demo, which is in the last block but one."""


def blocks() -> list[str]:
    """The commands of each block: what follows a prompt, or all of a block without output."""
    texts = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "tour.md").read_text("utf-8"), re.DOTALL)
    typed = [re.findall(r"^\$ (.*)$", text, re.MULTILINE) for text in texts]
    return ["\n".join(lines) or text for lines, text in zip(typed, texts, strict=True) if NEEDS_PCSC not in text]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ran]]:
    """The directory and the blocks of one run, on a terminal's 80 columns; nothing else is set in the environment."""
    folder: Path = tmp_path_factory.mktemp("tour")
    (folder / "membercard").symlink_to(ROOT / "membercard")
    *typed, last, using = blocks()
    before, demo, after = last.partition(DEMO)
    rest, _, paying = after.partition("\n")
    typed += [f"{before}{demo}{rest}", paying, using]
    settings = "export PYTHONWARNINGS=error COLUMNS=80"
    return folder, paste(typed, folder, seconds=3 * PATIENCE, before=settings)


def test_the_tour_prints_what_it_shows(tour: tuple[Path, list[Ran]]) -> None:
    expected = (
        "Keystore ",
        "roster-messy.xlsx · 河北师范大学工会 · accepted 63 · rejected 21\nannotated copy: checked.xlsx",
        "63 members approved by Wang Fang (unproven)",
        "blank chips received 70 = verified 63 + rejected 0 + in reader 0 + left 7   ✓ balanced",
        "receipt: 63 cards",
        "changed on the card: activation",
        "✓ Valid  ACTIVE",
        "1  Intake",
        "APPROVED: approved offline",
        "1 redemptions booked, 0 known before",
    )
    assert len(tour[1]) == len(expected)
    for ran, text in zip(tour[1], expected, strict=True):
        assert text in ran.out, f"{ran.block}\n{ran.out}\n{ran.err}"
        assert "membercard: " not in ran.err, ran.err
        assert ran.failed == [] or ran.block.startswith("membercard roster check"), ran.err


@pytest.fixture(scope="module")
def shown(tour: tuple[Path, list[Ran]]) -> tuple[Cli, Ran]:
    """The demo of the tour, and commands where it ran."""
    folder, ran = tour
    return Cli(folder / "unused", passphrase=None, bare=True), ran[-3]


def test_every_accepted_person_has_a_card_that_a_counter_takes_once_it_is_handed_over(shown: tuple[Cli, Ran]) -> None:
    lines = shown[1].out.splitlines()
    accepted = sum(int(line.split(" accepted")[0].split()[-1]) for line in lines if " accepted, " in line)
    assert accepted > 100
    assert f"   {accepted - 1} ACTIVE, 1 NOT_ACTIVATED;" in shown[1].out
    assert sum(line.startswith("card printer: verified 9") for line in lines) == 10
    assert sum(line.startswith("lane ") and " verified 9" in line for line in lines) == accepted - 10
    (refused,) = [line for line in lines if "REJECT" in line]
    assert "bin 2 keys" in refused


def test_the_accounts_balance_down_to_the_last_blank_and_fit_80_columns(shown: tuple[Cli, Ran]) -> None:
    lines = shown[1].out.splitlines()
    balanced = [line for line in lines if "✓ balanced" in line]
    assert len(balanced) == 3
    (stock,) = [line for line in balanced if "blank chips received" in line]
    numbers = [int(word) for word in stock.split() if word.isdigit()]
    assert numbers[0] == sum(numbers[1:])
    left = len(list((shown[0].data.parent / "demo-out" / "stock").glob("*.card")))
    assert numbers[-1] == left


def test_three_cards_pay_offline_online_with_a_script_and_not_at_all(shown: tuple[Cli, Ran]) -> None:
    lines = [" ".join(line.split()) for line in shown[1].out.splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith("8 At the merchant"))
    heads = [line for line in lines[start:] if " CNY " in line and line[:2] in ("1.", "2.", "3.")]
    assert [" ".join(head.split()[-2:]) for head in heads] == ["APPROVED OFFLINE", "APPROVED ONLINE", "DECLINED ONLINE"]
    offline, online, declined = (
        " ".join(lines[lines.index(a) : end]) for a, end in zip(heads, _ends(lines, heads), strict=True)
    )
    assert "online processing" not in offline
    assert "▲" not in offline
    for part in ("no try is left", "▲ PIN Try Limit exceeded", "sends 1 script", "the card now 3 PIN tries left"):
        assert part in online
    for part in ("▲ Transaction exceeds floor limit", "the issuer declines (response code 43)"):
        assert part in declined
    for payment, cryptograms in ((offline, "TC is"), (online, "ARQC and TC are"), (declined, "ARQC and AAC are")):
        assert f"the bank afterwards ✓ {cryptograms} of this card's key" in payment


def test_the_bank_knows_each_card_by_the_sequence_that_its_chip_has(shown: tuple[Cli, Ran]) -> None:
    out = shown[0].data.parent / "demo-out"
    with closing(sqlite3.connect(out / "membercard.db")) as db:
        sequences = db.execute(
            "SELECT max(sequence) FROM dossiers GROUP BY card_number ORDER BY card_number"
        ).fetchall()
    accounts = json.loads((out / "bank.json").read_bytes())["accounts"]
    assert [account["sequence"] for account in accounts] == [sequence for (sequence,) in sequences[:3]]
    assert (2,) in sequences  # the one that the stranger's chip was meant for
    assert (out / "bank.json").stat().st_mode & 0o077 == 0


def _ends(lines: list[str], heads: list[str]) -> list[int]:
    """Where each payment's lines end: at the next head, and at the next chapter."""
    following = next(at for at, line in enumerate(lines) if line.startswith("9 Members"))
    return [*(lines.index(head) for head in heads[1:]), following]


def chapter(out: str, title: str) -> list[str]:
    """The lines of a chapter of the demo, each with single blanks."""
    lines = [" ".join(line.split()) for line in out.splitlines()]
    heads = [at for at, line in enumerate(lines) if any(line.startswith(head) for head in CHAPTERS)]
    first = next(at for at in heads if lines[at].startswith(title))
    return lines[first + 1 : min(at for at in heads if at > first)]


def test_the_cards_are_handed_over_with_a_signed_list(shown: tuple[Cli, Ran]) -> None:
    out = shown[0].data.parent / "demo-out"
    shown_lines = "\n".join(chapter(shown[1].out, "5 Hand-over"))
    boxes = re.findall(r"(X\d{8}-\d{3}): (\d+) cards for (\S+)", shown_lines)
    assert [(cards, unit) for _, cards, unit in boxes] == [("50", "石家庄铁道大学工会"), ("63", "河北师范大学工会")]
    assert shown_lines.count("signed for by 刘洋 (city), 韩梅 (district), 周敏 (unit)") == 2
    assert re.findall(r"receipt: (\d+) cards, (\d+) sent back", shown_lines) == [("50", "0"), ("62", "1")]
    for box, cards, _ in boxes:
        assert (out / f"list-{box}.pdf").read_bytes().startswith(b"%PDF")
        listed = load_workbook(out / f"list-{box}.xlsx")
        written = "\n".join(str(cell) for sheet in listed for row in sheet.iter_rows(values_only=True) for cell in row)
        assert written.count("****") >= int(cards)


def test_members_redeem_a_pass_tickets_and_phases_of_a_gym_and_a_torn_one_is_recovered(
    shown: tuple[Cli, Ran],
) -> None:
    out = shown[0].data.parent / "demo-out"
    (statement,) = out.glob("statement-*.pdf")
    year, month = map(int, statement.stem.removeprefix("statement-").split("-"))
    shown_lines = chapter(shown[1].out, "9 Members")
    assert shown_lines[1] == "visits to the gym are counted by the union, so this counter asks online"
    scenes = " ".join(shown_lines[: shown_lines.index("市工人文化宫")])
    ends = [end.strip() for end in re.split(rf"{month:02}-2\d \d\d:12 \S+ ", scenes)[1:]]
    assert ends[0] == "Annual park pass × 1 100.00 ✓ Redeemed, 0 of 1 left"
    assert ends[1] == "Gym (first visit) × 1 0.00 ✓ Redeemed, 0 left"
    assert ends[2] == "Film tickets × 2 90.00 ✓ Redeemed, 10 of 12 left"
    assert ends[3] == "✗ Film tickets: at most 2 at one event a person, all used; never possible again"
    assert ends[4:7] == [f"Gym (single visit) × 1 60.00 ✓ Redeemed, {left} left" for left in (2, 1, 0)]
    down = "from here on the counter has no line to the office"
    assert ends[7] == f"Gym (pass of the chain) × 1 750.00 ✓ Redeemed {down}"
    again = f"possible from {year + 1}-{month:02}-15"
    assert ends[8] == f"✗ Annual park pass: at most 1 a season a person, all used; {again}"
    refused = "counted online by the union, which cannot be reached; nothing was counted"
    assert ends[9].startswith(f"✗ Gym (first visit): {refused}. ")
    assert ends[10] == "Film tickets × 1 45.00 ? Not certain: insert the card again"
    assert ends[11] == "Film tickets × 1 45.00 ✓ Redeemed (found again), 9 of 12 left"
    assert "To pay 100.00 yuan" in shown_lines
    assert (out / f"day-{year}-{month:02}-20.pdf").read_bytes().startswith(b"%PDF")


def test_the_merchant_has_a_statement_that_two_people_signed(shown: tuple[Cli, Ran]) -> None:
    out = shown[0].data.parent / "demo-out"
    shown_lines = chapter(shown[1].out, "10 Upload")
    assert shown_lines[0] == "23 rows of the journal uploaded: 8 redemptions booked, 0 findings; left to upload: 0"
    for line in (
        "0101 Film tickets 2 3 135.00 15.00",
        "0102 Annual park pass 1 1 100.00 50.00",
        "gym Gym 5 5 930.00 93.00",
    ):
        assert line in shown_lines
    assert "total 8 9 1,165.00 158.00" in shown_lines
    assert any("signed by accountant (unproven) and treasurer (unproven), closed" in line for line in shown_lines)
    (statement,) = out.glob("statement-*.pdf")
    assert statement.read_bytes().startswith(b"%PDF")
    sheets = load_workbook(statement.with_suffix(".xlsx"))
    values = [cell for row in sheets.worksheets[0].iter_rows(values_only=True) for cell in row]
    assert 1165 in values
    assert 158 in values


def test_the_report_has_rejects_reconciliation_and_plot(shown: tuple[Cli, Ran]) -> None:
    page = (shown[0].data.parent / "demo-out" / "report.html").read_text(encoding="utf-8")
    for part in ("ID_PRECISION_LOST", "all blank chips received", "库存相符", "账目相符", "<svg"):
        assert part in page


def test_the_report_shows_ten_cards_that_the_machine_printed(shown: tuple[Cli, Ran]) -> None:
    out = shown[0].data.parent / "demo-out"
    page = (out / "report.html").read_text(encoding="utf-8")
    pictures = [b64decode(one) for one in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)]
    assert len(pictures) == len(set(pictures)) == 10
    for picture in pictures:
        with Image.open(BytesIO(picture)) as card:
            colours = card.resize((32, 42)).getcolors(32 * 42)
            assert card.width == 506
            assert len(colours or ()) > 100
    cells = re.search(r"<td>demo</td><td>[^<]*</td>(.*)</tr>", page)
    assert cells is not None
    assert re.findall(r'<td class="n">(\d+)</td>', cells[1])[:2] == ["10", "0"], "finished and rejected cards"
    assert len(list((out / "stock" / "issued").glob("*.front.png"))) == 10


def test_what_it_tells_to_try_next_works(shown: tuple[Cli, Ran]) -> None:
    cli, done = shown
    commands = [shlex.split(line) for line in done.out.splitlines() if line.startswith("   .venv/bin/membercard ")]
    years = [words for words in commands if "programme" in words]
    assert [words[-1] for words in years] == list(SCRIPTS)
    played = years[: repeats(0, len(years))]  # each is played small by the tests of the years
    ran = [cli.ok(*words[1:]) for words in commands if "attach" not in words and words not in years]
    assert len(ran) == len(commands) - len(years) - 1 >= 5
    assert all("year" in cli.ok(*words[1:]).out for words in played)
    assert any("approved offline" in one.out for one in ran if "emv" in one.args)


def test_a_directory_that_is_no_demo_stays_unchanged(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "unused", passphrase=None, bare=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    done = cli.run("demo", "--out", "mine")
    assert (done.status, done.complaint) == (1, "mine exists and no demo made it; name another place with --out")
    assert (tmp_path / "mine" / "file").read_text() == "kept"
