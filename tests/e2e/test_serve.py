"""`membercard serve` as it is started: the first password, where it listens, and its end."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.cli import Cli
from tests.support.service.authority import Authority
from tests.support.waiting import PATIENCE, eventually


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    lines: list[str]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and log."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, log


@contextmanager
def serving(cli: Cli, *options: str, files: int | None = None) -> Iterator[Running]:
    process = cli.start("serve", "--port", "0", "--no-pcsc", *options, files=files)
    lines: list[str] = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.append(line.strip())
            if match := re.fullmatch(r"Serving at (\S+)", line.strip()):
                break
        else:
            raise AssertionError(process.communicate(timeout=PATIENCE)[1])
        yield Running(process, match[1], lines)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=PATIENCE)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    commands = Cli(tmp_path / "data")
    commands.ok("keys", "init")
    return commands


def test_the_first_start_prints_a_password_once_and_the_end_is_in_good_order(cli: Cli) -> None:
    with serving(cli, "--log-format", "json", "--reader", "sim:slot/one") as first:
        assert first.address.startswith("http://127.0.0.1:")
        password = re.fullmatch(r"Sign in as admin with the password (\S+), to be changed at once", first.lines[0])
        assert password is not None
        with httpx.Client(base_url=first.address, timeout=PATIENCE) as client:
            assert client.get("/health/ready").json()["ready"] is True
            signed = client.post("/api/v1/session", json={"name": "admin", "password": password[1]})
            assert signed.json()["must_change"] is True
            changed = client.post(
                "/api/v1/session/password",
                json={"old": password[1], "new": "a sentence of the administrator"},
                headers={"X-CSRF-Token": signed.json()["csrf"]},
            )
            assert changed.status_code == 200
            readers = client.get("/api/v1/readers").json()
            assert len(readers if isinstance(readers, list) else readers["items"]) == 1
        status, log = first.end()
    assert status == 0
    assert password[1] not in log
    assert "a sentence of the administrator" not in log
    with serving(cli) as second:
        assert second.lines == [f"Serving at {second.address}"]
        assert second.end(signal.SIGINT)[0] == 0


def test_it_refuses_to_listen_beyond_this_machine_without_tls(cli: Cli) -> None:
    refused = cli.run("serve", "--host", "0.0.0.0")  # noqa: S104
    assert refused.status == 1
    assert "without TLS the service listens on this machine only" in refused.complaint
    assert "--tls-cert" in refused.complaint


def test_a_crowd_of_listeners_leaves_room_for_health_and_api(cli: Cli) -> None:
    with serving(cli, files=160) as running, ExitStack() as crowd:
        password = running.lines[0].split()[7].rstrip(",")
        with httpx.Client(base_url=running.address, timeout=PATIENCE) as client:
            signed = client.post("/api/v1/session", json={"name": "admin", "password": password})
            new = {"old": password, "new": "a sentence of the administrator"}
            client.post("/api/v1/session/password", json=new, headers={"X-CSRF-Token": signed.json()["csrf"]})
            statuses = []
            for _ in range(60):
                listener = crowd.enter_context(httpx.Client(base_url=running.address, cookies=client.cookies))
                statuses.append(crowd.enter_context(listener.stream("GET", "/api/v1/events/stream")).status_code)
            assert (statuses.count(200), set(statuses)) == (24, {200, 429})
            for _ in range(3):
                assert httpx.get(f"{running.address}/health/ready", timeout=PATIENCE).status_code == 200
                assert client.get("/api/v1/session").status_code == 200
        crowd.close()
        status, log = running.end()
        assert status == 0
        assert "room for 24 listeners at once" in log


def test_sighup_without_tls_and_terminal_is_ignored(cli: Cli) -> None:
    with serving(cli) as running:
        running.process.send_signal(signal.SIGHUP)
        assert httpx.get(f"{running.address}/health/live", timeout=PATIENCE).status_code == 200
        assert running.end()[0] == 0


def test_sighup_while_a_service_with_tls_starts_or_stops_does_not_end_it(cli: Cli, tmp_path: Path) -> None:
    cert, key = Authority(tmp_path / "authority").issue("station.example")
    process = cli.start("serve", "--port", "0", "--no-pcsc", "--tls-cert", str(cert), "--tls-key", str(key))
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert eventually(lambda: holds_back(process.pid, signal.SIGHUP))
        process.send_signal(signal.SIGHUP)
        assert any(line.startswith("Serving at https://") for line in process.stdout)
        assert any("the TLS files were renewed" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    finally:
        process.kill()


def holds_back(process: int, number: int) -> bool:
    """Whether the process blocks a signal. proc(5)."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.partition("SigBlk:")[2].split()[0], 16) >> (number - 1) & 1)


def test_a_port_that_is_taken_is_reported_in_a_sentence(cli: Cli) -> None:
    with serving(cli) as running:
        port = running.address.rpartition(":")[2]
        again = cli.run("serve", "--port", port, "--no-pcsc")
        assert again.status == 1
        assert again.complaint == f"port {port} of 127.0.0.1 is taken; name another with --port"
