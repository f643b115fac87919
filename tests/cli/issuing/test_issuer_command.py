"""`membercard sim issuer` as a developer starts it."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support.cards.issuer_requests import AC, SMC, SMI
from tests.support.cli import Cli
from tests.support.waiting import PATIENCE


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "bank.json"
    path.write_text(json.dumps({"masters": {"sm4": {"ac": AC.hex(), "smi": SMI.hex(), "smc": SMC.hex()}}}))
    return path


def test_the_issuer_answers_until_it_is_ended(tmp_path: Path, keys: Path) -> None:
    process = Cli(tmp_path / "data").start("sim", "issuer", "--keys", keys, "--listen", "127.0.0.1:0")
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/authorize", line)
        assert url is not None, line
        body = json.dumps({"data": "9F270180"}).encode()
        with urllib.request.urlopen(url[0], body, timeout=PATIENCE) as reply:  # noqa: S310 - an address of this machine
            assert json.load(reply)["data"] == "8A023330"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert err == "30 the request has neither a card number (5A) nor track 2 data (57)\n"


@pytest.mark.parametrize(
    ("listen", "status", "words"),
    [("8583", 2, "is not HOST:PORT"), ("0.0.0.0:8583", 1, "no loopback address")],
)
def test_an_address_that_is_not_this_machines_is_refused(
    tmp_path: Path, keys: Path, listen: str, status: int, words: str
) -> None:
    done = Cli(tmp_path / "data").run("sim", "issuer", "--keys", keys, "--listen", listen)
    assert done.status == status
    assert words in " ".join(done.err.replace("│", " ").split())
