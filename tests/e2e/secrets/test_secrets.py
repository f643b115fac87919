"""Nothing that the program writes betrays a key, a passphrase, a PIN, an ID number, a phone or a member's name.

Recognisable secrets are planted, the main job is run through the command line with everything that can go wrong going
wrong, and all that came out is searched: standard output and error, reports, lists, the database with its write-ahead
log, keystore, key pool. Left out are, and must be: the registration forms themselves, the JSON of `roster check`, which
is the form read out, and virtual card files, since such a file *is* the chip and holds what a chip holds. A counter's
screen (`card verify`) and a look at the card (`card read`) show the member's name to the person who holds the card in
their hands, and of ID number and phone the last four digits.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from membercard import settings
from membercard.commands.counter.card import judge
from membercard.errors import SettingsError
from membercard.wiring.readers import card_in
from personalize.dossiers.dossier import Dossier
from personalize.intake import check
from personalize.lists import own_trust
from personalize.profiles.profile import Profile, load_profile, parse_profile
from registry.person import Person
from registry.store import Registry
from registry.values import AcceptedRow
from terminal.apdu import Trace, stack
from terminal.errors import MembercardError
from terminal.globalplatform import (
    AuthenticationGuard,
    HostAuthentication,
    SecurityDomain,
    SecurityLevel,
    StatusScope,
    keys_from_master,
)
from terminal.keys import Algorithm, Diversification, KeyRef, Purpose, Sealed, SoftwareKeystore
from terminal.keys.standard import OWN_KEYS
from terminal.member.hotlist import Hotlist
from terminal.member.lists import CounterLists
from terminal.member.values import Sex
from terminal.secret import Secret
from tests.support import profiles
from tests.support.cli import FORM_HEAD, Cli, Done
from tests.support.issuer import id_number
from tests.support.leaks import Leak, LeakSearch
from tests.support.unsealed import hidden

PASSPHRASE = "Kupferkanne-7-im-Brunnen"
KEYS = {
    "kmc": "D1C7A4B89E6F5C3B2A1F0E9D8C7B6A50",
    "kmc-aes": "A3F1C5E79B8D6F4E2C0A1B3D5F7E9C8A",
    "imk-card": "B6E5D3C1A8F79E8C7A6B5D4C3E2F1A0B",
    "imk-card-aes": "C9D8E7F6A5B4C3D2E1F0A9B8C7D6E5F4",
    "imk-read": "9A8B7C6D5E4F3A2B1C0D9E8F7A6B5C4D",
    "imk-ac": "8F7E6D5C4B3A29180716F5E4D3C2B1A0",
    "imk-smi": "7B9D1F3A5C7E9B0D2F4A6C8E0B1D3F5A",
    "imk-smc": "6C8E0A2D4F6B8C0E1A3D5F7B9C1E3A5D",
    "seal": "5D7F9B1C3E5A7C9E0B2D4F6A8C0E1B3D5F7A9C1E3B5D7F9A1C3E5B7D9F0A2C4E",
}
STRANGER = "E7D5C3B1A9F8E6D4C2B0A1F3E5D7C9BB"
MEMBERS = (("欧阳慕容雪", 11), ("司马相如卿", 22), ("诸葛孔明远", 33), ("端木子贡贤", 44))
REJECTED = (("尉迟敬德公", 55), ("公孙胜清道", 66))
UNIT = "密云水库管理处工会"


def mobile(serial: int) -> str:
    return f"139{serial:02d}864207"


def wrong_check(serial: int) -> str:
    number = id_number(serial)
    return number[:-1] + ("0" if number[-1] != "0" else "1")


@pytest.fixture(scope="module")
def spy() -> LeakSearch:
    """Every planted secret."""
    search = LeakSearch()
    search.plant_text("passphrase", PASSPHRASE)
    for name, key in (*KEYS.items(), ("stranger", STRANGER)):
        search.plant_bytes(f"key {name}", bytes.fromhex(key))
    for (name, serial), rejected in [(m, False) for m in MEMBERS] + [(r, True) for r in REJECTED]:
        number = wrong_check(serial) if rejected else id_number(serial)
        search.plant_text(f"ID number {serial}", number)
        search.plant_text(f"phone {serial}", mobile(serial))
        search.plant_text(f"name {serial}", name)
    return search


@dataclass
class Work:
    """The whole main job and all that was printed by it."""

    cli: Cli
    root: Path
    batch: str
    printed: list[Done]
    counter: list[Done]
    log: bytes

    @property
    def registry_url(self) -> str:
        return f"sqlite:///{self.cli.data / 'membercard.db'}"

    @property
    def cards(self) -> list[Path]:
        return sorted((self.root / "stock" / "issued").glob("*.card"))


def profile_with_long_pins(path: Path) -> Path:
    """Twelve digits stand nowhere by chance."""
    text = profiles.text()
    assert "pin: {digits: 6" in text
    path.write_text(text.replace("pin: {digits: 6", "pin: {digits: 12"), encoding="utf-8")
    return path


def plant_pins(spy: LeakSearch, data: Path, keystore: SoftwareKeystore) -> None:
    """The PINs are drawn while dossiers are made: whoever has the keystore can open them, and this test has it."""
    with contextlib.closing(sqlite3.connect(data / "membercard.db")) as raw:
        rows = raw.execute("SELECT sealed, seal_key, context FROM dossier_secrets").fetchall()
    assert rows
    for blob, key, context in rows:
        name, _, version = key.partition("/")
        sealed = Sealed(KeyRef(name, int(version)), blob, context)
        dossier = Dossier.decode(keystore.open(sealed).reveal())
        (block,) = [part.value for part in dossier.member.parts if part.number == 0x8010]
        assert isinstance(block, Sealed)
        pin = hidden(keystore, block).hex()[2:14]
        assert pin.isdecimal()
        spy.plant_pin(f"PIN {dossier.card_number}-{dossier.sequence}", pin)


def form(path: Path) -> Path:
    lines = [FORM_HEAD]
    for number, (name, serial) in enumerate((*MEMBERS, *REJECTED), 1):
        identity = wrong_check(serial) if (name, serial) in REJECTED else id_number(serial)
        gender = "男" if int(identity[16]) % 2 else "女"
        lines.append(f"{number},{identity},{name},{gender},{mobile(serial)},{UNIT}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def keystore_with_known_keys(data: Path) -> SoftwareKeystore:
    keystore = SoftwareKeystore.unlock(data / "keystore", Secret(PASSPHRASE.encode()))
    kinds = {key.name: (key.purpose, key.algorithm) for key in OWN_KEYS}
    kinds |= {"kmc": (Purpose.KMC, Algorithm.TDES), "kmc-aes": (Purpose.KMC, Algorithm.AES128)}
    for name, key in KEYS.items():
        keystore.import_key(name, *kinds[name], Secret(bytes.fromhex(key)), by="supplier")
    return keystore


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, spy: LeakSearch) -> Work:
    root = tmp_path_factory.mktemp("secrets")
    profile = profile_with_long_pins(root / "card.yaml")
    cli = Cli(root / "data", passphrase=PASSPHRASE)
    printed: list[Done] = []

    def run(*words: object, status: int | None = 0, **env: str) -> Done:
        done = cli.run("--profile", profile, *words, env=env)
        assert status is None or done.status == status, (words, done.out, done.err)
        printed.append(done)
        return done

    run("keys", "init")
    keystore = keystore_with_known_keys(cli.data)
    roster, stock = form(root / "form.csv"), root / "stock"
    run("roster", "check", roster, status=1)
    run("roster", "check", roster, "--lang", "en", status=1)
    run("roster", "import", roster, "--by", "clerk")
    # An open reader keeps the write-ahead log on the disk, to be searched with everything else.
    with Registry.open(f"sqlite:///{cli.data / 'membercard.db'}", keystore) as registry:
        batch = registry.batches.all()[0].id
        fault_in_the_database(cli, run, root)
        run("batch", "approve", batch, "--by", "reviewer")
        run("batch", "prepare", batch)
        plant_pins(spy, cli.data, keystore)
        run("sim", "stock", stock, "--count", 1, "--key", STRANGER)
        run("perso", "run", batch, "--reader", f"sim:{stock}", "--tries", 1, status=1)
        run("sim", "stock", stock, "--count", 4, "--key", KEYS["kmc-aes"])
        run("sim", "stock", stock, "--count", 4, "--scp", "02", "--key", KEYS["kmc"])
        for fault in ("tear-apdu:12+", "corrupt:15", "mute:9"):
            run("perso", "run", batch, "--reader", f"sim:{stock}?fault={fault}", "--tries", 3, status=None)
        run("batch", "prepare", batch)
        run("perso", "run", batch, "--reader", f"sim:{stock}")
        plant_pins(spy, cli.data, keystore)
        log = (cli.data / "membercard.db-wal").read_bytes()
    whole = Work(cli, root, batch, printed, [], log)
    look_at_everything(whole, run)
    return whole


def fault_in_the_database(cli: Cli, run: Callable[..., Done], root: Path) -> None:
    """A driver's error that carries the parameters of the statement which failed."""
    other = root / "other.csv"
    other.write_text(form(root / "again.csv").read_text("utf-8").replace(id_number(11), id_number(99)), "utf-8")
    with contextlib.closing(sqlite3.connect(cli.data / "membercard.db")) as raw, raw:
        raw.execute("CREATE TRIGGER broken BEFORE INSERT ON members BEGIN SELECT RAISE(ABORT, 'no'); END")
    run("roster", "import", other, "--by", "clerk", status=1)
    run("roster", "import", other, "--by", "clerk", status=1, MEMBERCARD_TRACEBACK="1")
    with contextlib.closing(sqlite3.connect(cli.data / "membercard.db")) as raw, raw:
        raw.execute("DROP TRIGGER broken")


