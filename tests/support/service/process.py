"""A reader service as it runs at a station: a process of its own, over a directory of its own, that can be killed.

``ServiceDirectory`` makes what lies on disk and in the database, ``ServiceProcess`` is the process, seen from outside.
"""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.principal import Role
from registry.store import Registry
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support import issuer, profiles
from tests.support.cli import Cli, zygote_for
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE, eventually
from tests.support.zygote import ForkedProcess, Streams

PASSPHRASE = "Zwei-Stationen-ein-Register"
PASSWORD = "a sentence of this person"
_ENVIRONMENT = Cli(ROOT, passphrase=None, bare=True).env()


@dataclass
class ServiceDirectory:
    """An issuer with keystore, key pool and settings in ``directory``; ``url`` is its database."""

    directory: Path
    url: str
    keys: int = 40
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "passphrase").write_text(PASSPHRASE)
        SoftwareKeystore.create(
            self.keystore, Secret(PASSPHRASE.encode()), simulation=True, contents=issuer.custody(), cost=issuer.FAST
        )
        issuer.pool(self.directory / "keypool").fill(self.keys)
        self.station("station")

    @property
    def keystore(self) -> Path:
        return self.directory / "keystore"

    @property
    def stock(self) -> Path:
        return self.directory / "stock"

    @property
    def slot_cards(self) -> Path:
        return self.directory / "drawer"

    def config(self, name: str) -> Path:
        return self.directory / f"{name}.toml"

    def station(self, name: str) -> str:
        """One more station of this issuer; its name."""
        values: dict[str, object] = {
            "data_dir": str(self.directory),
            "database_url": self.url,
            "passphrase_file": str(self.directory / "passphrase"),
            "simulation": True,
            "profile": str(profiles.FILE),
            "station": name,
            **self.settings,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return name

    def registry(self) -> Registry:
        return issuer.registry(self.url)

    def blanks(self, count: int, stock: Path | None = None, config: CardConfig | None = None) -> Path:
        """Blank chips in a stock directory."""
        place = stock or self.stock
        list(make_stock(place, count, config or CardConfig(chip=blank())))
        return place

    def token(self, *roles: Role, label: str = "machine") -> str:
        """An API token with these roles."""
        secret = new_token()
        with self.registry() as registry:
            self._person(registry, "maker", Role.ADMINISTRATOR)
            until = datetime.now(UTC) + timedelta(days=30)
            registry.tokens.make(label, key_of(secret), [role.value for role in roles], until=until, by="maker")
        return secret

    def person(self, name: str, *roles: Role) -> str:
        """Somebody who may sign in with PASSWORD; their name."""
        with self.registry() as registry:
            self._person(registry, name, *roles)
        return name

    @staticmethod
    def _person(registry: Registry, name: str, *roles: Role) -> None:
        if name in [user.name for user in registry.users.page(None, 100).items]:
            return
        stored = Passwords(CHEAP).hash(PASSWORD)
        registry.users.add(name, name, stored, [role.value for role in roles], by="tests", must_change=False)


class ServiceProcess:
    """A running service. ``client`` asks it with a token; ``kill`` is kill -9."""

    def __init__(
        self,
        config: Path,
        options: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self.log = log
        log.touch()
        self._before = len(self.text())  # of an earlier run
        words = ["--config", str(config), "serve", "--port", "0", *options]
        streams = Streams(str(log), str(log))
        zygote = zygote_for(_ENVIRONMENT)
        pid = zygote.start(words, streams, ROOT, {**_ENVIRONMENT, **(environment or {})}, limits=limits)
        self.process = ForkedProcess(zygote, pid)
        self.url = self._address()

    def _address(self) -> str:
        def printed() -> list[str]:
            return [
                word for word in self.text()[self._before :].split() if word.startswith(("http://127.", "https://127."))
            ]

        if eventually(lambda: printed() or self.process.poll() is not None, 0.02) and (addresses := printed()):
            return addresses[0].rstrip(".,;/")
        self.close()
        raise AssertionError(f"the service did not start:\n{self.text()}")

    def text(self) -> str:
        """All that it wrote so far."""
        return self.log.read_text("utf-8", "replace")

    @contextmanager
    def client(self, token: str, **more: Any) -> Iterator[ApiClient]:
        with httpx.Client(
            base_url=self.url, timeout=PATIENCE, headers={"Authorization": f"Bearer {token}"}, **more
        ) as http:
            yield ApiClient(http)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Politely; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)


@contextmanager
def running_service(
    home: ServiceDirectory,
    *options: str,
    name: str = "station",
    environment: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Iterator[ServiceProcess]:
    """`membercard serve` in this directory, ended at the end. ``limits`` as ``Zygote.start`` has them."""
    running = ServiceProcess(home.config(name), options, home.directory / f"{name}.log", environment, limits)
    try:
        yield running
    finally:
        running.close()


@dataclass(frozen=True)
class ApiClient:
    """Requests with a token: every write has an idempotency key of its own."""

    http: httpx.Client

    def get(self, path: str, **more: Any) -> Any:
        """The answer's JSON; it has to be a good one."""
        return _good(self.http.get(f"/api/v1{path}", **more))

    def post(self, path: str, body: object = None, **more: Any) -> Any:
        return _good(self.send("POST", path, body, **more))

    def send(self, method: str, path: str, body: object = None, key: str = "", **more: Any) -> httpx.Response:
        """Whatever the answer is."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.http.request(method, f"/api/v1{path}", json=body, headers=headers, **more)


def _good(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
    return response.json() if response.content else None
