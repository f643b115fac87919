"""docs/deployment.md and docs/emv-run.md: their blocks run as they stand, one after the other, in a folder that stands
in for the machine's own directories."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.secret import Secret
from tests.support import issuer
from tests.support.bank_issuer import MASTERS, PAN, PEK, PIN
from tests.support.cli import PASSPHRASE
from tests.support.guides import MACHINE, NotRun, Ran, blocks, paste, placed
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

CLUSTER = "tests/e2e/test_backup.py runs it in a PostgreSQL cluster of its own"
LEFT_OUT = (
    NotRun("createuser --pwprompt", CLUSTER),
    NotRun("pg_dump --format=custom", CLUSTER),
    NotRun("createdb --owner membercard --encoding UTF8 membercard\npg_restore", CLUSTER),
    NotRun("sqlite3 /var/lib", "tests/e2e/test_backup.py runs it while a registry is in use"),
)
NAME = "station-1.union.example"


def expect_no_fault(ran: list[Ran]) -> None:
    for one in ran:
        assert one.failed == [], f"{one.block}\n{one.out}\n{one.err}"


# -- deployment.md -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installed:
    """What the guide has put on the machine."""

    root: Path
    ran: list[Ran]

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    def openssl(self, *words: str) -> str:
        return subprocess.run(["openssl", *words], cwd=self.root, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("machine")
    (root / "deploy").symlink_to(ROOT / "deploy")
    (root / "systemd").mkdir()
    places = {
        "/opt/membercard/.venv/bin/pip": "pip",
        "/opt/membercard/.venv/bin": str(Path(sys.executable).parent),
        "/opt/membercard": str(root / "opt"),
        "/etc/systemd/system": str(root / "systemd"),
        "/etc/membercard": str(root / "etc"),
        "/var/lib/membercard": str(root / "var"),
    }
    install, keys, tls, client, _restored = blocks("deployment.md", LEFT_OUT)
    edited = f"sed -i 's#/var/lib/membercard#{root / 'var'}#' {root / 'etc' / 'membercard.toml'}\n"
    typed = [
        placed(block, {written: place for written, place in places.items() if written in block})
        for block in (install, keys, tls, client)
    ]
    typed[0] += edited
    before = f"SERVICE_HOME={root / 'var'}\n{MACHINE}"
    return Installed(root, paste(typed, root, seconds=3 * PATIENCE, before=before))


def test_the_deployment_guide_runs_as_it_is_typed(installed: Installed) -> None:
    expect_no_fault(installed.ran)
    assert installed.ran[1].out.splitlines()[-2:] == [
        "systemctl daemon-reload",
        "systemctl enable --now membercard",
    ]


def test_it_makes_a_keystore_that_its_passphrase_opens(installed: Installed) -> None:
    keystore, passphrase = installed.root / "var" / "keystore", installed.etc / "passphrase"
    modes = [path.stat().st_mode & 0o777 for path in (keystore, passphrase, installed.root / "var")]
    assert modes == [0o600, 0o600, 0o700]
    opened = SoftwareKeystore.unlock(keystore, Secret(passphrase.read_bytes()))
    assert {"seal", "index", "list-signer"} <= {key.ref.name for key in opened.keys()}
    assert not (installed.root / "var" / "pass").exists(), "the copy of the passphrase"


def test_its_certificates_are_those_of_a_service_and_of_a_machine(installed: Installed) -> None:
    for certificate, purpose in (("tls.pem", "sslserver"), ("till-3.pem", "sslclient")):
        verified = installed.openssl("verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose, certificate)
        assert verified == f"{certificate}: OK\n"
    assert NAME in installed.openssl("x509", "-in", str(installed.etc / "tls.pem"), "-noout", "-ext", "subjectAltName")
    assert (installed.etc / "tls.key").stat().st_mode & 0o777 == 0o640
    assert "friendlyName" not in installed.openssl(
        "pkcs12", "-in", "till-3.p12", "-passin", "pass:change-it", "-nokeys"
    )


# -- emv-run.md, and after a restore -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paid:
    """An issuer whose keys were imported, whose card was made and which paid, all as typed."""

    root: Path
    issuing: Ran
    paying: Ran
    restored: Ran


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepared(root: Path) -> str:
    """A simulation with standard keys and an approved batch of one member, before any bank's keys; the batch."""
    data = root / "data"
    data.mkdir()
    SoftwareKeystore.create(
        data / "keystore", Secret(PASSPHRASE.encode()), simulation=True, contents=issuer.custody(), cost=CHEAP_COST
    )
    issuer.pool(data / "keypool").fill(2)
    shutil.copy(str(files("personalize") / "profiles" / "union-member-bank.yaml"), root / "bank.yaml")
    with Registry.open(f"sqlite:///{data / 'membercard.db'}", issuer.custody()) as registry:
        return issuer.batch(registry, 1)


