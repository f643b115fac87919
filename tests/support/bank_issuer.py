"""An issuer of bank cards, and the test bank that knows the same master keys.

Its keystore is put there ready-made: the RSA keys are those of this process, the payment masters are the bank's, as two
of its officers would have typed them in with `membercard keys import`.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from personalize.dossiers.dossier import Dossier
from registry.store import Registry
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import LinkProtocol
from terminal.keys import Algorithm, MemoryCustody, Purpose, Sealed, SoftwareKeystore
from terminal.secret import Secret
from tests.support import issuer, profiles
from tests.support.bank import SM_PDOL
from tests.support.cli import PASSPHRASE, Cli
from tests.support.unsealed import hidden
from tests.support.waiting import PATIENCE

PEK = bytes.fromhex("0123456789ABCDEF1032547698BADCFE")
MASTERS = {
    ("3des", "ac"): bytes(range(0x10, 0x20)),
    ("3des", "smi"): bytes(range(0x40, 0x50)),
    ("3des", "smc"): bytes(range(0x61, 0x71)),
    ("sm4", "ac"): bytes(range(0x90, 0xA0)),
    ("sm4", "smi"): bytes(range(0xA0, 0xB0)),
    ("sm4", "smc"): bytes(range(0xB0, 0xC0)),
}
PURPOSES = {"ac": Purpose.AC, "smi": Purpose.SMI, "smc": Purpose.SMC}
PAN, PIN = "6210971300000000016", "271828"
"""The first account number of the profile's range, and the PIN that the bank knows."""


@cache
def custody() -> MemoryCustody:
    """The standard keys of the test issuer, with the bank's masters as their newest versions."""
    transport = Secret(secrets.token_bytes(32))
    keys = MemoryCustody.from_snapshot(issuer.custody().snapshot(transport), transport)
    for (cipher, name), value in MASTERS.items():
        algorithm, tail = (Algorithm.TDES, "") if cipher == "3des" else (Algorithm.SM4, "-sm4")
        keys.import_key(f"pay-{name}{tail}", PURPOSES[name], algorithm, Secret(value), by="bank")
    keys.import_key("pek", Purpose.PIN, Algorithm.TDES, Secret(PEK), by="bank")
    return keys


@dataclass(frozen=True)
class BankIssuer:
    """An issuer with one verified bank card, whose PIN is the issuer's offline and the bank's online."""

    cli: Cli
    root: Path
    batch: str

    def offline_pin(self) -> str:
        """The PIN in the chip, as it would be printed for the member."""
        with Registry.open(f"sqlite:///{self.cli.data / 'membercard.db'}", custody()) as registry:
            (card,) = registry.cards.of_batch(self.batch)
            (stored,) = registry.dossiers.stored(self.batch, [card.card_number])
        dossier = Dossier.decode(custody().open(stored.sealed).reveal())
        assert dossier.payment is not None
        (sealed,) = (part.value for part in dossier.payment.parts if part.number == 0x8010)
        assert isinstance(sealed, Sealed)
        block = hidden(custody(), sealed).hex()
        return block[2 : 2 + int(block[1], 16)]

    def card(self, into: Path) -> Path:
        """The chip's twin, as it was on the day it was issued."""
        (issued,) = (self.root / "stock" / "issued").glob("*.card")
        return Path(shutil.copy(issued, into / "bank.card"))

    def terminal(self, into: Path, *, chinese: bool) -> Path:
        """A terminal file: the program's own terminal, with SM algorithms or without."""
        text = (files("terminal.emv.transaction") / "terminals" / "counter.yaml").read_text(encoding="utf-8")
        path = into / "terminal.yaml"
        path.write_text(text.replace("sm: true", f"sm: {str(chinese).lower()}"), encoding="utf-8")
        return path

    def bank(self, into: Path, **account: object) -> Path:
        """A file for `membercard sim issuer`: the masters, and the card's account with these changes."""
        known = {"pan": PAN, "sequence": 1, "balance": "100000.00", "pin": PIN, **account}
        masters: dict[str, dict[str, str]] = {"3des": {}, "sm4": {}}
        for (cipher, key), value in MASTERS.items():
            masters[cipher][key] = value.hex()
        path = into / "bank.json"
        path.write_text(json.dumps({"masters": masters, "pin": {"3des": PEK.hex()}, "accounts": [known]}))
        return path

    @contextmanager
    def issuer(self, bank: Path) -> Iterator[str]:
        """`membercard sim issuer` as a process; its URL."""
        process = self.cli.start("sim", "issuer", "--keys", bank, "--listen", "127.0.0.1:0")
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+/authorize", line)
            assert url is not None, line
            yield url[0]
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()


BOTH_ALGORITHMS = {
    "algorithms: rsa ": "algorithms: both ",
    "pdol: 9F1A029F3704 ": f"pdol: 9F7A019F02065F2A02{SM_PDOL} ",
    "e_cash: null ": "e_cash: {balance_limit: 100000, transaction_limit: 100000, reset_threshold: 0} ",
}
"""What to change in the shipped profile for a chip with RSA and SM2 and an e-cash purse."""


def new_bank_issuer(
    root: Path, changes: Mapping[str, str] = BOTH_ALGORITHMS, make: Callable[[Path], Cli] = Cli
) -> tuple[Cli, str]:
    """Keystore, profile, a key pool, and the batch of a member whose registration was approved."""
    cli = make(root / "data")
    cli.profile = None
    cli.data.mkdir(parents=True)
    SoftwareKeystore.create(
        cli.data / "keystore", Secret(PASSPHRASE.encode()), simulation=True, contents=custody(), cost=issuer.FAST
    )
    (cli.data / "membercard.toml").write_text(f'profile = "{_profile(root, changes)}"\n', encoding="utf-8")
    # The command finds its pool full and makes no RSA key: one for each application.
    issuer.pool(cli.data / "keypool").fill(2)
    with Registry.open(f"sqlite:///{cli.data / 'membercard.db'}", custody()) as registry:
        return cli, issuer.batch(registry, 1)


def issue_bank_card(
    root: Path, protocol: LinkProtocol = LinkProtocol.T1, changes: Mapping[str, str] = BOTH_ALGORITHMS
) -> BankIssuer:
    """Such an issuer and a blank; preparation and personalization are typed."""
    cli, batch = new_bank_issuer(root, changes)
    (_,) = make_stock(root / "stock", 1, CardConfig(blank(), protocol))
    cli.ok("batch", "prepare", batch)
    cli.ok("perso", "run", batch, "--reader", f"sim:{root / 'stock'}")
    return BankIssuer(cli, root, batch)


def _profile(root: Path, changes: Mapping[str, str]) -> Path:
    text = profiles.text(profiles.BANK)
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = root / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    return path
