from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from membercard import settings
from membercard.commands.issuing.keys import app
from terminal.crypto import kcv
from terminal.errors import KeyMisuse, KeyNotFound, KeyRefused, KeystoreLocked, MembercardError
from terminal.keys import GP_TEST_KEY, Algorithm, KeyRef, MemoryCustody, SoftwareKeystore, keystore
from terminal.keys.keyfile import KdfCost
from terminal.keys.standard import OWN_KEYS
from terminal.secret import Secret

STRONG = bytes.fromhex("8C2F4A6D1B3E50798FA1C4D6E8FB0D12")
Run = Callable[..., Result]


def json_of(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command line with a data directory of its own; the settings of one run do not outlive it."""
    monkeypatch.setenv("MEMBERCARD_PASSPHRASE", "correct horse battery")
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*arguments: str, simulation: bool = True, typed: str = "") -> Result:
        def within() -> Result:
            settings.activate(None, data_dir=tmp_path, simulation=simulation, operator="Li Na")
            return CliRunner().invoke(app, arguments, input=typed)

        result = contextvars.copy_context().run(within)
        if isinstance(result.exception, MembercardError):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def unlocked(tmp_path: Path) -> Callable[[], SoftwareKeystore]:
    return lambda: SoftwareKeystore.unlock(tmp_path / "keystore", Secret(b"correct horse battery"))


@pytest.fixture
def production(tmp_path: Path) -> SoftwareKeystore:
    """A production keystore of low cost, without the time that making every RSA key takes."""
    return SoftwareKeystore.create(tmp_path / "keystore", Secret(b"correct horse battery"), cost=KdfCost(8, 1, 1))


def test_init_makes_every_key_and_says_it_is_simulation(run: Run, unlocked: Callable[[], SoftwareKeystore]) -> None:
    result = run("init")
    assert result.exit_code == 0
    assert "must never issue real cards" in result.stdout
    for info in unlocked().keys():
        assert info.ref.name in result.stdout
        assert info.kcv.hex().upper() in result.stdout
    assert {entry.by for entry in unlocked().audit()} == {"Li Na (unproven)"}


def test_init_in_production_says_how_the_stock_masters_come(run: Run, unlocked: Callable[[], SoftwareKeystore]) -> None:
    result = run("init", simulation=False)
    assert "membercard keys import kmc " in result.stdout
    assert "membercard keys import kmc-aes " in result.stdout
    store = unlocked()
    assert not store.simulation
    with pytest.raises(KeyNotFound):
        store.latest("kmc")


def test_init_never_overwrites(run: Run, tmp_path: Path) -> None:
    run("init")
    before = (tmp_path / "keystore").read_bytes()
    with pytest.raises(KeyRefused, match="it is not overwritten"):
        run("init")
    assert (tmp_path / "keystore").read_bytes() == before


def test_init_makes_nothing_when_the_passphrases_differ(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter([Secret(b"one"), Secret(b"two")])
    monkeypatch.setattr(settings.Settings, "passphrase", lambda _self: next(typed))
    with pytest.raises(KeystoreLocked, match="the two passphrases differ; nothing was made"):
        run("init")
    assert not (tmp_path / "keystore").exists()


def test_a_failed_init_leaves_no_half_keystore(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keystore.storage.os, "fsync", fail)
    with pytest.raises(MembercardError, match="the disk is full"):
        run("init")
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == []


def test_list_shows_keys_to_people_and_programs(run: Run, unlocked: Callable[[], SoftwareKeystore]) -> None:
    run("init")
    listed = json_of(run("list", "--json"))
    assert [(k["name"], k["version"]) for k in listed] == [(k.ref.name, k.ref.version) for k in unlocked().keys()]
    (kmc,) = (k for k in listed if k["name"] == "kmc")
    assert kmc["kcv"] == kcv.des_kcv(GP_TEST_KEY).hex().upper()
    assert (kmc["algorithm"], kmc["bits"], kmc["purpose"], kmc["simulation"]) == ("3des", 128, "kmc", True)
    table = run("list").stdout
    assert all(k["name"] in table and k["kcv"] in table for k in listed)


def test_kcv_shows_one_check_value(run: Run) -> None:
    run("init")
    assert run("kcv", "kmc").stdout == "kmc/1: 8BAF47\n"
    assert json_of(run("kcv", "kmc-aes", "--json"))["kcv"] == "504A77"
    assert run("kcv", "kmc", "--version", "1").stdout == "kmc/1: 8BAF47\n"
    with pytest.raises(KeyNotFound, match="the key kmc/2 is not in this custody"):
        run("kcv", "kmc", "--version", "2")


def test_rotate_makes_the_next_version(run: Run, unlocked: Callable[[], SoftwareKeystore]) -> None:
    run("init")
    assert run("rotate", "seal").stdout.startswith("seal/2 made, check value ")
    assert unlocked().latest("seal") == KeyRef("seal", 2)
    with pytest.raises(KeyMisuse, match="kmc is not rotated"):
        run("rotate", "kmc")


def test_a_wrong_passphrase_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    monkeypatch.setenv("MEMBERCARD_PASSPHRASE", "guess")
    with pytest.raises(KeystoreLocked, match="passphrase is wrong"):
        run("list")


def test_components_are_entered_by_two_people(run: Run, production: SoftwareKeystore) -> None:
    mask = bytes.fromhex("11" * 16)
    other = bytes(a ^ b for a, b in zip(STRONG, mask, strict=True))
    typed = f"Li Na\n{mask.hex()}\nWang Wei\n{other.hex()}\n"
    result = run("import", "kmc", "--kcv", kcv.des_kcv(STRONG).hex(), simulation=False, typed=typed)
    assert result.exit_code == 0
    for part in (mask, other):
        assert f"has check value {kcv.des_kcv(part).hex().upper()}" in result.stdout
        assert part.hex() not in result.stdout
    assert f"kmc/1 imported, check value {kcv.des_kcv(STRONG).hex().upper()}" in result.stdout
    audit = json_of(run("audit", "--json", simulation=False))
    assert [(e["by"], e["key"]) for e in audit] == [("Li Na and Wang Wei", "kmc/1")]
    assert "Wang Wei" in run("audit", simulation=False).stdout


def test_import_refuses_one_person_twice_and_bad_hex(run: Run, production: SoftwareKeystore) -> None:
    with pytest.raises(KeyRefused, match="another named person"):
        run("import", "kmc", simulation=False, typed=f"Li Na\n{STRONG.hex()}\nli na\n{STRONG[::-1].hex()}\n")
    with pytest.raises(KeyRefused, match="a component is hexadecimal digits") as caught:
        run("import", "kmc", simulation=False, typed=f"Li Na\n{STRONG.hex()}xyz\n")
    assert STRONG.hex() not in str(caught.value)
    assert production.keys() == []


def test_import_of_an_own_name_needs_purpose_and_algorithm(run: Run, production: SoftwareKeystore) -> None:
    result = run("import", "kmc-supplier-b", simulation=False)
    assert result.exit_code == 2
    assert "--purpose" in result.output
    typed = f"Li Na\n{STRONG.hex()}\nWang Wei\n{bytes(16).hex()}\n"
    arguments = ("import", "kmc-supplier-b", "--purpose", "kmc", "--algorithm", "aes128")
    assert run(*arguments, simulation=False, typed=typed).exit_code == 0


@pytest.mark.parametrize("command", ["init", "list", "kcv", "rotate", "import", "audit"])
def test_help_teaches(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.split()) > 20


def test_worker_snapshot_of_a_command_line_keystore(run: Run, unlocked: Callable[[], SoftwareKeystore]) -> None:
    run("init")
    transport = Secret(bytes(range(32)))
    worker = MemoryCustody.from_snapshot(unlocked().snapshot(transport, names=["issuer", "seal"]), transport)
    assert {info.ref.name for info in worker.keys()} == {"issuer", "seal"}


def test_an_older_keystore_gets_the_keys_it_lacks(
    run: Run, production: SoftwareKeystore, unlocked: Callable[[], SoftwareKeystore]
) -> None:
    for key in OWN_KEYS:  # all but what this version added
        if not key.name.startswith(("pay-", "pek", "zmk")) or key.algorithm is Algorithm.RSA:
            production.generate(key.name, key.purpose, key.algorithm, by="Li Na", bits=1024)
    seal = production.info(production.latest("seal"))
    listed = json_of(run("add-standard", "--json"))
    added = {key["name"] for key in listed}
    assert {"pay-ac", "pay-smc-sm4", "pay-issuer-sm2", "pek", "pek-sm4", "zmk", "zmk-sm4"} <= added
    assert {info.ref.name for info in unlocked().keys()} == {key.name for key in OWN_KEYS}
    assert unlocked().info(seal.ref) == seal
    assert [entry.by for entry in unlocked().audit()[-len(added) :]] == ["Li Na (unproven)"] * len(added)
    assert "has every standard key already" in run("add-standard").stdout
    assert json_of(run("add-standard", "--json")) == []


def test_what_was_added_is_shown_with_check_values(run: Run, production: SoftwareKeystore) -> None:
    for key in OWN_KEYS:
        if key.name != "zmk-sm4":
            production.generate(key.name, key.purpose, key.algorithm, by="Li Na", bits=1024)
    shown = run("add-standard").stdout
    info = production.unlock(production.path, Secret(b"correct horse battery")).info(KeyRef("zmk-sm4"))
    assert info.kcv.hex().upper() in shown
    assert "zmk-sm4" in shown
    assert "pek-sm4" not in shown
