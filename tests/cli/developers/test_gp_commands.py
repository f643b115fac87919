"""`membercard gp` against a card file, as a developer types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from membercard import settings
from membercard.commands.developers.gp.commands import app
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Response, StatusWord
from terminal.errors import CapError, CardRefused, KeyRefused, KeystoreLocked, NotGenuine, ReaderNotFound
from terminal.globalplatform import SecurityDomain, StatusEntry, StatusScope
from terminal.keys import GP_TEST_KEY
from tests.support.cards.cap_builder import cap_file
from tests.support.cards.member_specimen import AFL, AIP, FCI
from tests.support.cli import IssuerDirectory

KEY = GP_TEST_KEY.hex()
NEW = ":".join(bytes(range(start, start + 16)).hex() for start in (0x41, 0x52, 0x63))
PACKAGE, MEMBER = "F04D454D424552", "F04D454D4245520101"


@pytest.fixture(params=[2, 3])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "chip.card"
    VirtualCard.create(path, CardConfig(ProductionData(serial=42), scp=request.param))
    settings.activate(None, data_dir=tmp_path / "data", simulation=False)
    return f"sim:{path}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def good(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def as_json(*arguments: str) -> Any:
    return json.loads(good(*arguments, "--json"))


def registry(card: str, *more: str) -> dict[str, dict[str, Any]]:
    return {entry["aid"]: entry for entry in as_json("list", "--reader", card, *(more or ("--key", KEY)))}


def test_info_needs_no_key(card: str) -> None:
    facts = as_json("info", "--reader", card)
    assert facts["chip_serial"] == "60010000002A00014790"
    assert facts["production"]["ic_serial_number"] == "0000002A"
    assert facts["production"]["ic_personalizer"] is None
    assert facts["recognition"]["globalplatform"] == "2.3.1"
    assert facts["recognition"]["protocols"] in (["SCP02 i=55"], ["SCP03 i=70"])
    assert len(facts["keys"]) == 3
    text = good("info", "--reader", card)
    assert "60010000002A00014790" in text
    assert "SCP0" in text


def test_list_shows_domain_applications_and_load_files(card: str) -> None:
    good("install", "--reader", card, "--key", KEY, PACKAGE, MEMBER)
    entries = registry(card)
    assert entries["A000000151000000"]["state"] == "OP_READY"
    assert entries[MEMBER]["kind"] == "application"
    assert entries[PACKAGE]["modules"] == [MEMBER]
    text = good("list", "--reader", card, "--key", KEY)
    assert f"{MEMBER:<32}  application, SELECTABLE" in text
    assert f"    module {MEMBER}" in text


def test_a_cap_file_is_loaded_and_deleted(card: str, tmp_path: Path) -> None:
    path = tmp_path / "club.cap"
    path.write_bytes(cap_file(b"\xf0CLUB", [b"\xf0CLUB\x01"], body=600))
    loaded = as_json("load", "--reader", card, "--key", KEY, str(path))
    assert loaded == {"package": "F0434C5542", "version": "1.0", "applets": ["F0434C554201"]}
    assert "F0434C5542" in registry(card)
    assert "Deleted F0434C5542" in good("delete", "--reader", card, "--key", KEY, "F0434C5542", "--related")
    assert "F0434C5542" not in registry(card)


CLUB, FIRST, SECOND = "F0434C5542", "F0434C554201", "F0434C554202"


@pytest.fixture
def club(tmp_path: Path) -> str:
    path = tmp_path / "club.cap"
    path.write_bytes(cap_file(b"\xf0CLUB", [b"\xf0CLUB\x01", b"\xf0CLUB\x02"], body=600))
    return str(path)


def test_a_cap_file_is_loaded_and_its_applets_installed_in_one_session(
    card: str, club: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = []
    authenticate = SecurityDomain.authenticate
    monkeypatch.setattr(SecurityDomain, "authenticate", lambda *a: (sessions.append(1), authenticate(*a))[1])
    text = good("load", "--reader", card, "--key", KEY, club, "--install")
    assert text.splitlines()[1:] == [f"Installed {FIRST}", f"Installed {SECOND}"]
    assert len(sessions) == 1
    entries = registry(card)
    assert [entries[aid]["state"] for aid in (FIRST, SECOND)] == ["SELECTABLE", "SELECTABLE"]


def test_one_applet_of_a_cap_file_is_installed_under_another_name(card: str, club: str) -> None:
    more = ("--install", "--module", SECOND, "--instance", "F0434C554299", "--privileges", "04")
    done = as_json("load", "--reader", card, "--key", KEY, club, *more)
    assert done["installed"] == ["F0434C554299"]
    entries = registry(card)
    assert entries["F0434C554299"]["load_file"] == CLUB
    assert entries["F0434C554299"]["privileges"] == ["card reset"]
    assert FIRST not in entries


def test_what_was_done_before_a_refused_installation_is_shown(card: str, club: str) -> None:
    done = run("load", "--reader", card, "--key", KEY, club, "--install", "--privileges", "04", "--json")
    assert isinstance(done.exception, CardRefused)  # one application only is selected after a reset
    assert json.loads(done.stdout)["installed"] == [FIRST]
    assert CLUB in registry(card)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--install", "--module", "F0434C554203"), "no such applet in the file"),
        (("--install", "--instance", "F0434C554299"), "name the applet with --module"),
        (("--module", FIRST), "are for --install"),
        (("--parameters", "C9"), "are for --install"),
    ],
)
def test_what_cannot_be_installed_is_refused_before_the_card_is_changed(
    card: str, club: str, more: tuple[str, ...], words: str
) -> None:
    refused = run("load", "--reader", card, "--key", KEY, club, *more)
    assert refused.exit_code == 2
    assert words in " ".join(refused.stderr.replace("│", " ").split())
    assert CLUB not in registry(card)


def test_what_is_no_cap_file_never_reaches_the_card(card: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a CAP file")
    assert isinstance(run("load", "--reader", card, "--key", KEY, str(path)).exception, CapError)
    assert run("load", "--reader", card, "--key", KEY, str(path), "--hash", "md5").exit_code == 2


def test_keys_are_replaced_and_the_old_ones_are_gone(card: str) -> None:
    put = as_json("put-key", "--reader", card, "--key", KEY, NEW, "--new-version", "33")
    assert put["version"] == 33
    assert set(put["kcv"]) == {"ENC", "MAC", "DEK"}
    assert registry(card, "--key", NEW, "--key-version", "33")
    assert isinstance(run("list", "--reader", card, "--key", KEY).exception, NotGenuine)


def test_published_keys_are_not_put_on_a_card_in_production(card: str, tmp_path: Path) -> None:
    arguments = ("put-key", "--reader", card, "--key", KEY, KEY, "--new-version", "33")
    assert isinstance(run(*arguments).exception, KeyRefused)
    settings.activate(None, data_dir=tmp_path / "data", simulation=True)
    assert as_json(*arguments)["version"] == 33


def test_dgis_are_stored_plain_and_secret(card: str) -> None:
    good("install", "--reader", card, "--key", KEY, PACKAGE, MEMBER)
    gpo = b"\x82\x02" + AIP + b"\x94" + bytes((len(AFL),)) + AFL
    groups = [(0x9102, FCI), (0x9104, gpo), (0x8010, bytes.fromhex("26246810FFFFFFFF")), (0x9010, b"\x03\x03")]
    data = b"".join(number.to_bytes(2, "big") + bytes((len(value),)) + value for number, value in groups).hex()
    common = ("--reader", card, "--key", KEY, MEMBER, data)
    refused = run("store-data", *common)
    assert isinstance(refused.exception, CardRefused)
    assert "storing data" in str(refused.exception)
    assert run("store-data", *common, "--secret", "8000").exit_code == 2


def test_data_that_the_card_returns_to_store_data_are_shown(card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good("install", "--reader", card, "--key", KEY, PACKAGE, MEMBER)
    send, sent = SecurityDomain.send, []

    def answering(domain: SecurityDomain, command: Command) -> Response:
        if command.ins != 0xE2:
            return send(domain, command)
        sent.append(command)
        return Response(b"\xab\xcd" if command.p1 & 0x01 else b"", StatusWord(0x9000))

    monkeypatch.setattr(SecurityDomain, "send", answering)
    common = ("store-data", "--reader", card, "--key", KEY, MEMBER, "920004DF020100")
    assert as_json(*common, "--response") == {"instance": MEMBER, "commands": 1, "returned": ["ABCD"]}
    assert "returned: ABCD" in good(*common, "--response")
    assert "returned" not in good(*common)
    assert [command.p1 for command in sent] == [0x89, 0x89, 0x88]


def test_a_refused_part_of_the_list_leaves_the_other_parts(card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good("install", "--reader", card, "--key", KEY, PACKAGE, MEMBER)
    status, refused = SecurityDomain.status, {StatusScope.APPLICATIONS}

    def refusing(domain: SecurityDomain, scope: StatusScope, aid: bytes = b"") -> list[StatusEntry]:
        if scope in refused:
            raise CardRefused(f"listing {scope.name}", StatusWord(0x6985))
        return status(domain, scope, aid)

    monkeypatch.setattr(SecurityDomain, "status", refusing)
    result = run("list", "--reader", card, "--key", KEY)
    assert result.exit_code == 1
    assert "not all could be read: listing APPLICATIONS: card answered 6985" in result.stderr
    assert "A000000151000000" in result.stdout
    assert f"module {MEMBER}" in result.stdout
    refused |= set(StatusScope)
    assert isinstance(run("list", "--reader", card, "--key", KEY).exception, CardRefused)


@pytest.mark.parametrize(
    "typed",
    [
        ("delete", "--key", KEY, "F04D"),
        ("install", "--key", KEY, PACKAGE, "F0"),
        ("install", "--key", KEY, PACKAGE, MEMBER, "--privileges", "0000"),
        ("store-data", "--key", KEY, MEMBER, "920004DF0201"),
        ("store-data", "--key", KEY, MEMBER, "9200zz"),
        ("store-data", "--key", KEY, MEMBER, "DF0101AA", "--format", "ber", "--secret", "DF01"),
        ("apdu", "00A4"),
        ("apdu", "00A4040005A0"),
    ],
    ids=lambda typed: " ".join(typed[-2:]),
)
def test_what_cannot_be_sent_is_a_usage_error(card: str, typed: tuple[str, ...]) -> None:
    command, *rest = typed
    assert run(command, "--reader", card, *rest).exit_code == 2


def test_ber_data_go_out_as_ber(card: str) -> None:
    good("install", "--reader", card, "--key", KEY, PACKAGE, MEMBER)
    result = run("store-data", "--reader", card, "--key", KEY, MEMBER, "DF0101AA", "--format", "ber")
    assert isinstance(result.exception, CardRefused)
    assert "storing data, block 1 of 1" in str(result.exception)


def test_commands_are_sent_as_they_are_or_through_the_channel(card: str) -> None:
    turns = as_json("apdu", "--reader", card, "00A4040000", "80CA9F7F00")
    assert [turn["status"] for turn in turns] == ["9000 (success)"] * 2
    refused = run("apdu", "--reader", card, "80F28002024F0000")
    assert refused.exit_code == 1
    assert "GET STATUS" in refused.output
    assert "6982" in refused.output
    assert "9000" in good("apdu", "--reader", card, "--secure", "--key", KEY, "80F28002024F0000")
    assert run("apdu", "--reader", card, "xyz").exit_code == 2


def test_wrong_keys_and_missing_things_are_named(card: str) -> None:
    wrong = run("list", "--reader", card, "--key", "11" * 8 + "22" * 8)
    assert isinstance(wrong.exception, NotGenuine)
    assert "11" * 8 not in str(wrong.exception)
    assert isinstance(run("list", "--reader", card).exception, KeystoreLocked)
    assert isinstance(run("info", "--reader", "sim:/no/such.card").exception, ReaderNotFound)


@pytest.mark.parametrize("key", [KEY[:-2], KEY + "0", f"{KEY}:{KEY}", f"{KEY}:{KEY}:{KEY}00", "40:41:42"])
def test_a_key_that_is_none_is_a_usage_error_and_is_not_repeated(card: str, key: str) -> None:
    result = run("list", "--reader", card, "--key", key)
    assert result.exit_code == 2
    assert KEY[:16] not in result.output


def test_levels_must_be_hex(card: str) -> None:
    assert run("list", "--reader", card, "--key", KEY, "--level", "zz").exit_code == 2
    assert run("list", "--reader", card, "--key", KEY, "--level", "01").exit_code == 0


def test_an_issued_card_is_opened_with_the_final_keys_of_the_profile(home: IssuerDirectory) -> None:
    listed = home.cli.ok("gp", "list", "--reader", home.card, "--json").json
    assert {"A000000151000000", "F04D454D4245520101"} <= {entry["aid"] for entry in listed}
    refused = home.cli.run("gp", "list", "--reader", home.card, "--key", "kmc-aes")
    assert refused.status == 3


@pytest.mark.parametrize(("scp", "version"), [("02", "20"), ("03", "31")])
def test_a_blank_card_with_the_version_of_the_final_keys_is_opened_with_the_stock_keys(
    home: IssuerDirectory, tmp_path: Path, scp: str, version: str
) -> None:
    home.cli.ok("sim", "stock", tmp_path / "odd", "--count", 1, "--scp", scp, "--key-version", version)
    (blank,) = (tmp_path / "odd").glob("*.card")
    listed = home.cli.ok("gp", "list", "--reader", f"sim:{blank}", "--json").json
    assert listed[0]["aid"] == "A000000151000000"
