"""The files of deploy/ and the commands of docs/deployment.md as they stand: the unit's own line, with the deployed
settings and certificates made as the guide says, serves whoever shows one, and nobody else."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from reader_service.principal import Role
from tests.support.cards.card_bench import fast_directory
from tests.support.paths import ROOT
from tests.support.service.process import ServiceDirectory, ServiceProcess
from tests.support.waiting import PATIENCE, eventually

DEPLOY = ROOT / "deploy"
NAME = "station-1.union.example"
PROGRAM = ["/opt/membercard/.venv/bin/membercard", "--config", "/etc/membercard/membercard.toml", "serve"]


def typed() -> list[str]:
    """What the guide has one type for TLS, without what puts files in their places."""
    guide = (ROOT / "docs/deployment.md").read_text("utf-8")
    section = guide.partition("\n## TLS\n")[2].partition("\n## ")[0]
    lines = [line for block in section.split("```\n")[1::2] for line in block.splitlines()]
    return [line for line in lines if not line.startswith("install ")]


def setting(file: str, name: str) -> str:
    """Of a file as systemd reads it; one that is commented out too."""
    lines = [line.removeprefix("# ") for line in (DEPLOY / file).read_text("utf-8").splitlines()]
    (*_, last) = [line for line in lines if line.startswith(f"{name}=")]
    return last.partition("=")[2]


@dataclass(frozen=True)
class Deployed:
    """A running station, where its certificates lie, and a token."""

    url: str
    folder: Path
    token: str
    pid: int

    def certificate(self) -> str:
        """The certificate of the service, as a client gets it."""
        port = int(self.url.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "till-3.pem", self.folder / "till-3.key")
        with (
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line,
            context.wrap_socket(line, server_hostname=NAME) as wrapped,
        ):
            return str((wrapped.getpeercert() or {})["serialNumber"])

    def ask(self, certificate: str = "") -> httpx.Response:
        """As strictly as newer programs look at certificates (X509_V_FLAG_X509_STRICT)."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        if certificate:
            context.load_cert_chain(self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key")
        headers = {"Host": NAME, "Authorization": f"Bearer {self.token}"}
        with httpx.Client(verify=context, base_url=self.url, headers=headers, timeout=PATIENCE) as client:
            return client.get("/api/v1/session", extensions={"sni_hostname": NAME})


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with fast_directory() as folder:
        for line in typed():
            subprocess.run(["bash", "-ec", line], cwd=folder, check=True, capture_output=True)
        home = ServiceDirectory(folder, f"sqlite:///{folder / 'membercard.db'}")
        settings = (DEPLOY / "membercard.toml").read_text("utf-8").replace("/var/lib/membercard", str(folder))
        home.config("station").write_text(f"{settings}simulation = true\n", "utf-8")
        token = home.token(Role.COUNTER)
        line = setting("membercard.service", "ExecStart").replace(
            "$MEMBERCARD_SERVE", setting("environment", "MEMBERCARD_SERVE")
        )
        argv = shlex.split(line)
        assert argv[: len(PROGRAM)] == PROGRAM
        options = [word.replace("/etc/membercard", str(folder)) for word in argv[len(PROGRAM) :]]
        options[options.index("0.0.0.0")] = "127.0.0.1"  # noqa: S104
        options[options.index("8765")] = "0"
        more = ["--client-ca", str(folder / "ca.pem"), "--no-pcsc"]
        environment = {"MEMBERCARD_PASSPHRASE_FILE": str(folder / "passphrase")}
        running = ServiceProcess(home.config("station"), [*options, *more], folder / "log", environment)
        try:
            yield Deployed(running.url, folder, token, running.process.pid)
        finally:
            running.close()


def test_a_machine_with_a_certificate_is_served_over_tls(deployed: Deployed) -> None:
    answer = deployed.ask("till-3")
    assert (answer.status_code, answer.json()["roles"]) == (200, ["counter"])
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize("certificate", ["", "tls"])
def test_nobody_without_one_gets_an_answer_nor_with_one_for_servers(deployed: Deployed, certificate: str) -> None:
    with pytest.raises(httpx.TransportError):
        deployed.ask(certificate)


def test_a_renewed_certificate_is_served_without_a_restart(deployed: Deployed) -> None:
    """As `systemctl reload` does."""
    before = deployed.certificate()
    for line in typed():
        if "tls." in line:
            subprocess.run(["bash", "-ec", line], cwd=deployed.folder, check=True, capture_output=True)
    os.kill(deployed.pid, signal.SIGHUP)
    assert eventually(lambda: deployed.certificate() != before)
    assert deployed.ask("till-3").status_code == 200


def test_without_options_the_deployed_service_listens_on_its_own_machine_only() -> None:
    lines = (DEPLOY / "environment").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["MEMBERCARD_SERVE="]