def look_at_everything(work: Work, run: Callable[..., Done]) -> None:
    """Every command that shows something, in both forms, and every fault that has to do with keys."""
    batch, reports = work.batch, work.cli.data / "reports"
    for json in ((), ("--json",)):
        for words in (("batch", "list"), ("batch", "show", batch), ("batch", "report", batch), ("stock", "show")):
            run(*words, *json, status=None)
        for words in (("keys", "list"), ("keys", "audit"), ("keys", "kcv", "kmc"), ("doctor",)):
            run(*words, *json)
        for card in work.cards:
            run("card", "trace", "--reader", f"sim:{card}", *json)
            run("card", "info", "--reader", f"sim:{card}", *json)
            run("sim", "show", card, *json)
            for words in (("card", "verify"), ("card", "read")):
                work.counter.append(work.cli.ok(*words, "--reader", f"sim:{card}", *json))
    run("batch", "report", batch, "--html", reports / "report.html")
    run("lists", "publish", reports)
    card = f"sim:{work.cards[0]}"
    run("keys", "list", status=1, MEMBERCARD_PASSPHRASE=PASSPHRASE + "!")
    run("gp", "list", "--reader", card, "--key", KEYS["kmc-aes"], status=3)
    run("gp", "list", "--reader", card, status=3, MEMBERCARD_GP_KEY=STRANGER)
    run("gp", "list", "--reader", card, "--key", KEYS["kmc"] + "F", status=None)
    run("--config", bad_settings(work.root / "bad.toml"), "batch", "list", status=1)
    run("batch", "list", status=1, MEMBERCARD_SIMULATION=PASSPHRASE)
    run("keys", "rotate", "imk-ac")


