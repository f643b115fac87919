"""Every command with its output for people, in one language: an issuer's work from keys to a payment, and its refusals.

What is typed is Chinese where it is words, so that Latin words of an output are the program's or are named in ``DATA``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.bank_issuer import BankIssuer
from tests.support.cards.cap_builder import cap_file
from tests.support.cli import PASSPHRASE, Cli, Done, IssuerDirectory, csv_form
from tests.support.paths import ROOT
from tests.support.registry.redeemed import upload_with_findings
from tests.support.service.merchant import PROGRAMME

DATA = frozenset(
    """clerk reviewer root test theatre union kmc imk pek cvk zmk seal index issuer list pay scheme cplc
    merchant UNION UNIONPAY DEBIT Debit MERCHANT com example club optician car cinema wine books film gym
    NAME DIRECTORY losses hebei beijing black ymcko""".split()
)
"""What this issuer's people typed, and what its keys, profile, programmes and files are called."""
MEMBER_PROFILE = ROOT / "personalize" / "profiles" / "union-member.yaml"
BANK_PROFILE = ROOT / "personalize" / "profiles" / "union-member-bank.yaml"
KEY = "404142434445464748494A4B4C4D4E4F"
PACKAGE, MEMBER, CLUB = "F04D454D424552", "F04D454D4245520101", "F0434C5542"
MERCHANT = {
    "MEMBERCARD_MERCHANT": "PARK-EAST",
    "MEMBERCARD_MERCHANT_TERMINAL": "T0000001",
    "MEMBERCARD_MERCHANT_NAME": "东公园",
    "MEMBERCARD_MERCHANT_KINDS": "park, gym",
    "MEMBERCARD_OPERATOR": "王芳",
}
ELEMENTS = (
    "9F1A020156", "5F2A020840", "5F28020250", "5F28020999", "9F51020978", "9F1A020643", "9F420203929F1A020070",
    "9F2701C9", "9F270180", "9505FFFFFFFFFF", "9B02FFFF", "8202FFFF", "9F0702FFFF", "9F3303FFFFFF", "9F4005FFFFFFFFFF",
    "9C0100", "9C0163", "9F350122", "9F390107", "5F30020220", "8E0A00000000000000001F03", "9F3403410302",
    "860A84240000051122334455", "860584E2880500", "9F620100", "8A023531", "9F7906000000001234", "DF4D020C0A",
    "9F4D020B0A", "9F100807010103A0A00001", "94080801010110010300", "8C069F02069F3704", "DF690101",
    "500A50424F43204465626974", "9A03261322", "7081049F3602000A", "9F02060000000012340000", "5A0A6210971300000000016F",
)  # fmt: skip


@dataclass
class Story:
    """Commands run so far, and what they printed."""

    cli: Cli
    lang: str
    done: list[Done] = field(default_factory=list)

    def run(self, *words: object, cli: Cli | None = None, env: Mapping[str, str] | None = None, **options: Any) -> Done:
        fixed = {"COLUMNS": "500", "PCSCLITE_CSOCK_NAME": str(self.cli.data / "no-service")}
        shown = (cli or self.cli).run("--lang", self.lang, *words, env={**fixed, **(env or {})}, **options)
        self.done.append(shown)
        return shown

    def ok(self, *words: object, **options: Any) -> Done:
        shown = self.run(*words, **options)
        assert shown.status == 0, f"{words}: {shown.status}\n{shown.out}\n{shown.err}"
        return shown

    def refused(self, *words: object, **options: Any) -> Done:
        shown = self.run(*words, **options)
        assert shown.status != 0, f"{words}: succeeded\n{shown.out}"
        return shown


def every_command(home: IssuerDirectory, bank: BankIssuer, folder: Path, lang: str) -> list[Done]:
    """Run every command on copies of these issuers in ``folder``; the outputs, in their order."""
    issuer = home.copy(folder / "home")
    story = Story(issuer.cli, lang)
    _keys(story, folder)
    _rosters(story, issuer, folder)
    _faces(story, folder)
    _counter(story, issuer, folder)
    _merchants(story, issuer, folder)
    _matters(story)
    _covers(story, folder)
    _claims(story, folder)
    _grants(story, folder)
    _figures(story)
    _payouts(story, folder)
    _rushes(story)
    _ecards(story, folder)
    _cards(story, issuer)
    _boxes(story, issuer, folder)
    _windows(story, issuer, folder)
    _line(story, issuer, folder)
    _globalplatform(story, folder)
    _payments(story, bank, folder)
    _elements(story)
    _administration(story, issuer)
    return story.done


def _keys(story: Story, folder: Path) -> None:
    fresh = Cli(folder / "fresh")
    story.ok("keys", "init", cli=fresh)
    story.refused("keys", "init", cli=fresh)
    story.ok("keys", "add-standard", "--by", "王芳")
    story.ok("keys", "list")
    story.ok("keys", "kcv", "list-signer")
    story.ok("keys", "kcv", "imk-card-aes")
    story.refused("keys", "kcv", "nothing")
    story.ok("keys", "rotate", "seal", "--by", "王芳")
    story.refused("keys", "import", "zmk", "--components", 9)
    story.ok("keys", "audit")


