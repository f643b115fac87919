"""The line, the counter and the kernel over a serial port: a chip is personalized, proven, verified, and pays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.readers.serial.contact import SerialContact
from simulators.readers.serial.pty import SerialSlot
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support import bank_issuer


@contextmanager
def at_port(path: Path) -> Iterator[str]:
    """The reader URL of a port with this card."""
    chip = VirtualCard.open(path)
    with SerialSlot(SerialContact(chip, chip.config.protocol, chip.config.ta1)) as slot:
        yield f"serial:{slot.port}?rts=none"


@pytest.mark.parametrize("protocol", [LinkProtocol.T0, LinkProtocol.T1])
def test_a_blank_becomes_a_card_that_is_accepted_and_pays(tmp_path: Path, protocol: LinkProtocol) -> None:
    cli, batch = bank_issuer.new_bank_issuer(tmp_path, changes={})
    (path,) = make_stock(tmp_path / "stock", 1, CardConfig(blank(), protocol, ta1=0x96))
    cli.ok("batch", "prepare", batch)
    with at_port(path) as url:
        (lane,) = cli.ok("perso", "run", batch, "--reader", url, "--json").json["lanes"]
    assert (lane["message"], lane["counts"]) == ("the batch is done", {"verified": 1})
    with at_port(path) as url:
        assert cli.ok("card", "verify", "--reader", url, "--json").json["verdict"] == "ACTIVE"
        paid = cli.ok("emv", "run", "--amount", "12.34", "--reader", url, "--json").json
    assert paid["result"] == "approved offline"