def bad_settings(path: Path) -> Path:
    path.write_text(f'passphrase = "{PASSPHRASE}"\nstation = ["{KEYS["kmc"]}"]\n', encoding="utf-8")
    return path


def without_names(leaks: list[Leak]) -> list[Leak]:
    return [leak for leak in leaks if not leak.secret.startswith("name ")]


def test_the_main_job_was_done_with_the_planted_keys(work: Work) -> None:
    accounts = work.cli.ok("batch", "show", work.batch, "--json").json["accounts"]
    assert accounts["verified"] == len(MEMBERS) == len(work.cards)
    assert accounts["chips_rejected"] >= 1
    assert len(work.printed) > 40


@pytest.mark.parametrize(
    "disguise",
    [
        lambda raw: raw,
        lambda raw: raw.hex().encode(),
        lambda raw: raw.hex().upper().encode(),
        lambda raw: b"data: " + base64.b64encode(b"x" + raw + b"yz"),
        lambda raw: base64.b64encode(b"xy" + raw),
        lambda raw: base64.urlsafe_b64encode(raw),
        lambda raw: repr(b"a" + raw).encode(),
        lambda raw: str({"key": list(raw)}).encode(),
    ],
    ids=["raw", "hex", "HEX", "Base64 within", "Base64 shifted", "URL-safe", "repr", "list"],
)
def test_the_search_finds_what_is_there(spy: LeakSearch, disguise: Callable[[bytes], bytes]) -> None:
    """The positive control, for each kind of secret."""
    for name, raw in (
        ("key kmc", bytes.fromhex(KEYS["kmc"])),
        ("passphrase", PASSPHRASE.encode()),
        ("ID number 11", id_number(11).encode()),
        ("phone 22", mobile(22).encode("utf-16-le")),
        ("name 33", "诸葛孔明远".encode("gb18030")),
    ):
        leaks = spy.look("here", b"before " + disguise(raw) + b" after")
        assert name in {leak.secret for leak in leaks}


