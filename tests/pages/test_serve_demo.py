"""`membercard serve --demo` as a newcomer types it: passwords once, pages that answer, and nothing left at the end."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import httpx

from tests.support.cli import Cli
from tests.support.waiting import PATIENCE, eventually


def test_a_station_opens_is_used_and_leaves_nothing_behind(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "unused", passphrase=None, bare=True)
    process = cli.start("serve", "--demo", "--port", "0", env={"TMPDIR": str(tmp_path)})
    try:
        passwords, address = told(process)
        (home,) = tmp_path.glob("membercard-demo-*")
        assert home.stat().st_mode & 0o077 == 0
        assert set(passwords) >= {"operator", "reviewer", "registrar", "counter", "developer", "auditor"}
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            credentials = {"name": "operator", "password": passwords["operator"]}
            me = client.post("/api/v1/session", json=credentials, headers={"Origin": address})
            assert me.json()["roles"] == ["operator"]
            lanes = [reader["name"] for reader in client.get("/api/v1/readers").json()]
            assert lanes == ["Counter", "Lane 1", "Lane 2", "Lane 3", "Lane 4"]
            assert client.get("/station").status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not any(password in said for password in passwords.values())
    assert list(tmp_path.glob("membercard-demo-*")) == []


def test_a_kill_while_the_station_is_made_leaves_nothing_behind(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "unused", passphrase=None, bare=True)
    process = cli.start("serve", "--demo", "--port", "0", env={"TMPDIR": str(tmp_path)})
    assert eventually(lambda: list(tmp_path.glob("membercard-demo-*/*")))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "Traceback" not in said
    assert list(tmp_path.glob("membercard-demo-*")) == []


def told(process: subprocess.Popen[str]) -> tuple[dict[str, str], str]:
    """Passwords by user, and the address."""
    passwords: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.fullmatch(r"Sign in as (\S+) with the password (\S+)\n", line):
            passwords[found[1]] = found[2]
        elif found := re.fullmatch(r"Serving at (\S+)\n", line):
            return passwords, found[1]
    raise AssertionError(process.communicate(timeout=PATIENCE)[1])
