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
        passwords, address = printed_sign_ins(process)
        (home,) = tmp_path.glob("membercard-demo-*")
        assert home.stat().st_mode & 0o077 == 0
        assert set(passwords) >= {"operator", "reviewer", "registrar", "counter", "developer", "auditor"}
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            me = client.post("/api/v1/session", json=sign_in("operator", passwords), headers={"Origin": address})
            assert me.json()["roles"] == ["operator"]
            lanes = [reader["name"] for reader in client.get("/api/v1/readers").json()]
            assert lanes == ["Counter", "Lane 1", "Lane 2", "Lane 3", "Lane 4"]
            assert client.get("/station").status_code == 200
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            offers = offered(client, address, passwords)
            assert offers == {
                "公园年票": (10300, 1),
                "电影票": (None, 12),
                "健身（首次体验）": (0, None),
                "健身（单次）": (6000, None),
                "健身（会员卡）": (None, None),
            }
            assert [title for title in offers if "健身" in title] == [
                "健身（首次体验）",
                "健身（单次）",
                "健身（会员卡）",
            ]
    finally:
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert not any(password in output for password in passwords.values())
    assert list(tmp_path.glob("membercard-demo-*")) == []


def test_a_kill_while_the_station_is_seeded_leaves_nothing_behind(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "unused", passphrase=None, bare=True)
    # A signal in the middle of an import leaves the interpreter's own file open, which only warnings would report.
    quiet = {"TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error,ignore::ResourceWarning"}
    process = cli.start("serve", "--demo", "--port", "0", env=quiet)
    assert eventually(lambda: list(tmp_path.glob("membercard-demo-*/*")))
    process.send_signal(signal.SIGTERM)
    _, output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "Traceback" not in output
    assert list(tmp_path.glob("membercard-demo-*")) == []


def sign_in(name: str, passwords: dict[str, str]) -> dict[str, str]:
    return {"name": name, "password": passwords[name]}


def offered(client: httpx.Client, address: str, passwords: dict[str, str]) -> dict[str, tuple[int | None, int | None]]:
    """What the member of a good card can have at the demo's counter: price in fen and uses left on it, by title."""
    own = {"Origin": address}
    signed_in = client.post("/api/v1/session", json=sign_in("demo", passwords), headers=own).json()
    inserted = client.post(
        "/api/v1/developer/readers/counter/insert",
        json={"name": "1-good.card"},
        headers={**own, "X-CSRF-Token": signed_in["csrf"]},
    )
    assert inserted.status_code == 200, inserted.text
    path = "/api/v1/readers/counter/offers"
    assert eventually(lambda: client.get(path).status_code == 200)
    return {one["title"]["zh"]: (one["price"], one["left"]) for one in client.get(path).json()["offers"]}


def printed_sign_ins(process: subprocess.Popen[str]) -> tuple[dict[str, str], str]:
    """Passwords by user, and the address."""
    passwords: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.fullmatch(r"Sign in as (\S+) with the password (\S+)\n", line):
            passwords[match[1]] = match[2]
        elif match := re.fullmatch(r"Serving at (\S+)\n", line):
            return passwords, match[1]
    raise AssertionError(process.communicate(timeout=PATIENCE)[1])