def test_the_search_finds_digits_pins_and_escapes(spy: LeakSearch) -> None:
    assert {leak.secret for leak in spy.look("", '{"name": "\\u6b27\\u9633\\u6155\\u5bb9\\u96ea"}')} == {"name 11"}
    own = LeakSearch()
    own.plant_text("phone 11", mobile(11))
    own.plant_pin("PIN", "864209753108")
    packed = bytes.fromhex(mobile(11) + "F")
    assert {leak.secret for leak in own.look("", b"\x5f\x20" + packed)} == {"phone 11"}
    assert {leak.secret for leak in own.look("", "PIN=864209753108;")} == {"PIN"}
    assert {leak.secret for leak in own.look("", bytes.fromhex("2C864209753108FF"))} == {"PIN"}


def test_the_search_finds_a_form_and_a_chip(spy: LeakSearch, work: Work) -> None:
    """What is left out is left out for a reason: the secrets are there."""
    leaked = {leak.secret for leak in spy.look_through([work.root / "form.csv"])}
    assert {f"ID number {serial}" for _, serial in MEMBERS} <= leaked
    assert any("name " in leak.secret for leak in spy.look_through(work.cards))


def test_no_command_prints_a_secret(spy: LeakSearch, work: Work) -> None:
    assert [leak for done in work.printed for leak in spy.look(" ".join(done.args), done.out + done.err)] == []


def test_a_counters_screen_shows_a_name_and_nothing_else(spy: LeakSearch, work: Work) -> None:
    leaks = [leak for done in work.counter for leak in spy.look(" ".join(done.args), done.out + done.err)]
    assert without_names(leaks) == []
    shown = "".join(done.out for done in work.counter)
    assert all(name in shown for name, _ in MEMBERS)
    assert id_number(11)[-4:] in shown