def _rosters(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    unit = "石家庄铁道大学工会"
    story.ok("doctor")
    story.refused("roster", "check", issuer.form, "--registry")
    story.refused("roster", "check", folder / "nowhere.xlsx")
    story.ok("roster", "form", "check", "hebei")
    form = csv_form(folder / "form.csv", 2, start=700, unit=unit, bad=1)
    story.ok("roster", "import", form, "--by", "王芳")
    story.refused("roster", "import", form, "--by", "王芳")
    batch = issuer.cli.ok("batch", "list", "--json").json[-1]["id"]
    newest = max(row["id"] for row in issuer.cli.ok("batch", "list", "--json").json)
    story.ok("waiting")
    story.refused("waiting", "--for", "wang.fang")
    story.refused("batch", "approve", newest, "--by", "王芳")
    edit = ("batch", "edit", newest)
    why = ("--reason", "按退回意见", "--by", "王芳")
    story.ok(*edit, 2, "--mobile", "13700000001", *why)
    story.refused(*edit, 2, "--mobile", "13700000001", *why)
    story.refused(*edit, 999, "--mobile", "13700000001", *why)
    story.refused(*edit, 2, *why)
    story.refused(*edit, "--mobile", "13700000001", *why)
    story.ok(*edit, "--add", "--name", "司马", "--mobile", "1", *why)
    story.ok(*edit, 5, "--leave-out", *why)
    corrected = csv_form(folder / "corrected.csv", 3, start=700, unit=unit, bad=1)
    story.ok("roster", "import", corrected, "--corrects", newest, "--yes", *why)
    story.refused("roster", "import", corrected, "--corrects", newest, "--yes", *why)
    story.ok("batch", "edits", newest)
    story.ok("batch", "undo-edit", newest, "--by", "王芳")
    story.ok("roster", "import", corrected, "--corrects", newest, "--yes", *why)
    story.ok("batch", "review", newest)
    story.ok("batch", "review", newest, "--reason", "与附件5核对", "--by", "李娜")
    story.refused("batch", "review", newest, "--reason", "与附件5核对", "--by", "王芳")
    story.ok("batch", "mark", newest, 2, "doubt", "--note", "看不清", "--by", "李娜")
    story.refused("batch", "approve", newest, "--by", "李娜")
    story.ok("batch", "review", newest)
    story.ok("batch", "mark", newest, 2, "right", "--by", "李娜")
    story.refused("batch", "mark", newest, 999, "right", "--by", "李娜")
    contact = ("--contact", "王芳", "--phone", "0311-85000000", "--by", "李娜")
    story.refused("batch", "confirm", newest, "--members", 9, "--copies", 9, *contact)
    cover = ("--explanation", "一人已调出", "--cover", folder / "annex.xlsx")
    story.ok("batch", "confirm", newest, "--members", 9, "--copies", 9, *cover, *contact)
    story.ok("batch", "approve", newest, "--by", "李娜")
    story.refused("batch", "approve", newest, "--by", "李娜")
    story.refused("batch", "approve", "B20000101-001", "--by", "李娜")
    story.ok("batch", "list")
    story.ok("batch", "show", batch)
    story.ok("batch", "show", issuer.done)
    story.ok("batch", "report", issuer.done, "--html", folder / "report.html")
    story.ok("batch", "prepare", newest)
    story.refused("batch", "release", newest, "6001" * 5, "--by", "王芳", "--reason", "丢失")
    third = csv_form(folder / "third.csv", 1, start=800, unit=unit)
    story.ok("roster", "import", third, "--by", "王芳")
    last = max(row["id"] for row in issuer.cli.ok("batch", "list", "--json").json)
    story.ok("batch", "discard", last, "--reason", "重复", "--by", "王芳")
    story.ok("batch", "close", issuer.done, "--by", "李娜", "--second", "赵敏")
    story.refused("batch", "close", newest, "--by", "李娜", "--second", "赵敏")
    story.ok("profile", "check", MEMBER_PROFILE)
    story.ok("profile", "check", BANK_PROFILE)
    broken = folder / "broken.yaml"
    broken.write_text("profile: x\nunknown: 1\n", "utf-8")
    story.refused("profile", "check", broken)
    story.ok("queue", "list")
    story.ok("queue", "place", newest, "--priority", "urgent", "--due", "2030-01-31", "--by", "王芳")
    story.run("queue", "up", newest, "--by", "王芳")
    story.run("queue", "down", newest, "--by", "王芳")
    story.ok("queue", "list")
    story.ok("unit", "list")
    story.ok("unit", "place", unit, "--above", "河北省教育工会", "--new", "--reason", "来函", "--by", "王芳")
    story.refused("unit", "place", "无此单位", "--top", "--reason", "来函", "--by", "王芳")
    story.ok("dossier", "show", newest)
    number = re.findall(r"\b[0-9]{19}\b", story.done[-1].out)[0]
    story.ok("dossier", "show", newest, number)
    others = re.findall(r"\b[0-9]{19}\b", story.done[-2].out)
    story.run("dossier", "diff", newest, number, others[-1])
    story.run("dossier", "diff", newest, number, "--reader", issuer.card)
    story.run("dossier", "export", newest, folder / "to-bank.dp")
    (folder / "from-bank.dp").write_bytes(b"nothing")
    story.refused("dossier", "import", newest, folder / "from-bank.dp")


def _faces(story: Story, folder: Path) -> None:
    newest = max(row["id"] for row in story.cli.ok("batch", "list", "--json").json)
    story.ok("face", "list")
    story.ok("face", "check", "black")
    story.refused("face", "check", "hebei", "--batch", newest)
    story.refused("face", "check", "无此设计")
    story.ok("face", "proof", "black", "-o", folder / "proof.pdf")
    story.refused("face", "render", newest, "--card", "1", "-o", folder / "card.png", "--by", "王芳")
    photos = folder / "photos"
    photos.mkdir()
    (photos / "130000000001.jpg").write_bytes(b"none")
    (photos / "13010019800101001X.jpg").write_bytes(b"none")
    story.refused("face", "photos", newest, "--from", photos, "--missing", folder / "missing.csv", "--by", "王芳")
    story.refused("face", "photos", newest, "--from", folder / "nowhere")
    story.refused("face", "remove-photo", "130000000001", "--reason", "本人要求", "--by", "王芳")


def _counter(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    counter = Cli(folder / "counter", passphrase=None)
    counter.data.mkdir()
    story.refused("lists", "show", cli=counter)
    story.refused("lists", "fetch", cli=counter)
    story.refused("card", "verify", "--reader", issuer.card, cli=counter)
    programme = folder / "programme.yaml"
    programme.write_text(PROGRAMME, encoding="utf-8")
    story.ok("lists", "publish", counter.data)
    story.ok("lists", "show", cli=counter)
    story.ok("programme", "check", programme)
    story.ok("programme", "check", ROOT / "programme" / "examples" / "beijing.yaml")
    broken = folder / "broken-programme.yaml"
    broken.write_text(PROGRAMME.replace("percent: 50", "percent: 150"), encoding="utf-8")
    story.refused("programme", "check", broken)
    for name in ("beijing.yaml", "hebei.yaml"):
        if (example := ROOT / "programme" / "examples" / name).exists():
            story.ok("programme", "show", example)
            story.ok("programme", "show", example, "--member", "category=retired", "--on", "2027-03-01")
    story.refused("programme", "compare", 7)
    story.refused("programme", "export", folder / "editions")
    story.ok("programme", "proposals")
    story.ok("programme", "publish", programme, "--by", "王芳")
    story.refused("programme", "publish", programme, "--by", "王芳")
    story.ok("waiting")
    story.refused("programme", "confirm", 1, "--by", "王芳")
    story.ok("programme", "cancel", 1, "--reason", "文件有误", "--by", "王芳")
    story.refused("programme", "cancel", 1, "--reason", "文件有误", "--by", "王芳")
    story.ok("programme", "publish", programme, "--by", "王芳")
    story.ok("programme", "refuse", 2, "--reason", "价格有误", "--by", "李娜")
    story.ok("programme", "publish", programme, "--by", "王芳")
    story.ok("programme", "confirm", 3, "--to", counter.data, "--by", "李娜")
    later = folder / "later-programme.yaml"
    later.write_text(PROGRAMME.replace("percent: 50", "percent: 40"), encoding="utf-8")
    story.ok("programme", "publish", later, "--by", "王芳")
    story.ok("programme", "proposals")
    story.ok("programme", "compare", re.search("[0-9]{10}", story.ok("programme", "editions").out)[0])  # type: ignore[index]
    story.refused("programme", "confirm", 9, "--by", "李娜")
    story.ok("programme", "export", folder / "editions")
    story.ok("programme", "editions")
    card = Path(shutil.copy(issuer.card.removeprefix("sim:"), folder / "member.card"))
    options: dict[str, Any] = {"cli": counter, "env": MERCHANT}
    story.ok("programme", "show", **options)
    story.refused("redeem", "--reader", f"sim:{card}", cli=counter)
    story.ok("redeem", "--reader", f"sim:{card}", **options)
    story.ok("redeem", "park-pass", "--quantity", 2, "--yes", "--reader", f"sim:{card}", **options)
    story.refused("redeem", "park-pass", "--quantity", 13, "--yes", "--reader", f"sim:{card}", **options)
    story.refused("redeem", "theatre", "--yes", "--reader", f"sim:{card}", **options)
    story.refused("redeem", "0201", "--yes", "--reader", f"sim:{card}", **options)
    exchanges = len(counter.run("card", "trace", "--reader", f"sim:{card}", "--json").json["exchanges"])
    torn = f"sim:{card}?fault=tear-apdu:{exchanges}+"
    story.refused("redeem", "park-pass", "--yes", "--reader", torn, **options)
    story.ok("redemptions", "list", **options)
    story.refused("redemptions", "upload", **options)
    story.ok("redemptions", "status", **options)
    story.run("redemptions", "open", **options)
    listed = counter.ok("redemptions", "list", "--json", env=MERCHANT).json["redemptions"]
    story.ok("redemptions", "receipt", 3, **options)
    taken_back = ("redemptions", "reverse", "T0000001-3", "--reason", "买错", "--reader", f"sim:{card}")
    story.ok(*taken_back, **options)
    story.refused(*taken_back, **options)
    opened = counter.run("redemptions", "open", "--json", env=MERCHANT).json
    if opened:
        story.ok("redemptions", "give-up", opened[0]["intent"], "--reason", "卡已损坏", **options)
    assert listed
    story.run("redemptions", "acknowledge", "--reason", "换过硬盘", **options)
    story.ok("redemptions", "open", **options)
    story.ok("redemptions", "day", "--counted", "王芳=200.00", "--pdf", folder / "day.pdf", **options)
    story.refused("redemptions", "day", "--counted", "李娜=1", **options)
    story.refused("redemptions", "day", "--counted", "王芳", **options)
    story.ok("cashiers", "list", **options)
    story.refused("cashiers", "set", "王芳", input="1234\n4321\n", **options)
    story.ok("cashiers", "set", "王芳", "--manager", input="271828\n271828\n", **options)
    story.ok("cashiers", "list", **options)
    story.ok("cashiers", "remove", "王芳", **options)
    story.refused("cashiers", "remove", "王芳", **options)
    story.ok("card", "log", "--reader", f"sim:{card}")
    story.ok("lists", "reset", "--yes", cli=counter)


def _rushes(story: Story) -> None:
    reason, first = ("--reason", "x"), ("--by", "clerk")
    story.ok("rush", "list")
    story.refused("rush", "announce", "cent-ski", *first)
    story.refused("rush", "show", "cent-ski")
    story.refused("rush", "claim", "cent-ski", "morning", "6212260000000017", *first)
    story.refused("rush", "return", 9, *first)
    story.refused("rush", "waiting", "cent-ski")
    story.refused("rush", "tickets", "cent-ski")
    story.refused("rush", "ticket", 9)
    story.refused("rush", "check", "no-ticket")
    story.ok("rush", "upload", "entrance", *first)
    story.ok("rush", "findings")
    story.refused("rush", "close", "cent-ski", *reason, *first)
    story.refused("rush", "cancel", "cent-ski", *reason, *first)


def _ecards(story: Story, folder: Path) -> None:
    number, first = "6212260000000017", ("--by", "clerk")
    story.ok("ecard", "list")
    story.refused("ecard", "code", number, *first)
    story.refused("ecard", "sign-in", number, "--key", "02", "--out", folder / "phone.json")
    story.refused("ecard", "renew", folder / "phone.json")
    story.refused("ecard", "verify", "no-code")
    story.run("ecard", "publish", folder / "ecards", *first)
    story.refused("ecard", "end", number, "--reason", "x", *first)


def _matters(story: Story) -> None:
    reason, first, window = ("--reason", "x"), ("--by", "clerk"), ("--window", "hall")
    story.ok("matter", "find", "6212260000000017")
    story.refused("matter", "open", "legal", *window, *first)
    story.ok("matter", "list")
    story.refused("matter", "show", 9, *first)
    story.refused("matter", "up", 9, *window, *reason, *first)
    story.refused("matter", "down", 9, *window, "--to", "station", *reason, *first)
    story.refused("matter", "note", 9, "--words", "x", *first)
    story.refused("matter", "close", 9, "--result", "x", *first)
    story.refused("matter", "reopen", 9, *reason, *first)
    story.ok("matter", "figures", "--from", "2026-01-01", "--to", "2026-12-31")


def _covers(story: Story, folder: Path) -> None:
    reason, first = ("--reason", "x"), ("--by", "clerk")
    story.ok("cover", "list")
    story.refused("cover", "draw-up", "accident", *first)
    story.refused("cover", "show", 9)
    story.refused("cover", "sign", 9, "--digest", "0" * 8, *first)
    story.refused("cover", "send", 9, *reason, *first)
    story.refused("cover", "discard", 9, *reason, *first)
    story.refused("cover", "file", 9, "-o", folder / "list.pdf", *first)
    story.refused("cover", "member", "6212260000000017")


def _claims(story: Story, folder: Path) -> None:
    reason, first, level = ("--reason", "x"), ("--by", "clerk"), ("--level", "city")
    day = ("--on", "2026-05-01")
    (folder / "heir.json").write_text("{}", "utf-8")
    story.ok("claim", "kinds")
    story.refused("claim", "file", "fire", "6212260000000017", *day, "--loss", "x", *first)
    story.refused("claim", "refile", 9, "fire", *day, "--loss", "10", *first)
    story.refused("claim", "tick", 9, "id-card", *first)
    story.ok("claim", "list")
    story.refused("claim", "list", "--stage", "nothing")
    story.refused("claim", "open", 9, *reason, *first)
    story.refused("claim", "approve", 9, *level, *first)
    story.refused("claim", "return", 9, *level, *reason, *first)
    story.refused("claim", "refuse", 9, *level, *reason, *first)
    story.refused("claim", "withdraw", 9, *reason, *first)
    story.ok("claim", "figures", "--from", "2026-01-01", "--to", "2026-12-31")


def _grants(story: Story, folder: Path) -> None:
    reason, first = ("--reason", "x"), ("--by", "clerk")
    (folder / "grants.csv").write_text("会员号,姓名\n1,x\n", "utf-8")
    story.ok("grant", "list")
    story.refused("grant", "take-in", "opening", folder / "grants.csv", *first)
    story.refused("grant", "draw-up", "opening", *first)
    story.refused("grant", "show", 9)
    story.refused("grant", "approve", 9, *first)
    story.refused("grant", "discard", 9, *reason, *first)


def _figures(story: Story) -> None:
    days = ("--from", "2026-01-01", "--to", "2026-12-31")
    story.ok("figures", "year", *days)
    story.refused("figures", "year", *days, "--form", "nothing")
    story.ok("figures", "coverage", *days, "--target", 50)
    story.ok("figures", "benefits", *days)


def _payouts(story: Story, folder: Path) -> None:
    reason, first = ("--reason", "x"), ("--by", "clerk")
    (folder / "return.csv").write_text("x", "utf-8")
    story.ok("payout", "list")
    story.refused("payout", "list", "--state", "nothing")
    story.refused("payout", "draw-up", "icbc", *first)
    story.ok("payout", "batches")
    story.refused("payout", "show", 9)
    story.refused("payout", "sign", 9, "--digest", "0" * 8, *first)
    story.refused("payout", "discard", 9, *reason, *first)
    story.refused("payout", "file", 9, *first)
    story.refused("payout", "return", "icbc", folder / "return.csv", *first)
    story.refused("payout", "reissue", 9, *reason, *first)
    story.refused("payout", "withdraw", 9, *reason, *first)
    story.ok("payout", "contradictions")
    story.refused("payout", "settle", 9, "--return", 9, *reason, *first)


def _merchants(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    sheet = folder / "merchants.csv"
    head = "商户号,商户名称,合同起始日,合同终止日,权益类别,网点名称,终端号"
    park = "PARK-EAST,东城公园,2020-01-01,2099-12-31,0101,东门,T0000001"
    sheet.write_text(f"{head}\n{park.replace('0101', '1')}\n", "utf-8")
    first, second = ("--by", "王芳"), ("--by", "李娜")
    reason = ("--reason", "合同")
    story.ok("merchant", "list")
    story.refused("merchant", "import", sheet, *first)
    sheet.write_text(f"{head}\n{park}\n", "utf-8")
    story.ok("merchant", "import", sheet, "--check")
    story.ok("merchant", "import", sheet, *first)
    story.ok("merchant", "list")
    story.ok("merchant", "show", "PARK-EAST")
    story.refused("merchant", "show", "MERCHANT")
    (outlet,) = issuer.cli.ok("merchant", "show", "PARK-EAST", "--json").json["outlets"]
    story.run("merchant", "token", outlet["id"], "--label", "一号机", *first)
    rate = ("settlement", "rate", "PARK-EAST", "0101", "--from", "2026-01-01", "--per-unit", 250, *reason, *first)
    story.ok(*rate)
    story.refused("merchant", "approve", 1, *first)
    story.ok("merchant", "refuse", 1, *reason, *second)
    story.ok(*rate)
    story.ok("merchant", "changes")
    story.ok("merchant", "approve", 2, *second)
    story.ok("merchant", "close-outlet", outlet["id"], *reason, *first)
    story.ok("merchant", "changes")
    story.ok("merchant", "cancel", 3, *reason, *first)
    story.ok("settlement", "rates", "PARK-EAST")
    story.refused("settlement", "draw-up", "PARK-EAST", "2099-01", *first)
    story.ok("settlement", "draw-up", "PARK-EAST", "2026-01", *first)
    story.ok("settlement", "discard", 1, *reason, *first)
    story.ok("settlement", "draw-up", "PARK-EAST", "2026-01", *first)
    digest = issuer.cli.ok("settlement", "show", 2, "--json").json["statement"]["digest"]
    story.ok("settlement", "sign", 2, digest, *first)
    story.refused("settlement", "sign", 2, digest, *first)
    story.ok("settlement", "sign", 2, digest, *second)
    story.ok("settlement", "show", 2, "--pdf", folder / "statement.pdf")
    story.ok("settlement", "list")
    story.refused("settlement", "payout", "2026-01", *first)
    story.refused("settlement", "dispute", 1, *reason, *first)
    story.refused("settlement", "decide", 1, "accepted", *reason, *second)
    story.ok("settlement", "disputes")
    _findings(story, issuer, outlet["id"])
    story.ok("merchant", "end", "PARK-EAST", *reason, *first)


def _findings(story: Story, issuer: IssuerDirectory, outlet: int) -> None:
    story.ok("findings", "list")
    story.refused("findings", "list", "--kind", "merchant")
    keystore = SoftwareKeystore.unlock(issuer.cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{issuer.cli.data / 'membercard.db'}", keystore) as registry:
        upload_with_findings(registry, outlet)
    story.ok("findings", "list")
    story.ok("findings", "show", 2)
    story.refused("findings", "show", 99)
    story.ok("findings", "book", "--by", "王芳")
    story.refused("findings", "book", 1, "--by", "王芳")
    story.ok("findings", "decide", 2, "accepted", "--reason", "已核实", "--by", "王芳")
    story.ok("findings", "decide", 2, "accepted", "--reason", "已核实", "--by", "李娜")
    story.refused("findings", "decide", 2, "refused", "--reason", "已核实", "--by", "李娜")
    story.ok("findings", "decide", 1, "accepted", "--reason", "停电", "--by", "李娜")
    story.ok("findings", "list", "--closed")


def _cards(story: Story, issuer: IssuerDirectory) -> None:
    reader = ("--reader", issuer.card)
    story.ok("card", "verify", *reader)
    story.ok("card", "read", *reader)
    story.ok("card", "log", *reader)
    story.ok("card", "info", *reader)
    machine = ("--machine", f"manual:{issuer.blank}")
    story.ok("machine", "list")
    story.ok("machine", "status", *machine)
    story.ok("machine", "move", "take", *machine)
    story.refused("machine", "move", "flip", *machine)
    story.ok("machine", "clear", *machine)
    story.ok("machine", "test", *machine)
    story.refused("machine", "test", "--print", *machine)
    story.refused("machine", "status", "--machine", "crt571:/dev/ttyNOWHERE")
    story.ok("card", "info", "--reader", issuer.blank)
    story.ok("card", "trace", *reader)
    story.ok("card", "trace", *reader, "--explain")
    story.ok("card", "trace", *reader, "--explain", "--reveal")
    story.refused("card", "verify", "--reader", issuer.blank)
    story.refused("card", "read", "--reader", issuer.blank)
    story.refused("card", "verify", "--reader", "sim:nowhere.card")
    story.refused("card", "trace", "--reader", f"{issuer.card}?fault=mute:3")
    number = next(
        row["value"] for row in issuer.cli.ok("card", "read", *reader, "--json").json["elements"] if row["tag"] == "5A"
    )
    story.refused("card", "activate", *reader, "--shown", "身份证", "--by", "王芳")
    wanted = ("--valid-through", "2036-12-31", "--category", "retired", "--reason", "续期", "--by", "王芳")
    story.run("card", "change", number, *wanted)
    story.ok("card", "changes")
    story.run("card", "change", number, "--unblock-pin", "--reason", "忘记密码", "--by", "王芳")
    story.run("card", "consent", 4, "--by", "李娜")
    rule = ("card", "rights-rule")
    story.ok(*rule)
    story.ok(*rule, "--two-people", "--reason", "工会决议", "--by", "李娜")
    story.refused(*rule, "--one-person", "--reason", "工会决议", "--by", "李娜")
    story.refused(*rule, "--one-person", "--reason", "工会决议", "--by", "李娜", "--second", "李娜")
    story.ok(*rule, "--one-person", "--reason", "工会决议", "--by", "李娜", "--second", "王芳")
    story.refused("card", "pin", "--reader", issuer.card, "--shown", "身份证", "--by", "王芳", input="1234\n4321\n")
    story.run("card", "withdraw-change", 1, "--reason", "下错", "--by", "王芳")
    story.run("card", "updates", *reader, "--by", "王芳")
    story.ok("card", "changes", number)


def _boxes(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    by = ("--by", "王芳")
    (box,) = issuer.cli.ok("box", "create", issuer.done, *by, "--json").json
    name = box["id"]
    cards = [card["card_number"] for card in issuer.cli.ok("box", "show", name, "--json").json["cards"]]
    story.ok("box", "discard", name, "--reason", "装错", *by)
    story.ok("box", "create", issuer.done, *by)
    name = next(row["id"] for row in issuer.cli.ok("box", "list", "--json").json if row["id"] != name)
    story.ok("box", "list")
    story.ok("box", "show", name)
    story.ok("box", "places", issuer.done)
    story.ok("box", "leave-out", name, cards[2], "--reason", "留下", *by)
    story.refused("box", "tick", name, "6212269999999999999", cards[0], *by)
    story.refused("box", "close", name, *by)
    story.ok("box", "tick", name, cards[1], *by)
    story.ok("box", "close", name, *by)
    story.ok("box", "list-sheet", name, folder / "list.xlsx", *by)
    story.ok("mailers", "list", issuer.done)
    people = ("--by", "王芳", "--second", "李娜")
    story.refused("mailers", "pin", issuer.done, "--to", folder / "letters.pdf", *people)
    story.refused("mailers", "pin", issuer.done, "--to", "tcp:127.0.0.1:9", *people)
    story.refused("mailers", "spoilt", cards[0], "--reason", "卡纸", *people)
    story.ok("box", "carriers", name, folder / "letters.pdf", "--lines", "1", *by)
    story.refused("box", "carriers", name, folder / "letters.pdf", "--unit", "nobody", *by)
    story.refused("box", "carriers", name, folder / "letters.pdf", "--lines", "x", *by)
    story.ok("box", "hand-over", name, "--level", "unit", "--to", "周敏", *by)
    story.refused("box", "hand-over", name, "--level", "city", "--to", "周敏", *by)
    story.ok("box", "receipt", name, "--signed-by", "周敏", "--signed", 1, "--unsigned", cards[1], *by)
    story.ok("box", "return", "--box", name, "--reason", "休假", *by)
    story.run("box", "step", "pack", cards[2], "--reason", "自取", *by)
    story.run("box", "step", "deliver", cards[2], "--reason", "自取", *by)
    story.ok("box", "steps")
    newest = issuer.cli.ok("box", "steps", "--json").json[0]
    story.run("box", "undo", newest["number"] if "number" in newest else newest["id"], "--reason", "弄错", *by)
    story.ok("box", "show", name)


def _windows(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    reason = ("--reason", "本人来办", "--by", "王芳")
    cards = re.findall(r"\b[0-9]{19}\b", issuer.cli.ok("box", "steps", "--json").out) or []
    rows = issuer.cli.ok("card", "read", "--reader", issuer.card, "--json").json["elements"]
    number = next(row["value"] for row in rows if row["tag"] == "5A")
    member = next(row["value"] for row in rows if row["tag"] == "DF21")
    assert cards is not None
    story.ok("loss", "list")
    story.ok("loss", "report", number, *reason)
    story.refused("loss", "report", number, *reason)
    story.ok("loss", "list")
    story.ok("loss", "show", 1)
    story.refused("card", "verify", "--reader", issuer.card)
    story.run("loss", "bank", folder / "bank.csv", "--by", "王芳")
    story.ok("loss", "order", 1, "--collect-at", "三号窗口", *reason)
    story.ok("loss", "unlist", 1, *reason)
    story.ok("loss", "still-lost", 1, *reason)
    story.ok("loss", "unlist", 1, *reason)
    story.refused("loss", "unlist", 1, *reason)
    story.ok("loss", "unlist", 1, "--reason", "确已找到", "--by", "李娜")
    story.refused("loss", "show", 9)
    story.refused("loss", "report", number, "--caller", "member", "--answer", "name=王", *reason)
    story.run("loss", "bank", folder / "bank.csv", "--since", "2020-01-01", "--by", "王芳")
    story.ok("amendment", "list")
    story.refused("amendment", "request", member, *reason)
    story.ok("amendment", "request", member, "--mobile", "13812345678", *reason)
    story.ok("waiting")
    story.refused("amendment", "approve", 1, "--by", "王芳")
    story.ok("amendment", "approve", 1, "--by", "李娜")
    story.ok("amendment", "request", member, "--mobile", "13812345679", *reason)
    story.ok("amendment", "refuse", 2, "--reason", "不符", "--by", "李娜")
    story.ok("amendment", "request", member, "--mobile", "13812345670", *reason)
    story.ok("amendment", "cancel", 3, *reason)
    story.ok("amendment", "list")


def _line(story: Story, issuer: IssuerDirectory, folder: Path) -> None:
    story.ok("stock", "receive", 5, "--supplier-batch", "L-2", "--by", "王芳")
    story.ok("stock", "spoil", 1, "--supplier-batch", "L-2", "--reason", "划伤", "--by", "王芳")
    story.run("stock", "deliveries")
    story.ok("stock", "show")
    story.ok("sim", "stock", folder / "blanks", "--count", 4)
    story.ok("sim", "stock", folder / "foreign", "--count", 1, "--key", "11" * 16)
    newest = next(row["id"] for row in issuer.cli.ok("batch", "list", "--json").json if row["state"] == "prepared")
    story.run("perso", "run", newest, "--reader", f"sim:{folder / 'foreign'}", "--idle", "0.1")
    story.run("perso", "run", newest, "--reader", f"sim:{folder / 'blanks'}", "--check")
    story.run("perso", "run", newest, "--reader", f"sim:{folder / 'blanks'}", "--lanes", 2, "--idle", "1")
    story.run("perso", "run", newest, "--reader", f"sim:{folder / 'blanks'}", "--idle", "0.1")
    story.refused("perso", "run", issuer.draft, "--reader", f"sim:{folder / 'blanks'}")
    story.ok("batch", "report", newest)
    story.ok("sim", "show", issuer.card.removeprefix("sim:"))
    story.ok("sim", "show", issuer.blank.removeprefix("sim:"))
    story.refused("sim", "show", "nowhere.card")
    story.run("readers", "list")
    story.run("readers", "watch", "--seconds", "0.2")


def _globalplatform(story: Story, folder: Path) -> None:
    cap, chip = folder / "club.cap", folder / "chip"
    cap.write_bytes(cap_file(b"\xf0CLUB", [b"\xf0CLUB\x01"], body=600))
    story.ok("sim", "stock", chip, "--count", 1)
    card = f"sim:{next(chip.glob('*.card'))}"
    keyed = ("--reader", card, "--key", KEY)
    story.ok("gp", "info", "--reader", card)
    story.ok("gp", "list", *keyed)
    story.ok("gp", "load", *keyed, cap)
    story.refused("gp", "load", *keyed, cap)
    story.ok("gp", "install", *keyed, CLUB, CLUB + "01")
    story.ok("gp", "install", *keyed, PACKAGE, MEMBER, "--privileges", "00")
    story.refused("gp", "install", *keyed, PACKAGE, MEMBER)
    story.ok("gp", "list", *keyed)
    story.run("gp", "store-data", *keyed, MEMBER, "920004DF020100")
    story.ok("gp", "delete", *keyed, CLUB, "--related")
    story.refused("gp", "delete", *keyed, CLUB)
    story.ok("gp", "put-key", *keyed, "51" * 16, "--new-version", 49, "--add")
    story.ok("gp", "apdu", "--reader", card, "00A4040000", "80CA9F7F00", "80CA006600")
    commands = (
        "00A4040007F0000000000001", "00B2010C00", "0084000008", "00FE0000", "80F24002024F0000", "00700000",
        "0020008000",
    )  # fmt: skip
    for command in commands:
        story.run("gp", "apdu", "--reader", card, command)
    story.refused("gp", "list", "--reader", card, "--key", "22" * 16)
    story.refused("gp", "list", "--reader", card, "--key", "22")
    story.run("gp", "apdu", "--reader", card, "--key", KEY, "--secure", "80F28002024F0000")


def _payments(story: Story, bank: BankIssuer, folder: Path) -> None:
    card, cli = f"sim:{bank.card(folder)}", bank.cli
    run = ("emv", "run", "--reader", card)
    for sm in (False, True):
        terminal = ("--terminal", bank.terminal(folder, chinese=sm))
        story.ok(*run, "--amount", "12.34", *terminal, cli=cli)
    story.ok(*run, "--amount", "12.34", "--trace", cli=cli)
    story.refused(*run, "--amount", "612.34", cli=cli)
    with bank.issuer(bank.bank(folder, scripts=["pin-unblock"])) as url:
        story.run(*run, "--amount", "612.34", "--online", url, "--trace", cli=cli)
        story.run(*run, "--amount", "612.34", "--pin", "--online", url, cli=cli, input="271828\n")
    story.run(
        *run, "--amount", "12.34", "--type", "cash", "--force-online", "--online", "http://127.0.0.1:9/a", cli=cli
    )
    story.run(*run, "--amount", "12.34", "--type", "refund", cli=cli)
    story.run(*run, "--amount", "50", "--cashback", "20", "--type", "cashback", cli=cli)
    story.refused(*run, "--amount", "x", cli=cli)
    story.run("emv", "run", "--reader", f"{card}?fault=mute:5", "--amount", "1", cli=cli)
    story.run("emv", "log", "--reader", card, cli=cli)


def _elements(story: Story) -> None:
    for data in ELEMENTS:
        for more in ((), ("--aid", "A000000333010101")):
            story.run("tlv", "decode", data, *more)
    story.refused("tlv", "decode", "9F02060000")
    story.refused("tlv", "decode", "zz")
    story.refused("tlv", "decode", "")


def _administration(story: Story, issuer: IssuerDirectory) -> None:
    story.ok("restore", "check", "--restored", "--by", "王芳", "--reader", issuer.card)
    story.ok("audit", "list")
    story.ok("audit", "verify")
    story.refused("audit", "list", "--by")
    story.ok("user", "add", "li.na", "--role", "registrar", "--role", "counter", "--display", "李娜")
    story.ok("user", "add", "wang.fang", "--role", "administrator", "--display", "王芳")
    story.ok("user", "list")
    story.refused("user", "add", "li.na", "--role", "registrar")
    story.refused("user", "add", "zhao", "--role", "nothing")
    story.ok("user", "reset", "li.na", "--reason", "忘记")
    story.ok("user", "disable", "li.na", "--reason", "离职")
    story.refused("user", "disable", "nobody", "--reason", "离职")
    story.refused("batch", "approve", issuer.draft, "--by", "赵敏")
    story.refused("serve", "--host", "192.0.2.1")
    story.refused("nothing")
    story.refused("batch", "show")
    story.refused("batch", "show", "--nothing", "x")
    story.refused("card", "verify", "--wait", "x", "--reader", issuer.card)
