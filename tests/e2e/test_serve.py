"""`membercard serve` as it is started: the first password, where it listens, and its end."""

from __future__ import annotations

import re
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from terminal.keys import SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST
from terminal.secret import Secret
from tests.support import issuer
from tests.support.cli import PASSPHRASE, Cli, zygote_for
from tests.support.service.authority import Authority
from tests.support.waiting import PATIENCE, eventually
from tests.support.zygote import ForkedProcess, Streams


@dataclass
class Running:
    process: ForkedProcess
    address: str
    lines: list[str]
    log: Path

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and log."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), self.log.read_text("utf-8")


@contextmanager
def serving(cli: Cli, *options: str, files: int | None = None) -> Iterator[Running]:
    """The service on a free port, once it listens. ``files``: the limit of its open files."""
    place = Path(tempfile.mkdtemp(dir=cli.data.parent))
    out, log = place / "out", place / "log"
    environment, words = cli.env(), ["serve", "--port", "0", "--no-pcsc", *options]
    zygote, streams = zygote_for(environment), Streams(str(out), str(log))
    out.touch()
    process = ForkedProcess(zygote, zygote.start(words, streams, cli.data.parent, environment, files=files))
    try:
        assert eventually(lambda: "Serving at" in out.read_text("utf-8") or process.poll() is not None)
        assert process.poll() is None, log.read_text("utf-8")
        assert eventually(lambda: out.read_text("utf-8").endswith("\n"))
        lines = out.read_text("utf-8").splitlines()
        match = re.fullmatch(r"Serving at (\S+)", lines[-1])
        assert match is not None, lines
        yield Running(process, match[1], lines, log)
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """An issuer's directory with a keystore and nothing else."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    SoftwareKeystore.create(
        data / "keystore", Secret(PASSPHRASE.encode()), simulation=True, contents=issuer.custody(), cost=CHEAP_COST
    )
    return Cli(data)


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