def test_no_file_of_the_issuer_holds_a_secret(spy: LeakSearch, work: Work) -> None:
    files = [path for path in work.cli.data.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"keystore", "membercard.db", "report.html", "trust.json", "hotlist.json"} <= names
    assert any(path.suffix == ".key" for path in files) or "keypool" in {path.name for path in work.cli.data.iterdir()}
    assert spy.look_through(files) == []


def test_the_write_ahead_log_holds_no_secret(spy: LeakSearch, work: Work) -> None:
    assert len(work.log) > 100_000
    assert work.batch.encode() in work.log
    assert spy.look("write-ahead log", work.log) == []


def test_only_the_owner_may_read_what_is_secret(work: Work) -> None:
    for path in [work.cli.data / "keystore", *work.cli.data.rglob("*.key"), *work.cards]:
        assert path.stat().st_mode & 0o077 == 0, path


# --- in this process: exceptions with all they hold ------------------------------------------------------------------


@dataclass
class Inside:
    """The same issuer, opened here."""

    work: Work
    keystore: SoftwareKeystore
    registry: Registry
    profile: Profile


@pytest.fixture
def inside(work: Work) -> Inside:
    keystore = SoftwareKeystore.unlock(work.cli.data / "keystore", Secret(PASSPHRASE.encode()))
    return Inside(work, keystore, Registry.open(work.registry_url, keystore), load_profile(work.root / "card.yaml"))


def wrong_passphrase(inside: Inside) -> None:
    SoftwareKeystore.unlock(inside.work.cli.data / "keystore", Secret(PASSPHRASE.encode() + b"!"))


def tampered_keystore(inside: Inside) -> None:
    text = (inside.work.cli.data / "keystore").read_bytes()
    copy = inside.work.root / "tampered"
    copy.write_bytes(text.replace(b'"memory_kib": 19456', b'"memory_kib": 19457'))
    SoftwareKeystore.unlock(copy, Secret(PASSPHRASE.encode()))


@contextlib.contextmanager
def security_domain(inside: Inside, reader: str) -> Iterator[SecurityDomain]:
    with card_in(reader, 0) as transport:
        domain = SecurityDomain(stack(transport), inside.keystore, AuthenticationGuard())
        domain.select()
        yield domain


def stock_keys(inside: Inside, domain: SecurityDomain) -> HostAuthentication:
    aes = any(kind == 0x88 for key in domain.key_information() for kind, _ in key.components)
    source = keys_from_master(
        inside.keystore, inside.keystore.latest("kmc-aes" if aes else "kmc"), Diversification.NONE
    )
    return HostAuthentication(source, SecurityLevel.C_MAC | SecurityLevel.C_DECRYPTION)


def wrong_card_key(inside: Inside) -> None:
    with security_domain(inside, f"sim:{inside.work.cards[0]}") as domain:
        domain.authenticate(stock_keys(inside, domain))


def torn_session(inside: Inside) -> None:
    blank = next((inside.work.root / "stock").glob("*.card"))
    with security_domain(inside, f"sim:{blank}?fault=tear-apdu:9") as domain:
        domain.authenticate(stock_keys(inside, domain))
        for _ in range(10):
            domain.status(StatusScope.APPLICATIONS)


def key_misused(inside: Inside) -> None:
    inside.keystore.sign(inside.keystore.latest("imk-ac"), b"x")


def key_refused(inside: Inside) -> None:
    key = Secret(bytes.fromhex(KEYS["kmc"]))
    inside.keystore.import_key("kmc", Purpose.KMC, Algorithm.TDES, key, by="x", kcv=b"\0\0\0")


def seal_moved(inside: Inside) -> None:
    sealed = inside.keystore.seal(inside.keystore.latest("seal"), id_number(11).encode(), "here")
    inside.keystore.open(type(sealed)(sealed.key, sealed.blob, "there"))


