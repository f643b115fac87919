"""An issuer's service in this process, and a counter elsewhere that reaches it over HTTP with an outlet's token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from membercard.wiring.api_client import ApiClient
from membercard.wiring.bounded_http import Reply, Request
from membercard.wiring.http_scripts import HttpScriptIssuer
from personalize.updates import UpdateReport, encoded
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import CHEAP, Passwords
from reader_service.app import create_app
from reader_service.parts import ServiceParts
from reader_service.principal import Role
from reader_service.redemptions.receiver import ReceiverAway
from reader_service.service import ReaderService
from reader_service.services.counter.insertion import InsertionUpdates
from registry.members.wanted import UpdateKind
from registry.store import Registry
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Sender, stack
from terminal.member.outcome import Verdict
from terminal.member.redemption.redeem import redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.verdict import verify
from tests.support.registry import databases
from tests.support.registry.redeemed import PARK
from tests.support.service.accounts import PASSWORD, Client
from tests.support.service.reader_rig import NOON, ReaderRig, reader_rig


class LossyLine:
    """The client of a counter, without a network. ``lost`` is the number of the request that is lost from now on, with
    ``+`` behind it where the issuer has it and only its answer is lost; ``down`` loses all."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.sent: list[str] = []
        self.replies: list[Reply] = []
        self.lost, self.down = "", False

    def ask(self, request: Request) -> Reply:
        number = len(self.sent)
        self.sent.append(request.target)
        if self.down or self.lost == f"{number}":
            raise ReceiverAway("lost")
        headers = dict(request.headers)
        answer = self._client.request(request.method, f"/api/v1{request.target}", content=request.body, headers=headers)
        if self.lost == f"{number}+":
            raise ReceiverAway("its answer is lost")
        self.replies.append(Reply(answer.status_code, answer.content))
        if answer.status_code in (429, 500, 503):
            raise ReceiverAway(f"HTTP {answer.status_code}")
        return self.replies[-1]


@dataclass
class Clock:
    """The issuer's clock, which a test moves."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class DistantCounter:
    """A counter with a card; its installation has no registry and no key."""

    line: LossyLine
    parts: ServiceParts
    path: Path
    insertions: InsertionUpdates = field(init=False)

    def __post_init__(self) -> None:
        self.restarted()

    @property
    def issuer(self) -> HttpScriptIssuer:
        api = cast(ApiClient, self.line)
        return HttpScriptIssuer(api, api, api)

    def restarted(self) -> None:
        """Its service begins anew, as after a kill."""
        own = SimpleNamespace(script_issuer=self.issuer, station="distant")
        self.insertions = InsertionUpdates(cast(ServiceParts, own))

    def inserted(
        self,
        fault: str = "",
        *,
        reaches: bool = True,
        redeems: int = 0,
        work: Callable[[Sender, Verdict], UpdateReport] | None = None,
    ) -> tuple[Verdict, UpdateReport, Verdict]:
        """One insertion: verdict, what ran, and the verdict after it."""
        if reaches:
            self.insertions.reach()
        chip = VirtualCard.open(self.path)
        faults = Faults([InjectedFault.parse(fault)] if fault else (), sleep=lambda seconds: None)
        sender = stack(SimCard(faults.on(chip, chip), chip.config.protocol))
        try:
            before = self._verdict(sender)
            report = (work or self.insertions.at_counter)(sender, before)
            after = self._verdict(sender)
            if redeems:
                assert after.card is not None
                request = RedemptionRequest("0101", redeems, 2_000, NOON.date(), NOON.time(), "PARK-EAST", "T0000001")
                assert redeem(sender, after.card, request).done
            return before, report, after
        finally:
            chip.tear = None
            chip.power_off()

    def _verdict(self, sender: Sender) -> Verdict:
        lists = self.parts.lists()
        return verify(sender, trust=lists.trust, hotlist=lists.hotlist, at=NOON, policy=lists.policy)


@dataclass
class DistantRig:
    """The issuer: ``counters`` are those of the outlets east and west, with a token each, and one card before both."""

    station: ReaderRig
    service: ReaderService
    clock: Clock
    number: str
    counters: list[DistantCounter]
    outlets: list[int]

    @property
    def registry(self) -> Registry:
        return self.station.registry

    @property
    def east(self) -> DistantCounter:
        return self.counters[0]

    def want(self, wanted: dict[UpdateKind, object]) -> None:
        """Order changes, with the consent of a second person where one is needed."""
        values = {kind: encoded(kind, value) for kind, value in wanted.items()}
        for one in self.registry.updates.want(self.number, values, by="会籍科", reason="新年度"):
            if one.state.value == "proposed":
                self.registry.updates.consent(one.id, by="复核")

    def states(self) -> list[tuple[str, str]]:
        return [(one.kind.value, one.state.value) for one in self.registry.updates.of_card(self.number, 1)]

    def audited(self) -> list[Any]:
        return [row.entry for row in self.registry.audit.page(None, 50).items]


@contextmanager
def distant_rig(folder: Path, issued: tuple[str, list[Path]], **changes: object) -> Iterator[DistantRig]:
    """One over a copy of the issuer's registry and of its first card."""
    card = folder / "issued.card"
    card.write_bytes(issued[1][0].read_bytes())
    clock = Clock()
    station = reader_rig(folder, url=databases.copy(issued[0], folder), **changes)
    station.parts = replace(station.parts, clock=clock)
    registry = station.registry
    service = ReaderService(station.parts)
    app = create_app(service)
    stored = Passwords(CHEAP).hash(PASSWORD)
    registry.users.add("maker", "maker", stored, [Role.ADMINISTRATOR.value], by="tests", must_change=False)
    (park,) = registry.merchants.put(PARK, by="test")
    outlets, counters = [one.id for one in park.outlets], []
    for outlet in outlets:
        secret, until = new_token(), datetime.now(UTC) + timedelta(days=1)
        registry.tokens.make(f"till {outlet}", key_of(secret), ["counter"], until=until, by="maker", outlet=outlet)
        line = LossyLine(Client(app, {"Authorization": f"Bearer {secret}"}))
        counters.append(DistantCounter(line, station.parts, card))
    lists = station.parts.lists()
    chip = VirtualCard.open(card)
    proven = verify(stack(SimCard(chip, chip.config.protocol)), trust=lists.trust, hotlist=lists.hotlist, at=NOON)
    chip.power_off()
    assert proven.member is not None
    try:
        yield DistantRig(station, service, clock, proven.member.card_number, counters, outlets)
    finally:
        service.close()
        registry.close()


VALIDITY, COVER = date(2036, 12, 31), date(2028, 6, 30)
