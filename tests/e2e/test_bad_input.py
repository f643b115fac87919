"""Bad input and bad surroundings: one sentence that says what and what to do, an exit code, nothing half-written."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bad_environment import Disk, bad_forms, listing, small_disk, unwritable
from tests.support.cli import SCRIPT, Cli, Done, IssuerDirectory, csv_form
from tests.support.waiting import PATIENCE

FOREIGN_KEY = "00112233445566778899AABBCCDDEEFF"


def records(database: Path) -> str:
    """All that is stored, as SQL."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump())


@pytest.fixture(autouse=True)
def nothing_half_written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does to the shared issuer, all files and records in it are afterwards what they were."""
    if "home" not in request.fixturenames:
        yield
        return
    home: IssuerDirectory = request.getfixturevalue("home")
    database = home.cli.data / "membercard.db"
    before = listing(home.root), records(database)
    yield
    assert listing(home.root) == before[0]
    assert records(database) == before[1]


def reports(done: Done, status: int, *words: str) -> None:
    """The command ended with this status and one sentence with these words; it printed nothing else."""
    assert done.status == status, (done.args, done.out, done.err)
    sentence = done.complaint
    for word in words:
        assert word in sentence, sentence
    assert len(sentence) < 500
    assert done.out == ""


# --- forms -----------------------------------------------------------------------------------------------------------

FORMS = {
    "a picture.png": ("a .png file", "save it as .xlsx"),
    "a document.pdf": ("a PDF file", "save it as .xlsx"),
    "a document.docx": ("a Word document", "save it as .xlsx"),
    "garbage.xlsx": ("no Excel workbook", "save it again as .xlsx"),
    "a picture under another name.csv": ("a picture", "save it as .xlsx"),
    "encrypted.xlsx": ("protected by a password", "remove the password"),
    "empty.xlsx": ("is empty",),
    "empty.csv": ("is empty",),
    "empty workbook.xlsx": ("empty workbook", "fill in"),
    "no header.csv": ("no header row found", "身份证号"),
    "binary.csv": ("no text", "save it again"),
    "cut off.xlsx": ("damaged or incomplete", "save it again"),
    "bomb.xlsx": ("unpacks to more than", "divide it"),
    "100 MB.csv": ("100 MB", "divide it"),
    "a directory": ("is a directory", "name a file"),
    "missing.xlsx": ("does not exist",),
}


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return bad_forms(tmp_path_factory.mktemp("forms") / "bad")


@pytest.mark.parametrize("name", FORMS)
def test_what_is_no_form(home: IssuerDirectory, forms: dict[str, Path], name: str) -> None:
    reports(home.cli.run("roster", "check", forms[name], timeout=PATIENCE), 1, *FORMS[name])


@pytest.mark.parametrize("name", ["no header.csv", "encrypted.xlsx", "bomb.xlsx"])
def test_what_is_no_form_is_not_imported(home: IssuerDirectory, forms: dict[str, Path], name: str) -> None:
    reports(home.cli.run("roster", "import", forms[name], timeout=PATIENCE), 1, *FORMS[name])


def test_a_bomb_is_refused_without_unpacking_it(home: IssuerDirectory, forms: dict[str, Path]) -> None:
    """In an address space in which 110 MB of cells would not fit."""
    limited = ["prlimit", "--as=1200000000", str(SCRIPT), "roster", "check", str(forms["bomb.xlsx"])]
    ran = subprocess.run(limited, capture_output=True, text=True, env=home.cli.env(), check=False, timeout=PATIENCE)
    reports(Done((), ran.returncode, ran.stdout, ran.stderr), 1, "unpacks to more than")


def test_an_annotated_copy_that_cannot_be_written(home: IssuerDirectory, tmp_path: Path) -> None:
    done = home.cli.run("roster", "check", home.form, "--annotate", tmp_path / "no" / "such" / "place.xlsx")
    reports(done, 1, "cannot write", "place.xlsx")
    reports(
        home.cli.run("roster", "check", tmp_path / "x.csv", "--annotate", tmp_path / "out.xlsx"), 1, "does not exist"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_is_a_batch_already(home: IssuerDirectory) -> None:
    done = home.cli.run("roster", "import", home.root / "second.csv", "--by", "clerk")
    assert done.status == 1
    assert "Traceback" not in done.err


# --- readers and cards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim:/nowhere/chip.card", ("neither a card file nor a stock directory", "/nowhere/chip.card")),
        ("usb:1", ("not a URL of this kind", "pcsc:, serial:, sim:")),
        ("chip.card", ("not a URL of this kind", "pcsc:, serial:, sim:")),
        ("", ("not a URL of this kind", "pcsc:, serial:, sim:")),
        ("sim:", ("neither a card file",)),
        ("sim:{form}", ("is not a card file",)),
        ("sim:{stock}?fault=nonsense", ("reader option fault",)),
        ("sim:{stock}?speed=9", ("reader option speed=9 is not known",)),
        ("pcsc:No Such Reader 4711", ("PC/SC|no reader",)),
        ("pcsc:4711", ("PC/SC|no reader",)),
    ],
)
def test_an_absent_reader(home: IssuerDirectory, url: str, words: tuple[str, ...]) -> None:
    done = home.cli.run("card", "verify", "--reader", url.format(form=home.form, stock=home.stock))
    reports(done, 3)
    for word in words:
        assert any(choice in done.complaint for choice in word.split("|")), done.complaint


@pytest.mark.parametrize("command", ["card read", "card info", "card trace", "gp info", "gp list", "gp apdu 00A40400"])
def test_every_command_that_wants_a_card_says_that_its_reader_is_absent(home: IssuerDirectory, command: str) -> None:
    done = home.cli.run(*command.split(), "--reader", "sim:/nowhere/chip.card")
    reports(done, 3, "neither a card file nor a stock directory")


@pytest.fixture(scope="session")
def cards(home: IssuerDirectory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Reader URLs of cards that are no member cards of this issuer."""
    place = tmp_path_factory.mktemp("cards")

    def card(name: str, *options: str) -> str:
        home.cli.ok("sim", "stock", place / name, "--count", 1, *options)
        return f"sim:{next((place / name).glob('*.card'))}"

    bank, directory = card("bank", "--scp", "02", "--protocol", "t0"), "315041592E01"
    # A bank card as a terminal sees it: a payment application and its directory, and no member application.
    home.cli.ok("gp", "install", "--reader", bank, "315041592E", directory, "A000000333010101")
    home.cli.ok("gp", "install", "--reader", bank, "315041592E", directory, b"1PAY.SYS.DDF01".hex())
    return {
        "bank": bank,
        "transit": card("transit", "--contactless"),
        "blank": card("blank"),
        "stranger": card("stranger", "--key", FOREIGN_KEY),
    }