def form_twice(inside: Inside) -> None:
    row = AcceptedRow(2, 1, Person(id_number(11), "欧阳慕容雪", Sex.FEMALE, mobile(11)), UNIT)
    inside.registry.rosters.import_roster(UNIT, [row], [], source="x", digest="x", by="x")


def constraint_violated(inside: Inside) -> None:
    row = AcceptedRow(2, 1, Person(id_number(77), "欧阳慕容雪", Sex.FEMALE, mobile(11)), UNIT)
    inside.registry.rosters.import_roster(UNIT, [row, row], [], source="x", digest="y", by="x")


def settings_with_a_secret(inside: Inside) -> None:
    settings.activate(bad_settings(inside.work.root / "bad.toml"))


def profile_with_a_secret(inside: Inside) -> None:
    parse_profile(f"profile: x\nscheme: {{a: {PASSPHRASE}}}\npassphrase: {PASSPHRASE}\n", "card.yaml")


def broken_form(inside: Inside) -> None:
    path = inside.work.root / "broken.csv"
    path.write_bytes((inside.work.root / "form.csv").read_bytes() + b"\0\0")
    check(path)


FAULTS = [
    wrong_passphrase, tampered_keystore, wrong_card_key, torn_session, key_misused, key_refused, seal_moved, form_twice,
    constraint_violated, settings_with_a_secret, profile_with_a_secret, broken_form,
]  # fmt: skip
# Who writes a passphrase into a settings file or a profile has it in clear on the disk, and so in that file's text.
IN_THE_DARK = [fault for fault in FAULTS if fault not in (settings_with_a_secret, profile_with_a_secret)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_exception_tells_a_secret(
    spy: LeakSearch, inside: Inside, fault: Callable[[Inside], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its text, nor its causes, nor what logging or an editor would print of it."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises((MembercardError, SettingsError)) as raised:
        fault(inside)
    chain, error = [], raised.value
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    everything = "\n".join(
        [f"{e}\n{e!r}\n{e.args!r}\n{vars(e)!r}" for e in chain]
        + traceback.format_exception(raised.value)
        + [caplog.text]
    )
    assert spy.look(fault.__name__, everything) == []


@pytest.mark.parametrize("fault", IN_THE_DARK, ids=lambda fault: fault.__name__)
def test_no_local_variable_of_a_failed_key_operation_prints_a_key(
    spy: LeakSearch, inside: Inside, fault: Callable[[Inside], None]
) -> None:
    """Every frame's locals with their repr, as crash reporters do: keys, PINs and passphrases stay dark even there."""
    with pytest.raises((MembercardError, SettingsError)) as raised:
        fault(inside)
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())
    own = "tests/e2e/secrets/test_secrets.py"
    frames = [part for part in shown.split("  File ") if own not in part]
    dark = ("key ", "PIN ", "passphrase")
    assert [leak for leak in spy.look(fault.__name__, "".join(frames)) if leak.secret.startswith(dark)] == []


def test_a_redacted_trace_holds_nothing(spy: LeakSearch, inside: Inside) -> None:
    """The trace of reading a whole card, as objects and as text; with --reveal the name is there."""
    trust = own_trust(inside.keystore, inside.profile.trust, datetime.now(UTC))
    nobody = Hotlist.of((), trust.issue)
    reader = f"sim:{inside.work.cards[1]}"
    for reveal in (False, True):
        trace = Trace(reveal=reveal)
        with card_in(reader, 0) as transport:
            verdict = judge(stack(transport, trace), CounterLists(trust, nobody))
        assert verdict.accepted
        printed = repr(trace) + repr(trace.entries) + "\n".join(map(str, trace.entries)) + repr(vars(trace))
        raw = b"".join((entry.command_data or b"") + (entry.response_data or b"") for entry in trace.entries)
        leaks = spy.look("trace", printed) + spy.look("trace", raw)
        assert bool(leaks) is reveal
        assert without_names(leaks) == []
        assert spy.look("verdict", repr(verdict) + repr(verdict.member)) == []
