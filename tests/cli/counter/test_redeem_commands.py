"""`membercard redeem` and `membercard redemptions`: benefits at a merchant's counter on the command line."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, Done, IssuerDirectory
from tests.support.registry.redeemed import PARK
from tests.support.service.merchant import PROGRAMME
from tests.unit.reader_service.redemptions.test_asking import CONCERT

MERCHANT = {
    "MEMBERCARD_MERCHANT": "PARK-EAST",
    "MEMBERCARD_MERCHANT_TERMINAL": "T0000001",
    "MEMBERCARD_MERCHANT_NAME": "东公园",
    "MEMBERCARD_MERCHANT_KINDS": "park, gym",
    "MEMBERCARD_OPERATOR": "王芳",
}


class Counter:
    """A merchant's counter with the issuer's lists and programme, and a card."""

    def __init__(self, folder: Path, home: IssuerDirectory) -> None:
        self.cli = Cli(folder / "counter", passphrase=None)
        self.cli.data.mkdir()
        (folder / "programme.yaml").write_text(PROGRAMME, encoding="utf-8")
        home.cli.ok("lists", "publish", self.cli.data)
        home.cli.publish_programme(folder / "programme.yaml", self.cli.data)
        card = home.card.removeprefix("sim:")
        self.card = folder / "member.card"
        shutil.copy(card, self.card)

    def run(self, *args: object, lang: str = "en") -> Done:
        return self.cli.run("--lang", lang, *args, env=MERCHANT | {"COLUMNS": "80"})

    def redeem(self, *args: object, lang: str = "en") -> Done:
        return self.run("redeem", *args, "--reader", f"sim:{self.card}", lang=lang)

    def torn(self) -> Done:
        """A redemption whose card leaves after it has counted and before its answer comes: at the last command."""
        verified = self.cli.ok("card", "trace", "--reader", f"sim:{self.card}", "--json").json
        last = len(verified["exchanges"])
        reader = f"sim:{self.card}?fault=tear-apdu:{last}+"
        return self.run("redeem", "park-pass", "--yes", "--json", "--reader", reader)


@pytest.fixture
def counter(tmp_path: Path, home: IssuerDirectory) -> Counter:
    return Counter(tmp_path, home.copy(tmp_path / "home"))


def test_what_a_member_can_have_is_a_table_in_both_languages(counter: Counter) -> None:
    english, chinese = counter.redeem(), counter.redeem(lang="zh")
    assert (english.status, chinese.status) == (0, 0), english.err + chinese.err
    assert "Benefits here and now" in english.out
    assert "park-pass/pass" in english.out
    assert "pays 100.00 yuan" in " ".join(english.out.split())
    assert "此时此地可办理的权益" in chinese.out
    assert max(map(len, english.out.splitlines())) <= 80
    offers = counter.redeem("--json").json["offers"]
    assert sorted((one["benefit"], one["possible"], one["left"]) for one in offers) == [
        ("check-up", True, 4),
        ("park-pass", True, 12),
    ]


def test_a_redemption_prints_its_receipt_and_is_in_the_journal(counter: Counter) -> None:
    done = counter.redeem("park-pass", "--quantity", 2, "--yes")
    assert done.status == 0, done.err
    assert "look at: ID card" in done.err
    receipt = done.out[done.out.index("Receipt of a member benefit") :]
    for text in ("Park pass", "Redeemed", "200.00 yuan", "10 / 12", "王芳", "T0000001-3"):
        assert text in receipt
    rows = counter.run("redemptions", "list", "--json").json["redemptions"]
    assert [(row["outcome"], row["quantity"], row["amount"], row["used"]) for row in rows] == [("DONE", 2, 20_000, 2)]
    again = counter.run("redemptions", "receipt", 3)
    lines = again.out.splitlines(keepends=True)
    assert lines.pop(2).strip() == "REPRINT (COPY)"
    assert "".join(lines) in done.out, "the same but for this"
    assert "重打（副本）" in counter.run("redemptions", "receipt", 3, lang="zh").out
    assert "核销成功" in counter.run("redemptions", "receipt", 3, lang="zh").out
    assert "Park pass" in counter.run("redemptions", "list").out
    assert "every redemption has its result" in counter.run("redemptions", "open").out


def test_the_day_ends_with_sums_differences_and_a_sheet_to_sign(counter: Counter, tmp_path: Path) -> None:
    assert counter.redeem("park-pass", "--quantity", 2, "--yes").status == 0
    pdf = tmp_path / "day.pdf"
    done = counter.run("redemptions", "day", "--counted", "王芳=199.50", "--pdf", pdf)
    assert done.status == 0, done.err
    text = " ".join(done.out.split())
    assert "End-of-day sheet of redemptions" in text
    for label, value in (("Net", "200.00"), ("Counted", "199.50"), ("Difference", "-0.50"), ("Redemptions", "1")):
        assert f"{label} {value}" in text
    assert pdf.read_bytes().startswith(b"%PDF")
    sheet = counter.run("redemptions", "day", "--json").json
    assert (sheet["total"]["units"], sheet["total"]["due"], sheet["total"]["counted"]) == (2, 20_000, None)
    assert "核销日结单" in counter.run("redemptions", "day", lang="zh").out
    assert counter.run("redemptions", "day", "--on", "2020-01-01", "--json").json["total"]["redemptions"] == 0
    assert counter.run("redemptions", "day", "--counted", "李娜=1").status == 2
    assert counter.run("redemptions", "day", "--counted", "199.50").status == 2


def test_a_redemption_is_taken_back_with_its_card_and_once(counter: Counter) -> None:
    assert counter.redeem("park-pass", "--quantity", 2, "--yes").status == 0
    wanted = ("redemptions", "reverse", "T0000001-3", "--reason", "买错", "--reader", f"sim:{counter.card}")
    done = counter.run(*wanted)
    assert done.status == 0, done.err
    text = " ".join(done.out.split())
    assert "TAKEN BACK" in text
    assert "Paid back 200.00 yuan" in text
    assert "gets its uses back at its next insertion" in text, "this counter's office is elsewhere"
    again = counter.run(*wanted, lang="zh")
    assert again.status != 0
    assert "此前已撤销" in again.err
    assert counter.run("redemptions", "list", "--json").json["redemptions"][0]["reversed"]


def test_a_benefit_is_chosen_by_its_class_and_asks_for_its_price(counter: Counter) -> None:
    refused = counter.redeem("0201", "--yes")
    assert refused.status == 1
    done = counter.redeem("0201", "--price", "99.90", "--yes", "--json")
    assert (done.status, done.json["redemption"]["amount"]) == (0, 7_992)
    assert counter.redeem("0201", "--price", "9.999", "--yes").status == 2


def test_what_is_not_possible_has_its_reason_and_its_exit_code(counter: Counter) -> None:
    many = counter.redeem("park-pass", "--quantity", 13, "--yes", "--json")
    assert (many.status, many.json["refused"]["code"]) == (1, "too-many")
    unknown = counter.redeem("theatre", "--yes")
    assert unknown.status == 2
    assert "park-pass/pass" in " ".join(unknown.err.split())
    assert counter.run("redemptions", "list", "--json").json["redemptions"] == []


def test_a_torn_redemption_is_settled_at_the_next_insertion(counter: Counter) -> None:
    torn = counter.torn()
    assert (torn.status, torn.json["redemption"]["outcome"]) == (3, "TORN"), torn.err
    assert len(counter.run("redemptions", "open", "--json").json) == 1
    again = counter.redeem("--json")
    assert again.json["recovered"]["outcome"] == "RECOVERED"
    assert {one["benefit"]: one["left"] for one in again.json["offers"]} == {"park-pass": 11, "check-up": 4}


def test_a_request_whose_card_is_gone_is_given_up(counter: Counter) -> None:
    assert counter.torn().status == 3
    number = counter.run("redemptions", "open", "--json").json[0]["intent"]
    assert counter.run("redemptions", "give-up", number, "--reason", "lost").status == 0
    assert counter.run("redemptions", "open", "--json").json == []


def test_without_a_merchant_or_a_programme_nothing_is_redeemed(counter: Counter) -> None:
    plain = counter.cli.run("redeem", "park-pass", "--reader", f"sim:{counter.card}")
    assert (plain.status, "name no merchant" in plain.complaint) == (1, True)
    (counter.cli.data / "programme.json").unlink()
    missing = counter.redeem("park-pass", "--yes")
    assert missing.status == 1
    assert "nothing is redeemed without a programme edition" in missing.complaint


def test_a_forged_programme_redeems_nothing(counter: Counter) -> None:
    path = counter.cli.data / "programme.json"
    path.write_bytes(path.read_bytes().replace(b'"percent":"50"', b'"percent":"10"'))
    forged = counter.redeem("park-pass", "--yes")
    assert forged.status == 1
    assert "is not signed by the list key" in forged.complaint


def test_the_journal_is_uploaded_to_the_receiver_in_the_same_installation(counter: Counter, tmp_path: Path) -> None:
    assert counter.redeem("park-pass", "--quantity", 2, "--yes").status == 0
    status = counter.run("redemptions", "status", "--json").json
    assert (status["waiting"], status["open"], status["fault"], status["uploaded_at"]) == (3, 0, None, None)
    keyless = counter.run("redemptions", "upload")
    assert keyless.status == 1
    assert counter.run("redemptions", "status", "--json").json["waiting"] == 3
    receiver = Cli(tmp_path / "home" / "data")
    shutil.copytree(counter.cli.data / "redemptions", receiver.data / "redemptions")
    refused = receiver.run("--lang", "en", "redemptions", "upload", env=MERCHANT)
    assert refused.status == 1
    assert "has this counter's terminal on record" in " ".join(refused.err.split())
    assert "没有登记本柜台终端" in receiver.run("--lang", "zh", "redemptions", "status", env=MERCHANT).out
    keystore = SoftwareKeystore.unlock(receiver.data / "keystore", Secret(PASSPHRASE.encode()))
    url, record = f"sqlite:///{receiver.data / 'membercard.db'}", receiver.data / "registry-record.json"
    with Registry.open(url, keystore, record=record) as registry:
        contract = {"contract_from": date(2020, 1, 1), "contract_until": date(2039, 12, 31)}
        registry.merchants.put(replace(PARK, **contract), by="test")  # type: ignore[arg-type]
    done = receiver.ok("redemptions", "upload", "--json", env=MERCHANT).json
    assert (done["rows"], done["booked"], done["findings"]) == (3, 1, {})
    again = receiver.ok("--lang", "zh", "redemptions", "upload", env=MERCHANT)
    assert "没有待上传的内容" in again.out
    status = receiver.ok("redemptions", "status", "--json", env=MERCHANT).json
    assert (status["waiting"], status["fault"], status["uploaded_at"] is not None) == (0, None, True)


def test_an_receiver_that_is_not_there_keeps_the_rows(counter: Counter, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)
    assert counter.redeem("park-pass", "--yes").status == 0
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        receiver = {"MEMBERCARD_UPLOAD_URL": address, "MEMBERCARD_UPLOAD_TOKEN_FILE": str(token)}
        env = MERCHANT | receiver
        away = counter.cli.run("--lang", "en", "redemptions", "upload", "--json", env=env)
        assert (away.status, away.json["fault"], away.json["waiting"]) == (3, "office-away", 3)
        status = counter.cli.run("--lang", "zh", "redemptions", "status", env=env)
        assert "暂时无法连接发卡方" in status.out
    token.write_text("two words")
    refused = counter.cli.run("--lang", "en", "redemptions", "upload", env=env)
    assert refused.status == 1
    assert "upload_token_file" in refused.err


def test_a_benefit_that_the_union_counts_needs_the_line_and_is_counted_once_a_month(
    counter: Counter, tmp_path: Path
) -> None:
    issuer = Cli(tmp_path / "home" / "data")
    programme = tmp_path / "concert.yaml"
    programme.write_text(PROGRAMME + CONCERT.replace("count: 2", "count: 1"), encoding="utf-8")
    issuer.publish_programme(programme, counter.cli.data)
    away = counter.redeem("concert", "--yes", "--json")
    assert (away.status, away.json["refused"]["code"]) == (1, "offline")
    assert "目前无法连接工会；未扣次数" in away.json["refused"]["sentence"]["zh"]
    keystore = SoftwareKeystore.unlock(issuer.data / "keystore", Secret(PASSPHRASE.encode()))
    url, record = f"sqlite:///{issuer.data / 'membercard.db'}", issuer.data / "registry-record.json"
    with Registry.open(url, keystore, record=record) as registry:
        contract = replace(
            PARK, contract_from=date(2020, 1, 1), contract_until=date(2039, 12, 31), benefits=("0101", "concert")
        )
        registry.merchants.put(contract, by="test")
    for file in counter.cli.data.iterdir():
        if file.is_file() and not (issuer.data / file.name).exists():
            shutil.copy(file, issuer.data / file.name)

    def redeem(*args: object) -> Done:
        return issuer.run("--lang", "en", "redeem", *args, "--reader", f"sim:{counter.card}", env=MERCHANT)

    done = redeem("concert", "--yes")
    assert done.status == 0, done.err
    receipt = " ".join(done.out.split())
    assert "Union count no." in receipt
    assert "50.00 yuan" in receipt
    over = redeem("concert", "--yes", "--json")
    assert (over.status, over.json["refused"]["code"]) == (1, "limit-reached")
    assert "possible from" in over.json["refused"]["sentence"]["en"]
    booked = issuer.ok("redemptions", "upload", "--json", env=MERCHANT).json
    assert (booked["booked"], booked["findings"]) == (1, {})
