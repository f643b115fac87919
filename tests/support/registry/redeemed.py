"""Redemptions as a counter uploads them, with cryptograms of a key in custody, for tests of booking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from registry.programme.changes import ChangeState
from registry.programme.judgement import REDEMPTION_LIST, Prove
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.rates import Rate
from registry.programme.work import Upload
from registry.store import Registry
from registry.values import Card
from terminal.errors import CodecError
from terminal.keys import EMV_CSK, KeyRef, MemoryCustody
from terminal.keys.custody import Algorithm, Purpose
from terminal.member.issuing import proves
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind
from terminal.member.redemption.evidence import TC, RedemptionEvidence
from terminal.member.redemption.request import RedemptionRequest
from terminal.tlv import Dol
from tests.support.registry.registrar import claimed, ready

AT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
DAY = date(2026, 11, 22)
JOURNAL = "0123456789abcdef" * 2
MASTER = KeyRef("imk-ac")
AIP, AID = bytes.fromhex("3100"), bytes.fromhex("D1560000010001")
PARK = NewMerchant(
    "PARK-EAST",
    "东城公园",
    date(2026, 1, 1),
    date(2027, 12, 31),
    ("0101", "0102"),
    (NewOutlet("east gate", "1 Park Road", ("T0000001", "T0000002")), NewOutlet("west gate", "", ("T0000003",))),
    "East Park",
    "6222000000001234",
)


def masters() -> MemoryCustody:
    """Custody with the master keys of the member application."""
    custody = MemoryCustody(simulation=True)
    for name, purpose in (("imk-ac", Purpose.AC), ("imk-smi", Purpose.SMI), ("imk-smc", Purpose.SMC)):
        custody.generate(name, purpose, Algorithm.TDES, by="test")
    return custody


@dataclass
class CountingChip:
    """What a chip answers: it counts one class, and its key is derived from the masters."""

    custody: MemoryCustody
    card_number: str
    sequence: int = 1
    atc: int = 0
    used: int = 0
    limit: int = 200
    start: bytes = bytes.fromhex("260101")
    scripts: int = 0
    drawn: int = 0

    def redeem(
        self,
        benefit: str = "0101",
        quantity: int = 1,
        amount: int = 500,
        day: date = DAY,
        merchant: str = "PARK-EAST",
        terminal: str = "T0000001",
        cvr: bytes = b"\x40\x00",
    ) -> RedemptionEvidence:
        """One use, counted and proven."""
        self.atc, self.used, self.drawn = self.atc + 1, self.used + quantity, self.drawn + 1
        number = self.drawn.to_bytes(4, "big")
        request = RedemptionRequest(benefit, quantity, amount, day, time(10, 30), merchant, terminal, number)
        results = b"\x03" + cvr + bytes((self.scripts,))
        data = b"\x07\x01\x00" + results + b"\x00\x05" + bytes((self.used, self.limit)) + self.start
        evidence = RedemptionEvidence(
            AID, self.card_number, self.sequence, AIP, b"", REDEMPTION_LIST, request.fill(Dol.parse(REDEMPTION_LIST)),
            TC, self.atc.to_bytes(2, "big"), bytes(144), bytes(8), data,
        )  # fmt: skip
        return self.proven(evidence)

    def proven(self, evidence: RedemptionEvidence) -> RedemptionEvidence:
        """The evidence with the cryptogram that this card computes over it."""
        references = (MASTER, KeyRef("imk-smi"), KeyRef("imk-smc"))
        keys = self.custody.application_keys(references, evidence.card_number, evidence.sequence)
        cryptogram = self.custody.cryptogram(keys, EMV_CSK, evidence.atc, evidence.authenticated)
        return replace(evidence, cryptogram=cryptogram)


@dataclass
class Till:
    """A counter's journal without a file: rows are numbered, linked and handed over in batches."""

    journal: str = JOURNAL
    at: datetime = AT
    rows: list[JournalRow] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=lambda: [NO_ROW])
    uploaded: int = 0

    def add(self, kind: RowKind, day: date | None = None, /, **data: str | int) -> JournalRow:
        at = self.at if day is None else datetime.combine(day, self.at.timetz())
        row = JournalRow(len(self.rows) + 1, at, kind, data)
        self.rows.append(row)
        self.hashes.append(row.link(self.hashes[-1]))
        self.at += timedelta(seconds=1)
        return row

    def redeemed(self, *taken: RedemptionEvidence, kind: RowKind = RowKind.REDEEMED, intent: int = 1) -> JournalRow:
        """Rows of these redemptions, each on the day of its own; gives the last."""
        rows = [counted(evidence) | {"intent": intent} for evidence in taken]
        return [self.add(kind, _day_of(one), **row) for one, row in zip(taken, rows, strict=True)][-1]

    def request_row(self, evidence: RedemptionEvidence, **details: str | int) -> JournalRow:
        """The row of the request of a redemption, with the counter's own values."""
        card: dict[str, str | int] = {"card": evidence.card_number, "sequence": evidence.sequence, "cashier": "li.na"}
        request = evidence.request
        return self.add(RowKind.INTENT, request.day, **card, request=request.encode().hex(), **details)

    def upload(self, first: int | None = None) -> Upload:
        """The rows from a number on; without it, those that were not handed over before."""
        begin = self.uploaded if first is None else first - 1
        self.uploaded = len(self.rows)
        return Upload(self.journal, self.hashes[begin], tuple(self.rows[begin:]))


