"""`membercard ecard`: a telephone signed in, its codes verified once, and ended at the next list."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.store import Registry
from simulators.ecard.phone import MemberPhone
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Done, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT

BENEFIT = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
BY = ("--by", "王芳")


@pytest.fixture
def issuer(home: IssuerDirectory, tmp_path: Path) -> IssuerDirectory:
    copy = home.copy(tmp_path / "home")
    (tmp_path / "own.yaml").write_text(HEAD.replace('division: "110000"', 'division: "130000"') + BENEFIT, "utf-8")
    copy.cli.publish_programme(tmp_path / "own.yaml")
    return copy


def active_card(issuer: IssuerDirectory) -> tuple[str, str]:
    """The number of a card that its member has, and the last six of the ID number."""
    keystore = SoftwareKeystore.unlock(issuer.cli.data / "keystore", Secret(PASSPHRASE.encode()))
    with Registry.open(f"sqlite:///{issuer.cli.data}/membercard.db", keystore) as registry:
        card = registry.cards.of_batch(issuer.done)[0]
        with registry.ecard_devices._context.write() as conn:
            conn.exec_driver_sql("UPDATE cards SET state = 'active'")
        return card.card_number, registry.members.unmask(card.member_id, by="王芳", reason="test").id_number[-6:]


def shown(phone: MemberPhone, file: Path) -> str:
    delegation = base64.b64decode(json.loads(file.read_text("ascii"))["delegation"])
    return phone.code(delegation, datetime.now(UTC).timestamp())


def test_a_telephone_shows_the_card_until_staff_end_it(issuer: IssuerDirectory, tmp_path: Path) -> None:
    cli, phone, file = issuer.cli, MemberPhone(), tmp_path / "phone.json"
    number, tail = active_card(issuer)
    code = cli.ok("ecard", "code", number, "--json", *BY).json["code"]
    sign_in = ("ecard", "sign-in", number, "--key", phone.key.hex(), "-o", file)
    wrong = cli.run(*sign_in, input=f"000000\n{code}\n")
    assert (wrong.status, "is wrong, or the code has ended" in wrong.out, file.exists()) == (1, True, False)
    assert "signed in" in cli.ok(*sign_in, input=f"{tail}\n{code}\n").out
    scanned = shown(phone, file)
    accepted = cli.ok("ecard", "verify", scanned)
    assert f"e-card of card …{number[-4:]}" in accepted.out
    again: Done = cli.run("--lang", "zh", "ecard", "verify", scanned)
    assert (again.status, "已在本终端使用过" in again.out) == (1, True)
    assert "shown until" in cli.ok("ecard", "renew", file).out
    cli.ok("ecard", "end", number, "--reason", "手机丢失", *BY)
    assert "no longer" in cli.run("ecard", "renew", file).complaint
    cli.ok("ecard", "publish", cli.data, *BY)
    assert "has ended" in cli.run("ecard", "verify", shown(phone, file)).out
    (listed,) = cli.ok("ecard", "list", "--json").json
    assert (listed["card_tail"], listed["ended"]) == (number[-4:], "staff")