@pytest.mark.parametrize("kind", ["bank", "transit", "blank", "stranger"])
def test_a_foreign_card_at_the_counter(home: IssuerDirectory, cards: dict[str, str], kind: str) -> None:
    verdict = home.cli.run("card", "verify", "--reader", cards[kind], "--json")
    assert (verdict.status, verdict.err) == (1, "")
    assert verdict.json["verdict"] == "NOT_A_MEMBER_CARD"
    assert verdict.json["member"] is None
    reports(home.cli.run("card", "read", "--reader", cards[kind]), 1, "no member card", "6A82")
    assert home.cli.run("card", "info", "--reader", cards[kind]).status == 0


def test_a_card_of_another_federation(home: IssuerDirectory, other_home: IssuerDirectory) -> None:
    before = listing(other_home.stock)
    verdict = home.cli.run("card", "verify", "--reader", other_home.card, "--json")
    assert (verdict.status, verdict.err) == (1, "")
    assert verdict.json["verdict"] in ("UNKNOWN_ISSUER", "NOT_GENUINE")
    assert verdict.json["member"] is None
    assert listing(other_home.stock) == before
    at_home = other_home.cli.ok("card", "verify", "--reader", other_home.card, "--json").json
    assert at_home["verdict"] == "ACTIVE"


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--key-version", 85), 3, ("key version 55", "6A88")),
        (("--key", FOREIGN_KEY), 3, ("does not hold key set 30",)),
        (("--key", "no-such-name"), 1, ("no-such-name",)),
    ],
    ids=["unknown version", "wrong key", "unknown name"],
)
def test_keys_that_the_card_does_not_have(
    home: IssuerDirectory, cards: dict[str, str], options: tuple[object, ...], status: int, words: tuple[str, ...]
) -> None:
    reports(home.cli.run("gp", "list", "--reader", cards["blank"], *options), status, *words)
    assert home.cli.run("gp", "list", "--reader", cards["blank"]).status == 0, "the card's tries were not spent"