def _day_of(evidence: RedemptionEvidence) -> date | None:
    with suppress(CodecError):
        return evidence.request.day
    return None


def counted(evidence: RedemptionEvidence) -> dict[str, str | int]:
    """The values of a counter's row of that redemption."""
    card: dict[str, str | int] = {"card": evidence.card_number, "sequence": evidence.sequence}
    return {"intent": 1, **card, "counter": evidence.counter, "evidence": evidence.encode().hex()}


def prove_with(custody: MemoryCustody) -> Prove:
    return partial(proves, custody, MASTER)


def approve_all(registry: Registry, *, by: str = "second person") -> None:
    """What waits of merchants is approved, the oldest first."""
    waiting = registry.merchant_changes.page(limit=500, state=ChangeState.WAITING).items
    for change in reversed(waiting):
        registry.merchant_changes.approve(change.number, by=by)


def give_rate(registry: Registry, rate: Rate, *, by: str = "zhang", reason: str = "contract") -> None:
    """A rate of the park, given by two people."""
    change = registry.rates.request("PARK-EAST", rate, by=by, reason=reason)
    registry.merchant_changes.approve(change.number, by="second person")


def end_park(registry: Registry) -> None:
    """The park ends, as two people want."""
    change = registry.merchants.end("PARK-EAST", by="test", reason="moved away")
    registry.merchant_changes.approve(change.number, by="second person")


def close_outlet(registry: Registry, outlet: int) -> None:
    """An outlet closes, as two people want."""
    change = registry.merchants.close_outlet(outlet, by="test", reason="rebuilt")
    registry.merchant_changes.approve(change.number, by="second person")


def park(registry: Registry) -> tuple[int, int]:
    """The park on record, its account approved: its two outlets."""
    (merchant,) = registry.merchants.put(PARK, by="test")
    approve_all(registry)
    east, west = (outlet.id for outlet in merchant.outlets)
    return east, west


def two_cards(registry: Registry, custody: MemoryCustody) -> list[Card]:
    """Two verified cards with numbers whose check digit is right: serials 1 and 19 of the prefix."""
    issued = []
    for number in (1, 2):
        batch = ready(registry, custody, 1, f"d{number}", number)
        issued.append(registry.line.verified(claimed(registry, batch, number), {}, 1.0))
        registry.cards.allocate_serials("621226", 17)
    return issued


def chips_of(custody: MemoryCustody, issued: Iterable[Card]) -> Iterator[CountingChip]:
    """The chips of these cards."""
    for card in issued:
        yield CountingChip(custody, card.card_number, card.sequence)


def upload_with_findings(registry: Registry, outlet: int) -> None:
    """A counter of the outlet uploads a redemption that no card of this registry has computed, and a cut row."""
    till = Till()
    till.redeemed(CountingChip(masters(), "6212260000009999996").redeem())
    till.add(RowKind.CUT, bytes=7)
    registry.booking.book(outlet, till.upload(), lambda evidence: False, by="王芳")
