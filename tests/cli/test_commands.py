"""The command line's promises: names, help that teaches, JSON with stable fields, exit codes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from membercard.cli import app
from tests.support.cli import Cli, Done, IssuerDirectory
from tests.support.paths import ROOT

# The stable names. A name may be added, none goes away.
NAMES = """
demo | doctor | profile check
roster check | roster import
batch list | batch show | batch approve | batch prepare | batch report | batch release | batch close | batch discard
perso run
card info | card read | card verify | card trace | card log
tlv decode
readers list | readers watch
gp info | gp list | gp install | gp load | gp delete | gp put-key | gp store-data | gp apdu
sim stock | sim attach | sim show
keys init | keys list | keys kcv | keys rotate | keys import | keys audit
lists publish
stock receive | stock show
unit list | unit place
waiting
"""
STABLE = [tuple(name.split()) for name in NAMES.replace("\n", "|").split("|") if name.strip()]
# Whose use is not clear from the option list alone.
WITH_EXAMPLE = [
    "roster check", "roster import", "batch approve", "batch prepare", "batch report", "perso run", "card verify",
    "card trace", "tlv decode", "gp load", "gp install", "gp put-key", "gp store-data", "gp apdu", "sim stock",
    "sim attach", "keys init", "keys import", "lists publish", "stock receive",
]  # fmt: skip


@functools.cache
def tree() -> Any:
    return typer.main.get_command(app)


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    context = command.make_context("membercard", [], resilient_parsing=True)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name))


@functools.cache
def commands() -> dict[tuple[str, ...], Any]:
    """Every command by its words: all of them are read from their signatures, which takes a while."""
    return dict(leaves(tree()))


def command_at(path: tuple[str, ...]) -> Any:
    return commands()[path]


def test_every_stable_name_is_there() -> None:
    assert set(STABLE) <= set(commands())


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_help_says_what_a_command_and_each_of_its_options_is_for(path: tuple[str, ...]) -> None:
    command = command_at(path)
    assert command.help
    assert command.help[0].isupper()
    mute = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert mute == []


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_help_shows_an_example_that_would_run(name: str) -> None:
    command = command_at(tuple(name.split()))
    (line,) = [line.strip() for line in command.help.splitlines() if line.strip().startswith("Example: ")]
    words = [word for word in line.removeprefix("Example: ").split() if word != "--simulation"]
    assert words[:3] == ["membercard", *name.split()]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word for word in words[3:] if word.startswith("--")}
    assert used <= options, used - options


def test_each_group_has_help_and_the_root_names_the_exit_codes(home: IssuerDirectory) -> None:
    shown = home.cli.ok("--help").out
    for group in {path[0] for path in STABLE}:
        assert f" {group} " in shown
    assert "Exit codes: 0 ok" in " ".join(shown.split())


@pytest.mark.parametrize(
    "words", [("roster", "check"), ("perso", "run"), ("sim", "attach"), ("gp", "list")], ids=" ".join
)
def test_help_needs_no_data_directory(words: tuple[str, ...], tmp_path: Path, home: IssuerDirectory) -> None:
    shown = home.cli.ok(*words, "--help", env={"MEMBERCARD_DATA_DIR": str(tmp_path / "none")})
    assert "Usage: membercard" in shown.out
    assert list(tmp_path.iterdir()) == []


BATCH = {
    "id", "unit", "state", "kind", "source", "digest", "imported_by", "imported_at", "approved_by", "approved_at",
    "closed_by", "closed_at", "accepted", "rejected", "unchanged", "changes", "to_prepare", "dossiers", "verified",
    "needs_confirmation",
}  # fmt: skip
ACCOUNTS = {
    "members", "to_prepare", "dossiers", "waiting", "claimed", "missing", "verified", "remade", "chips_fed",
    "chips_verified", "chips_rejected", "chips_in_reader", "cards", "balanced",
}  # fmt: skip
STOCK = {"received", "fed", "verified", "rejected", "in_reader", "foreign", "spoilt", "left", "balanced"}
KEY = {"name", "version", "algorithm", "bits", "purpose", "kcv", "created", "simulation"}


def test_json_of_batch_commands(home: IssuerDirectory) -> None:
    done, draft = home.cli.ok("batch", "list", "--json").json
    assert set(done) == set(draft) == BATCH
    assert (done["id"], done["state"], done["verified"], done["rejected"]) == (home.done, "done", 3, 2)
    assert (draft["id"], draft["state"]) == (home.draft, "draft")
    shown = home.cli.ok("batch", "show", home.done, "--json").json
    assert set(shown) == {"batch", "accounts", "rejects", "awaited", "doubled", "ranges", "stock"}
    assert shown["stock"] == home.cli.ok("stock", "show", "--json").json
    assert shown["batch"] == done
    assert set(shown["accounts"]) == ACCOUNTS
    assert shown["accounts"]["balanced"] is True
    report = home.cli.ok("batch", "report", home.done, "--json").json
    assert {"batch", "accounts", "stock", "refused_rows", "mended_rows", "rejects", "cards", "timings"} <= set(report)
    assert len(report["cards"]) == len(report["timings"]) == 3
    assert [row["codes"] for row in report["refused_rows"]] == [["ID_CHECKSUM"], ["ID_CHECKSUM"]]


def test_json_of_stock_and_keys(home: IssuerDirectory) -> None:
    stock = home.cli.ok("stock", "show", "--json").json
    assert set(stock) == STOCK
    assert (stock["received"], stock["verified"], stock["left"]) == (5, 3, 2)
    keys = home.cli.ok("keys", "list", "--json").json
    assert all(set(key) == KEY for key in keys)
    assert {"kmc", "imk-card", "imk-read", "scheme-ca", "issuer", "list-signer", "seal", "index"} <= {
        key["name"] for key in keys
    }
    one = home.cli.ok("keys", "kcv", "imk-ac", "--json").json
    assert one in keys
    audit = home.cli.ok("keys", "audit", "--json").json
    assert all(set(line) == {"at", "by", "action", "key", "detail"} for line in audit)


def test_json_of_card_commands(home: IssuerDirectory) -> None:
    verdict = home.cli.ok("card", "verify", "--reader", home.card, "--json").json
    assert {"verdict", "sentence", "failed_check", "proven", "at", "member", "entitlements"} <= set(verdict)
    assert (verdict["verdict"], verdict["failed_check"]) == ("ACTIVE", None)
    assert home.cli.ok("card", "log", "--reader", home.card, "--json").json == []
    assert home.cli.ok("card", "log", "--reader", home.card).out == "no redemption is on record\n"
    read = home.cli.ok("card", "read", "--reader", home.card, "--json").json
    assert read["aid"] == "F04D454D4245520101"
    assert all(set(element) == {"sfi", "record", "tag", "element", "value"} for element in read["elements"])
    info = home.cli.ok("card", "info", "--reader", home.card, "--json").json
    assert set(info) == {
        "atr", "protocol", "bit_rate", "security_domain", "chip_serial", "globalplatform", "secure_channel", "keys",
        "member_application",
    }  # fmt: skip
    assert info["chip_serial"] in home.card
    trace = home.cli.ok("card", "trace", "--reader", home.card, "--json").json
    assert set(trace) == {"verdict", "exchanges"}
    assert {"header", "command_length", "response_length", "sw", "seconds"} <= set(trace["exchanges"][0])
    assert {turn["sw"] for turn in trace["exchanges"]} == {"9000"}


def test_json_of_developers_commands(home: IssuerDirectory) -> None:
    facts = home.cli.ok("gp", "info", "--reader", home.blank, "--json").json
    assert {"atr", "protocol", "bit_rate", "chip_serial", "production", "recognition", "keys"} <= set(facts)
    listed = home.cli.ok("gp", "list", "--reader", home.blank, "--json").json
    assert {"kind", "aid", "state", "privileges", "load_file", "modules"} == set(listed[0])
    assert listed[0]["aid"] == "A000000151000000"
    chip = home.cli.ok("sim", "show", home.card.removeprefix("sim:"), "--json").json
    assert {"file", "chip_serial", "protocol", "secure_channel", "life_cycle", "key_sets", "instances"} <= set(chip)
    assert chip["life_cycle"] == "SECURED"
    (turn,) = home.cli.ok("gp", "apdu", "--reader", home.blank, "80CA9F7F00", "--json").json
    assert set(turn) == {"command", "meaning", "data", "status"}


def test_json_of_checks(home: IssuerDirectory) -> None:
    done = home.cli.run("roster", "check", home.form, "--json")
    assert done.status == 1
    assert set(done.json) == {"file", "unit", "accepted", "rejected", "rows"}
    assert (done.json["accepted"], done.json["rejected"], len(done.json["rows"])) == (3, 2, 5)
    shipped = ROOT / "personalize" / "profiles" / "union-member.yaml"
    profile = home.cli.ok("profile", "check", shipped, "--json").json
    assert {"file", "digest", "profile", "scheme", "card_number", "validity", "member", "trust", "line"} <= set(profile)
    findings = home.cli.ok("doctor", "--json").json
    assert all(set(finding) == {"what", "state", "detail"} for finding in findings)
    looked_at = {"Python", "PC/SC", "data directory", "keystore", "database", "profile", "Chinese font"}
    assert looked_at == {f["what"] for f in findings}


def test_a_person_reads_the_same_without_json(home: IssuerDirectory) -> None:
    cli = home.cli
    assert home.done in cli.ok("batch", "list").out
    assert "✓ balanced" in cli.ok("batch", "show", home.done).out
    assert "imk-card-aes" in cli.ok("keys", "list").out
    assert "ACTIVE" in cli.ok("card", "verify", "--reader", home.card).out
    assert "member card number" in cli.ok("card", "read", "--reader", home.card).out
    assert "SECURED" in cli.ok("sim", "show", home.card.removeprefix("sim:")).out


def status(done: Done) -> tuple[int, str]:
    return done.status, done.err


def test_exit_codes(home: IssuerDirectory) -> None:
    cli = home.cli
    assert cli.run("batch", "list").status == 0
    assert cli.run("roster", "check", home.form).status == 1
    assert cli.run("card", "verify", "--reader", home.blank).status == 1
    assert cli.run("card", "trace", "--reader", home.blank).status == 1
    for wrong in (("batch", "lst"), ("batch", "list", "--nonsense"), ("batch", "show"), ("gp", "apdu")):
        done = cli.run(*wrong)
        assert done.status == 2, status(done)
        assert "Usage: membercard" in done.err
    assert cli.run("card", "verify", "--reader", "sim:/nowhere").status == 3
    assert cli.run("gp", "list", "--reader", home.blank, "--key", "00112233445566778899AABBCCDDEEFF").status == 3
    refused = cli.run("gp", "apdu", "--reader", home.blank, "80CA000000")
    assert refused.status == 1
    assert "6A88" in refused.out


def test_the_html_report_is_one_page_with_plot_and_reconciliation(home: IssuerDirectory, tmp_path: Path) -> None:
    page = tmp_path / "reports" / "batch.html"
    home.cli.ok("batch", "report", home.done, "--html", page)
    html = page.read_text(encoding="utf-8")
    assert home.done in html
    assert "<svg" in html
    assert "ID_CHECKSUM" in html
    assert [path.name for path in page.parent.iterdir()] == ["batch.html"]


def test_settings_come_from_flag_then_environment_then_file(home: IssuerDirectory, tmp_path: Path) -> None:
    """The issuer's own environment is put aside, so that only the file says where things are; then a flag overrules."""
    secret = tmp_path / "passphrase"
    secret.write_text(str(home.cli.passphrase) + "\n", encoding="utf-8")
    file = tmp_path / "issuer.toml"
    file.write_text(
        f'data_dir = "{home.cli.data}"\npassphrase_file = "{secret}"\nsimulation = true\n', encoding="utf-8"
    )
    bare = Cli(tmp_path / "unused", passphrase=None, bare=True)
    assert home.done in bare.ok("--config", file, "batch", "list").out
    assert home.done in bare.ok("batch", "list", env={"MEMBERCARD_CONFIG": str(file)}).out
    flag = bare.run("--config", file, "--keystore", tmp_path / "none", "keys", "list")
    assert flag.complaint == f"there is no keystore at {tmp_path / 'none'}; make one with: membercard keys init"
    elsewhere = {"MEMBERCARD_KEYSTORE": str(tmp_path / "other")}
    assert str(tmp_path / "other") in bare.run("--config", file, "keys", "list", env=elsewhere).complaint