@pytest.mark.parametrize("kind", ["stranger"])
def test_a_foreign_card_on_the_line_is_a_reject_and_the_line_says_so(tmp_path: Path, kind: str) -> None:
    cli = Cli(tmp_path / "data")
    cli.ok("keys", "init")
    batch = cli.ok("roster", "import", csv_form(tmp_path / "f.csv", 1), "--by", "clerk", "--json").json["batch"]
    cli.ok("batch", "approve", batch, "--by", "reviewer")
    cli.ok("batch", "prepare", batch)
    cli.ok("sim", "stock", tmp_path / kind, "--count", 1, "--key", FOREIGN_KEY)
    done = cli.run("perso", "run", batch, "--reader", f"sim:{tmp_path / kind}")
    assert done.status == 1
    assert "REJECT, bin 2 keys" in done.err
    assert "Traceback" not in done.err
    shown = cli.ok("batch", "show", batch, "--json").json
    assert (shown["accounts"]["chips_rejected"], shown["accounts"]["balanced"]) == (1, True)
    assert "does not hold key set" in shown["rejects"][0]["reason"]


# --- keystore --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("keys", "list"), ("batch", "list"), ("stock", "show")], ids=" ".join)
def test_a_locked_keystore(home: IssuerDirectory, command: tuple[str, str]) -> None:
    wrong = home.cli.run(*command, env={"MEMBERCARD_PASSPHRASE": "not-this-one"})
    reports(wrong, 1, "the passphrase is wrong", "MEMBERCARD_PASSPHRASE")
    assert "not-this-one" not in wrong.err
    reports(home.cli.run(*command, env={"MEMBERCARD_PASSPHRASE": ""}), 1, "the passphrase is empty")
    reports(Cli(home.cli.data, passphrase=None).run(*command), 1, "needs its passphrase", "set MEMBERCARD_PASSPHRASE")


def test_a_keystore_that_is_none(home: IssuerDirectory, tmp_path: Path) -> None:
    none, garbage, damaged = tmp_path / "none", tmp_path / "garbage", tmp_path / "damaged"
    garbage.write_bytes(b"%PDF-1.7\n")
    damaged.write_bytes((home.cli.data / "keystore").read_bytes().replace(b"argon2id", b"argon2ie"))
    reports(home.cli.run("--keystore", none, "keys", "list"), 1, "there is no keystore at", "membercard keys init")
    garbage.chmod(0o644)
    reports(home.cli.run("--keystore", garbage, "keys", "list"), 1, "not a keystore")
    assert garbage.stat().st_mode & 0o777 == 0o644
    reports(home.cli.run("--keystore", damaged, "keys", "list"), 1, "damaged", "restore it from a copy")
    reports(home.cli.run("--keystore", tmp_path, "keys", "list"), 1, str(tmp_path))
    reports(home.cli.run("keys", "init"), 1, "not overwritten")
    reports(home.cli.run("keys", "kcv", "no-such-key"), 1, "no-such-key")
    reports(home.cli.run("keys", "rotate", "no-such-key"), 1, "no-such-key")


def test_no_passphrase_file(home: IssuerDirectory, tmp_path: Path) -> None:
    cli = Cli(home.cli.data, passphrase=None)
    env = {"MEMBERCARD_PASSPHRASE_FILE": str(tmp_path / "none")}
    reports(cli.run("keys", "list", env=env), 1, "cannot read the passphrase file", str(tmp_path / "none"))


# --- database --------------------------------------------------------------------------------------------------------


def copy_of(home: IssuerDirectory, path: Path) -> Path:
    with contextlib.closing(sqlite3.connect(home.cli.data / "membercard.db")) as source:
        with contextlib.closing(sqlite3.connect(path)) as target:
            source.backup(target)
    path.chmod(0o600)
    return path


