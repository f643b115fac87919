"""``membercard sim``: stock, show, and what is refused before anything is attached."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from simulators.card.config import TEST_KEY, CardConfig
from simulators.card.memory import MemoryDamaged
from simulators.cli import app
from simulators.readers.reader import open_reader
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.errors import ReaderNotFound
from tests.support.cards import member_specimen
from tests.support.foreign import host as foreign_host
from tests.support.waiting import eventually


def sim(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_stock(tmp_path: Path) -> None:
    done = sim("stock", tmp_path / "new", "--count", "20", "--scp", "02", "--protocol", "t0")
    assert done.exit_code == 0
    assert done.stdout.startswith("20 blank cards in")
    cards = [VirtualCard.open(path) for path in (tmp_path / "new").iterdir()]
    assert len({card.chip_serial for card in cards}) == 20
    assert {(card.config.scp, card.atr[:3]) for card in cards} == {(2, cards[0].atr[:3])}
    assert all(path.name == f"chip-{VirtualCard.open(path).chip_serial}.card" for path in (tmp_path / "new").iterdir())
    sim("stock", tmp_path / "new", "--count", "5", "--contactless")
    assert len(list((tmp_path / "new").iterdir())) == 25


@pytest.mark.parametrize("scp", ["02", "03"])
@pytest.mark.parametrize("diversification", ["visa2", "emv-cps", "kdf3"])
def test_diversified_stock_has_keys_of_its_own(tmp_path: Path, scp: str, diversification: str) -> None:
    sim("stock", tmp_path, "--count", "2", "--scp", scp, "--diversification", diversification, "--key", "11" * 16)
    views = [json.loads(sim("show", path, "--json").stdout) for path in tmp_path.iterdir()]
    checks = {check for view in views for key_set in view["key_sets"] for check in key_set["check_values"]}
    assert len(checks) == 6
    assert {view["diversification"] for view in views} == {diversification}


def test_long_keys_for_scp03_only(tmp_path: Path) -> None:
    assert sim("stock", tmp_path, "--count", "1", "--key", "22" * 32).exit_code == 0
    for wrong in (["--scp", "02", "--key", "22" * 32], ["--key", "22" * 15], ["--key", "xy"]):
        refused = sim("stock", tmp_path, "--count", "1", *wrong)
        assert refused.exit_code == 2
        assert "2222" not in refused.output
    assert sim("stock", tmp_path, "--count", "1", "--key", "22" * 24, "--diversification", "kdf3").exit_code == 2
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("production", "answer"), [("00", "9F7F2A" + "00" * 42), ("ff", "9F7F2A" + "FF" * 42), ("none", "")]
)
def test_stock_as_other_makers_deliver_it(tmp_path: Path, production: str, answer: str) -> None:
    options = ("--key-version", "20", "--option", "25", "--beside", "70", "--beside", "73", "--production", production)
    assert sim("stock", tmp_path, "--count", "1", "--scp", "02", *options).exit_code == 0
    (path,) = tmp_path.iterdir()
    card = VirtualCard.open(path)
    assert (card.config.i, set(card.key_versions)) == (0x25, {0x20, 0x70, 0x73})
    card.power_on()
    card.exchange(bytes.fromhex("00A4040000"))
    assert card.exchange(bytes.fromhex("80CA9F7F00")) == (bytes.fromhex(answer + "9000") if answer else b"\x6a\x88")


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--key-version", "zz", "'zz' is no number in hex"),
        ("--key-version", "80", "key version 80: 01 to 7F, or FF"),
        ("--option", "", "'' is no number in hex"),
        ("--option", "99", "SCP03 with i = 99"),
        ("--beside", "30", "other than that of the stock keys"),
    ],
)
def test_stock_that_no_maker_delivers(tmp_path: Path, option: str, text: str, sentence: str) -> None:
    refused = sim("stock", tmp_path, "--count", "1", option, text)
    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_stock_never_overwrites(tmp_path: Path) -> None:
    def no_chance(n: int) -> bytes:
        return bytes(n)

    config = CardConfig(blank())
    list(make_stock(tmp_path, 3, config, random=no_chance))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        list(make_stock(tmp_path, 3, config, random=no_chance))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_show_tells_the_state_and_no_secret(tmp_path: Path) -> None:
    sim("stock", tmp_path, "--count", "1")
    (path,) = tmp_path.iterdir()
    blank = sim("show", path).stdout
    assert "OP_READY" in blank
    assert "504A77" in blank, "the check value of the test key"
    reader = open_reader(str(path))
    foreign_host.issue(reader.connect(), member_specimen.specimen(1024))
    reader.close()
    text = sim("show", path).stdout
    assert "SECURED" in text
    assert "F04D454D4245520101  PERSONALIZED, 22 data groupings" in text
    view = json.loads(sim("show", path, "--json").stdout)
    assert view["instances"][0]["groupings"][0] == "0101"
    assert view["memory_bytes"] < view["file_bytes"]
    both = (text + json.dumps(view)).upper()
    secrets = [TEST_KEY, member_specimen.READ_KEYS[:16], member_specimen.PIN_BLOCK, member_specimen.PROTECTED[3:21]]
    for secret in secrets:
        assert secret.hex().upper() not in both
        assert secret.decode("latin-1") not in both
    assert "9156" not in both


def test_files_that_are_no_cards(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    assert isinstance(sim("show", tmp_path / "x").exception, MemoryDamaged)
    assert isinstance(sim("show", tmp_path / "nothing").exception, ReaderNotFound)


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:", ":35963", "localhost:0", "localhost:x", "localhost:70000"]
)
def test_addresses_that_are_none(tmp_path: Path, address: str) -> None:
    refused = sim("attach", tmp_path / "x.card", "--vpcd", address)
    assert refused.exit_code == 2
    assert "HOST:PORT" in refused.output


def test_one_card_goes_into_one_slot(tmp_path: Path) -> None:
    refused = sim("attach", tmp_path / "x.card", "--vpcd", "localhost:1", "--vpcd", "localhost:2")
    assert refused.exit_code == 2


@pytest.mark.parametrize("command", ["stock", "attach", "show"])
def test_help_teaches(command: str) -> None:
    help_text = sim(command, "--help").stdout
    assert "Usage" in help_text
    assert len(help_text) > 400


def test_a_card_at_a_serial_port(tmp_path: Path) -> None:
    (path,) = make_stock(tmp_path / "blanks", 1, CardConfig(blank()))
    port = tmp_path / "port"
    command = [sys.executable, "-c", "from simulators.cli import app; app()", "attach", path, "--serial", port]
    attached = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert eventually(port.exists)
        handle = os.open(port, os.O_RDWR | os.O_NOCTTY)
        assert select.select([handle], [], [], 20)[0]
        assert os.read(handle, 1) == b"\x3b"
        os.close(handle)
    finally:
        attached.send_signal(signal.SIGINT)
        _, lines = attached.communicate(timeout=20)
    assert (attached.returncode, port.is_symlink()) == (0, False)
    assert f"is at the serial port {port}" in lines


def test_where_a_card_cannot_be_attached(tmp_path: Path) -> None:
    (path,) = make_stock(tmp_path / "blanks", 1, CardConfig(blank()))
    (touchless,) = make_stock(tmp_path / "touchless", 1, CardConfig(blank(), protocol=LinkProtocol.CONTACTLESS))
    taken = tmp_path / "taken"
    taken.touch()
    for card, *options in (
        (path,),
        (path, "--serial", tmp_path / "port", "--vpcd", "127.0.0.1:35963"),
        (path.parent, "--serial", tmp_path / "port"),
        (touchless, "--serial", tmp_path / "port"),
        (path, "--serial", taken),
    ):
        assert sim("attach", card, *options).exit_code == 2, options
    assert taken.read_bytes() == b""