def issuing(block: str, batch: str, address: str) -> str:
    """The block with two people at the keyboard, for each of the keys that its remark names, and the bank beside."""
    typed, _, rest = block.partition("\n")
    command, _, remark = typed.partition("#")
    assert "likewise pay-smi, pay-smc, pek" in remark
    values = {"pek": PEK} | {f"pay-{name}": value for (cipher, name), value in MASTERS.items() if cipher == "3des"}
    lines = [
        f"printf '%s\\n' wang {value.hex()} li {bytes(len(value)).hex()} | {command.replace('pay-ac', name)}"
        for name, value in values.items()
    ]
    rest = placed(rest, {"B20261122-001": batch})
    rest = f"{rest.rstrip()} --listen {address} &\n"
    wait = f'until command curl -s -o answer http://{address}/authorize || [ -z "$(jobs -r)" ]; do sleep 0.1; done\n'
    card = "membercard sim stock stock --count 1\nmembercard stock receive 1 --supplier-batch one\n"
    card += f"membercard perso run {batch} --reader sim:stock\n"
    return "\n".join(lines) + f"\n{rest}{wait}{card}"


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Paid:
    root = tmp_path_factory.mktemp("payments")
    batch, address = prepared(root), f"127.0.0.1:{free_port()}"
    payments, keys, bank = blocks("emv-run.md")
    (root / "bank.json").write_text(bank, "utf-8")
    card = "sim:$(ls stock/issued/*.card)"
    online = "membercard emv run --reader pcsc:0 --amount 612.34"
    stand_ins = {
        "sim:stock/issued/chip-….card": card,
        "pcsc:0": card,
        online: f"echo {PIN} | {online.replace('pcsc:0', card)}",
        "127.0.0.1:8583": address,
    }
    stand_ins = {key: stand_ins[key] for key in sorted(stand_ins, key=len, reverse=True)}
    audit = "$(membercard audit verify | grep -oE '[0-9]+:[0-9a-f]{64}')"
    restored = placed(
        blocks("deployment.md", LEFT_OUT)[-1],
        {"NUMBER:HASH": audit, "sim:DIR": "sim:stock/issued", "OTHER-STATION/registry-record.json": "other.json"},
    )
    before = f"export MEMBERCARD_DATA_DIR=data MEMBERCARD_PASSPHRASE={PASSPHRASE} MEMBERCARD_SIMULATION=1 COLUMNS=160\n"
    before += "export MEMBERCARD_PROFILE=bank.yaml\n"
    ran = paste(
        [
            issuing(keys, batch, address),
            placed(payments, stand_ins),
            f"cp data/registry-record.json other.json\n{restored}",
        ],
        root,
        seconds=3 * PATIENCE,
        before=before,
    )
    return Paid(root, *ran)


def test_the_guide_of_payments_runs_as_it_is_typed(paid: Paid) -> None:
    expect_no_fault([paid.issuing, paid.paying])
    assert "pay-ac/2 imported" in paid.issuing.out
    text = paid.paying.out
    assert [text.count(result) for result in ("APPROVED: approved offline", "APPROVED: approved online")] == [2, 1]
    assert "READ RECORD" in text, "the trace"
    assert '"result": "approved offline"' in text, "the JSON"
    assert "612.34" in text.rpartition('"result"')[2], "the log"


def test_the_bank_of_the_guide_is_that_of_the_tests() -> None:
    bank = json.loads(blocks("emv-run.md")[-1])
    assert bank["masters"]["3des"] == {
        name: value.hex().upper() for (cipher, name), value in MASTERS.items() if cipher == "3des"
    }
    assert (bank["accounts"][0]["pan"], bank["accounts"][0]["pin"]) == (PAN, PIN)


def test_the_check_after_a_restore_runs_as_it_is_typed(paid: Paid) -> None:
    expect_no_fault([paid.restored])