def test_databases_that_are_none(home: IssuerDirectory, tmp_path: Path) -> None:
    text, foreign, newer = tmp_path / "text.db", tmp_path / "foreign.db", copy_of(home, tmp_path / "newer.db")
    text.write_text("not a database, and more than a hundred bytes of it\n" * 30, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE invoices (id)")
    with contextlib.closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for path in (text, foreign):
        path.chmod(0o644)
    before = text.read_bytes(), records(foreign), records(newer)
    for database, words in (
        (f"sqlite:///{text}", ("is not a SQLite database", "name another file")),
        (f"sqlite:///{foreign}", ("tables of another program", "name another database")),
        (f"sqlite:///{newer}", ("newer version of this program", "update this program")),
        (f"sqlite:///{tmp_path}/no/such/place.db", ("there is no directory",)),
        ("sqlite://", ("write sqlite:///FILE",)),
        ("mysql://localhost/x", ("no registry can be kept in mysql",)),
        ("nonsense", ("the database URL cannot be read",)),
    ):
        reports(home.cli.run("--database", database, "batch", "list"), 1, *words)
    assert (text.read_bytes(), records(foreign), records(newer)) == before
    assert {path.stat().st_mode & 0o777 for path in (text, foreign)} == {0o644}


def test_a_locked_database(home: IssuerDirectory, tmp_path: Path) -> None:
    issuer = home.copy(tmp_path / "issuer")  # the record beside the database knows every database that was used
    database = copy_of(issuer, tmp_path / "locked.db")
    with contextlib.closing(sqlite3.connect(database)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        words = ("--database", f"sqlite:///{database}", "batch", "approve", home.draft, "--by", "x")
        done = issuer.cli.run(*words, limits={"registry.store.BUSY_SECONDS": 0.2})
        reports(done, 1, "is locked by another program", "try again")


def test_postgresql_is_absent(home: IssuerDirectory) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://clerk:very-secret@127.0.0.1:{free.getsockname()[1]}/cards"
        done = home.cli.run("--database", url, "batch", "list")
    reports(done, 1, "cards on 127.0.0.1", "does not answer", "see that the server runs")
    assert "very-secret" not in done.err


def test_a_batch_that_is_not_there_or_not_ready(home: IssuerDirectory) -> None:
    cli, blanks = home.cli, f"sim:{home.stock}"
    for command in (("batch", "show"), ("batch", "report"), ("batch", "prepare"), ("batch", "approve")):
        reports(cli.run(*command, "B20200101-999"), 1, "there is no batch B20200101-999", "membercard batch list")
    reports(
        cli.run("perso", "run", "B20200101-999", "--reader", blanks), 1, "there is no batch", "membercard batch list"
    )
    reports(cli.run("perso", "run", home.draft, "--reader", blanks), 1, "is a draft", "membercard batch approve")
    reports(cli.run("batch", "prepare", home.draft), 1, "is a draft", "membercard batch approve")
    reports(cli.run("batch", "approve", home.draft, "--by", "clerk"), 1, "a second person")
    reports(cli.run("batch", "close", home.done, "--by", "one", "--second", "one"), 1, "two different people")


# --- profile and settings --------------------------------------------------------------------------------------------

PROFILES = {
    "empty": ("", ("a card profile is a mapping with the fields profile, scheme",)),
    "a list": ("- 1\n- 2\n", ("a card profile is a mapping with the fields profile, scheme",)),
    "no yaml": ("a: [\n", ("not YAML",)),
    "too little": ("profile: x\nscheme: '130000'\n", (":1: card_number: this field is required",)),
    "too much": ("profile: x\nnonsense: 1\n", (":2: nonsense: no such field",)),
    "wrong type": ("profile: x\nscheme: '130000'\ncard_number: {prefix: ninety}\n", (":3: card_number.prefix",)),
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_with_faults(home: IssuerDirectory, tmp_path: Path, name: str) -> None:
    """Each fault is one line with file and line number; there may be several."""
    text, words = PROFILES[name]
    file = tmp_path / "card.yaml"
    file.write_text(text, encoding="utf-8")
    for command in (("profile", "check", file), ("--profile", file, "batch", "prepare", home.done)):
        done = home.cli.run(*command)
        assert (done.status, done.out) == (1, "")
        lines = done.err.strip().removeprefix("membercard: ").splitlines()
        assert all(line.startswith(str(file)) for line in lines), done.err
        for word in words:
            assert any(word in line for line in lines), done.err


def test_a_profile_that_cannot_be_read(home: IssuerDirectory, tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    reports(home.cli.run("profile", "check", binary), 1, "not UTF-8 text")
    reports(home.cli.run("profile", "check", tmp_path / "none.yaml"), 1, "cannot read the card profile")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a =", ("is not TOML",)),
        ("nonsense = 1", ("nonsense: there is no such setting",)),
        ('station = ["a"]', ("station",)),
    ],
)
def test_settings_with_faults(home: IssuerDirectory, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    file = tmp_path / "issuer.toml"
    file.write_text(text, encoding="utf-8")
    reports(home.cli.run("--config", file, "batch", "list"), 1, str(file), *words)
    reports(home.cli.run("--config", tmp_path / "none.toml", "batch", "list"), 1, "cannot read the settings file")
    env = {"MEMBERCARD_SIMULATION": "perhaps"}
    reports(home.cli.run("batch", "list", env=env), 1, "simulation: true or false is wanted")


# --- signed lists ----------------------------------------------------------------------------------------------------


def test_lists_that_are_none_or_anothers(home: IssuerDirectory, other_home: IssuerDirectory, tmp_path: Path) -> None:
    home, other_home = home.copy(tmp_path / "home"), other_home.copy(tmp_path / "other-home")
    home.cli.ok("lists", "publish", tmp_path / "own")
    other_home.cli.ok("lists", "publish", tmp_path / "other")
    garbage = tmp_path / "garbage.json"
    garbage.write_bytes(b"%PDF")
    own, other = tmp_path / "own", tmp_path / "other"

    def verify(trust: Path, hotlist: Path, key: Path) -> Done:
        lists = ("--trust", trust, "--hotlist", hotlist, "--list-key", key)
        return home.cli.run("card", "verify", "--reader", home.card, *lists)

    assert verify(own / "trust.json", own / "hotlist.json", own / "list-key.json").status == 0
    reports(
        verify(other / "trust.json", own / "hotlist.json", own / "list-key.json"), 1, "is not signed by the list key"
    )
    reports(
        verify(own / "trust.json", other / "hotlist.json", own / "list-key.json"), 1, "is not signed by the list key"
    )
    reports(verify(garbage, own / "hotlist.json", own / "list-key.json"), 1)
    reports(verify(own / "trust.json", garbage, own / "list-key.json"), 1)
    reports(verify(own / "trust.json", own / "hotlist.json", garbage), 1, "does not hold the key")
    reports(verify(own / "none.json", own / "hotlist.json", own / "list-key.json"), 1, "cannot read")


# --- read-only directories -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read_only_home(home: IssuerDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IssuerDirectory]:
    """A data directory of its own in which nobody may write."""
    home = home.copy(tmp_path_factory.mktemp("sealed") / "home")
    home.cli.ok("batch", "list")  # the copy is known to its record
    places = [home.root, *(path for path in home.root.rglob("*") if path.is_dir())]
    for path in home.root.rglob("*"):
        if path.is_file():
            path.chmod(0o400)
    for place in places:
        place.chmod(0o555)
    yield home
    for place in places:
        place.chmod(0o755)


READ_ONLY = [
    "keys rotate imk-ac",
    "--keystore {data}/second keys init",
    "roster import {more} --by other",
    "batch approve {draft} --by reviewer",
    "batch report {done} --html {root}/report.html",
    "roster check {form} --annotate {root}/checked.xlsx",
    "lists publish {root}/lists",
    "sim stock {root}/more --count 1",
    "sim stock {stock} --count 1",
    "stock receive 5 --supplier-batch L-2",
]


@pytest.mark.parametrize("command", READ_ONLY)
def test_a_read_only_directory(read_only_home: IssuerDirectory, tmp_path: Path, command: str) -> None:
    home, more = read_only_home, csv_form(tmp_path / "more.csv", 2, start=900)
    names = {"root": home.root, "data": home.cli.data, "form": home.form, "stock": home.stock, "more": more}
    words = [str(SCRIPT), *command.format(**names, done=home.done, draft=home.draft).split()]
    before = listing(home.root), sorted(home.root.rglob("*"))
    ran = subprocess.run(unwritable(words), capture_output=True, text=True, env=home.cli.env(), check=False)
    reports(Done((command,), ran.returncode, ran.stdout, ran.stderr), 1)
    assert any(word in ran.stderr for word in ("ermission", "may not be written", "cannot be opened")), ran.stderr
    assert (listing(home.root), sorted(home.root.rglob("*"))) == before


# --- full disks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def home_on_disk(home: IssuerDirectory, tmp_path: Path) -> Iterator[tuple[IssuerDirectory, Disk]]:
    """An issuer with an approved batch on a disk of its own, which has room still."""
    place = tmp_path / "disk"
    with small_disk(place, 6_000) as mounted:
        home = home.copy(place / "home")
        home.cli.ok("batch", "approve", home.draft, "--by", "reviewer")
        yield home, Disk(place, mounted)


FULL = [
    ("keys", "rotate", "imk-ac"),
    ("--keystore", "{root}/new/keystore", "keys", "init"),
    ("roster", "import", "{more}", "--by", "clerk"),
    ("batch", "prepare", "{draft}"),
    ("batch", "report", "{done}", "--html", "{root}/report.html"),
    ("roster", "check", "{form}", "--annotate", "{root}/checked.xlsx"),
    ("lists", "publish", "{root}/lists"),
    ("sim", "stock", "{root}/more", "--count", "1"),
    ("stock", "receive", "5", "--supplier-batch", "L-2"),
]


def test_a_full_disk_and_then_room_again(home_on_disk: tuple[IssuerDirectory, Disk], tmp_path: Path) -> None:
    home, disk = home_on_disk
    more = csv_form(tmp_path / "more.csv", 40, start=900)
    names = {"root": home.root, "form": home.form, "done": home.done, "draft": home.draft, "more": more}
    commands = [tuple(word.format(**names) for word in command) for command in FULL]
    database = home.cli.data / "membercard.db"
    before = listing(home.root), records(database)
    for command in commands:
        disk.fill()
        done = home.cli.run(*command, **disk.limit)
        assert done.status == 1, (command, done.out, done.err)
        assert "Traceback" not in done.err
        last = done.err.strip().splitlines()[-1]
        assert last.startswith("membercard: "), (command, done.err)
        assert any(word in last for word in ("No space left", "disk", "too large")), (command, last)
        assert listing(home.root) == before[0], command
    disk.make_room()
    assert records(database) == before[1]
    for command in commands:
        done = home.cli.run(*command)
        # That form has rows to be returned, which is what `roster check` says with 1.
        assert done.status == (1 if command[:2] == ("roster", "check") else 0), (command, done.err)


def test_a_disk_that_is_full_when_the_line_starts(home_on_disk: tuple[IssuerDirectory, Disk]) -> None:
    home, disk = home_on_disk
    home.cli.ok("batch", "prepare", home.draft)
    disk.fill()
    done = home.cli.run("perso", "run", home.draft, "--reader", f"sim:{home.stock}", **disk.limit)
    assert done.status in (1, 3), done.err
    assert "Traceback" not in done.out + done.err
    assert "disk" in done.out + done.err or "No space" in done.out + done.err
    disk.make_room()
    home.cli.ok("perso", "run", home.draft, "--reader", f"sim:{home.stock}")
    accounts = home.cli.ok("batch", "show", home.draft, "--json").json["accounts"]
    assert (accounts["verified"], accounts["chips_rejected"], accounts["balanced"]) == (2, 0, True)


def test_settings_show_no_password(home: IssuerDirectory) -> None:
    """`doctor` prints the database it uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://clerk:very-secret@127.0.0.1:{free.getsockname()[1]}/cards"
        done = home.cli.run("--database", url, "doctor", "--json")
    assert done.status == 1
    findings = {finding["what"]: finding for finding in json.loads(done.out)}
    assert findings["database"]["state"] == "fault"
    assert "very-secret" not in done.out + done.err


def test_a_copy_of_the_directory_works_in_another_place(home: IssuerDirectory, tmp_path: Path) -> None:
    """A copy of the issuer works as the issuer does: nothing in it names another place."""
    copy = tmp_path / "moved"
    shutil.copytree(home.cli.data, copy)
    assert home.done in Cli(copy).ok("batch", "list").out
