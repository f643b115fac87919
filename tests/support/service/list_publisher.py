"""An office on a loopback port that gives signed lists to counters, or whatever a test wants in their place."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from membercard.wiring.api_client import ApiClient
from membercard.wiring.list_source import HttpListSource
from programme.editions import ProgrammeEdition
from programme.programme import example
from reader_service.services.counter.fetched_lists import ListKind
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from tests.support.cards.rsa_signer import Key, key
from tests.support.misbehaving_server import misbehaving
from tests.support.waiting import PATIENCE

NOW: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SIGNER: Final = key("list", 1152)


def public(signer: Key = SIGNER) -> RsaPublic:
    return RsaPublic(signer.n, signer.e)


def key_file(signer: Key = SIGNER) -> bytes:
    return json.dumps({"n": f"{signer.n:x}", "e": signer.e}).encode()


def signed(
    kind: ListKind,
    version: int,
    issued: datetime = NOW - DAY,
    *,
    days: int = 30,
    cards: int = 3,
    ca: int = 1,
    signer: Key = SIGNER,
) -> bytes:
    """A list as an office signs it."""
    issue, own = Issue(version, issued, issued + timedelta(days=days)), public(signer)
    if kind is ListKind.TRUST:
        authority = CaKey(bytes.fromhex("F04D454D42"), ca, RsaPublic(key("ca", 1152).n, 3))
        return TrustList.of([authority], issue).write(own, signer.sign)
    if kind is ListKind.HOTLIST:
        hot = [HotCard(f"62123400000{number:05d}", 1, HotlistReason.LOST, issued.date()) for number in range(cards)]
        return Hotlist.of(hot, issue).write(own, signer.sign)
    return ProgrammeEdition(example("beijing").programme, issue).write(own, signer.sign)


@dataclass
class ListPublisher:
    """``lists`` by their path below ``/lists/``; ``says`` is a whole answer in place of theirs. ``asked`` are the paths
    with the status of their answers."""

    port: int = 0
    lists: dict[str, bytes] = field(default_factory=dict)
    says: bytes | None = None
    requests: list[tuple[str, int]] = field(default_factory=list)

    def publish(self, **versions: int) -> None:
        """The lists in these versions."""
        for name, version in versions.items():
            self.lists[name] = signed(ListKind(name), version)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counter(
        self, folder: Path, clock: Callable[[], datetime] = lambda: NOW, *, programme: bool = True
    ) -> HttpListSource:
        """The lists of a counter whose token is in its folder."""
        token = folder / "office.token"
        token.write_bytes(b"mc-counter-secret")
        token.chmod(0o600)
        return HttpListSource(ApiClient(self.url, token, PATIENCE), folder, clock, programme=programme)

    def _answer(self, connection: socket.socket, _over: threading.Event) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65_536) or b"\r\n\r\n"
        if self.says is not None:
            connection.sendall(self.says)
            return
        target = head.split(b" ")[1].decode().removeprefix("/api/v1/lists/")
        content, status = self.lists.get(target), 200
        if content is None:
            name = target.partition("?")[0]
            content = json.dumps({"type": "/problems/not-found", "params": {"reason": name}}).encode()
            status = 404
        elif f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode() in head:
            content, status = b"", 304
        self.requests.append((target, status))
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(content), content))


@contextmanager
def list_publisher() -> Iterator[ListPublisher]:
    """One that listens."""
    publisher = ListPublisher()
    with misbehaving(publisher._answer, read=False) as server:
        publisher.port = server.port
        yield publisher
