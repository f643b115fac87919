"""One redemption as the journal of a counter has it: what page, receipt and sheet show of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from programme.wording import Sentence
from reader_service.redemptions.intents import GrantedUse, Intent
from terminal.emv.data.masking import masked_pan
from terminal.errors import CodecError
from terminal.member.journal_rows import COUNTED, JournalRow, RowKind
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.redeem import RedemptionStatus
from terminal.member.redemption.request import RedemptionRequest


class CounterOutcome(StrEnum):
    """What became of a request at this counter. Only DONE and RECOVERED are proven."""

    DONE = "DONE"
    RECOVERED = "RECOVERED"
    """Torn before, found again and proven."""
    LOGGED = "LOGGED"
    """Counted, by the log of the card alone: the union verifies it."""
    REFUSED = "REFUSED"
    NOT_PROVEN = "NOT_PROVEN"
    TORN = "TORN"
    """No answer came: the next insertion of the card says what became of it."""
    NOT_COUNTED = "NOT_COUNTED"
    """The card counted nothing."""
    REPEATED = "REPEATED"
    """The card answered with an earlier redemption: nothing may be given for it."""
    UNKNOWN = "UNKNOWN"

    @property
    def proven(self) -> bool:
        """Whether the benefit may be granted."""
        return self in (CounterOutcome.DONE, CounterOutcome.RECOVERED)


_OUTCOMES = {
    RowKind.REDEEMED: CounterOutcome.DONE,
    RowKind.RECOVERED: CounterOutcome.RECOVERED,
    RowKind.REPEATED: CounterOutcome.REPEATED,
    RowKind.REFUSED: CounterOutcome.REFUSED,
    RowKind.NOT_PROVEN: CounterOutcome.NOT_PROVEN,
    RowKind.NOT_COUNTED: CounterOutcome.NOT_COUNTED,
    RowKind.UNKNOWN: CounterOutcome.UNKNOWN,
    RowKind.TORN: CounterOutcome.TORN,
    RowKind.GRANTED: CounterOutcome.TORN,
    RowKind.GIVEN: CounterOutcome.DONE,
}
OUTCOME_OF = {
    RedemptionStatus.DONE: CounterOutcome.DONE,
    RedemptionStatus.REFUSED: CounterOutcome.REFUSED,
    RedemptionStatus.NOT_PROVEN: CounterOutcome.NOT_PROVEN,
    RedemptionStatus.LOGGED: CounterOutcome.LOGGED,
    RedemptionStatus.UNKNOWN: CounterOutcome.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class CounterRecord:
    """A request and what became of it. Amounts in fen; ``transaction`` is the ATC; ``used`` of ``limit`` by the card.

    ``number`` is the row of the result, which names the redemption at this counter. ``reasons`` are names of
    ``CvrFlag``, or the failed check. ``grant`` is the number in the office of what it has counted itself, with the uses
    ``left`` there. The card number is masked.
    """

    number: int
    intent: int
    at: datetime
    outcome: CounterOutcome
    benefit: str
    product: str
    benefit_class: str
    title: Sentence
    quantity: int
    amount: int
    list_price: int | None
    saved: int
    card: str
    cashier: str
    merchant: str
    terminal: str
    transaction: int | None = None
    used: int | None = None
    limit: int | None = None
    reasons: tuple[str, ...] = ()
    reversed: bool = False
    grant: int | None = None
    left: int | None = None

    @property
    def receipt(self) -> str:
        """The number of the receipt: the terminal, and the row of its journal."""
        return f"{self.terminal}-{self.number}"

    def to_json(self) -> dict[str, Any]:
        """For pages, events and other programs: plain values."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        title = {"zh": self.title.zh, "en": self.title.en}
        return fields | {
            "at": self.at.isoformat(),
            "outcome": self.outcome.value,
            "title": title,
            "reasons": list(self.reasons),
            "proven": self.outcome.proven,
        }


UNREADABLE: Final = Sentence("（本版本无法读取）", "(not readable by this version)")
"""The title of a request that another version of the program wrote."""


def record_of(intent: Intent, row: JournalRow, zone: tzinfo, *, reversed_since: bool = False) -> CounterRecord:
    """The record of an intent and the last row about it. Where its request or evidence is in another form than this
    version reads, its title and its outcome UNKNOWN say so: it counts nowhere. Raises CodecError for rows of no
    redemption."""
    outcome = _OUTCOMES.get(row.kind)
    if outcome is None:
        raise CodecError(f"row {row.number} of the journal ({row.kind}) is no result of a redemption")
    reasons = _reasons(row.kind, str(row.data.get("reason", "")))
    record = replace(
        open_record(intent, zone),
        number=row.number,
        at=row.at.astimezone(zone),
        outcome=outcome,
        reasons=reasons,
        reversed=reversed_since,
    )
    if row.kind is RowKind.GIVEN:
        use, again = GrantedUse.of(row), row.data.get("recovered") == 1
        done = CounterOutcome.RECOVERED if again else CounterOutcome.DONE
        return replace(record, outcome=done, amount=use.price, saved=use.saved, grant=use.number, left=use.left)
    if row.kind not in COUNTED:
        return record
    try:
        evidence = RedemptionEvidence.decode(row.octets("evidence"))
        data = evidence.data
    except CodecError:
        return replace(record, title=UNREADABLE, outcome=CounterOutcome.UNKNOWN)
    if record.title == UNREADABLE:
        return replace(record, outcome=CounterOutcome.UNKNOWN, transaction=evidence.counter)
    if not evidence.signature:
        record = replace(record, outcome=CounterOutcome.LOGGED)
    return replace(record, transaction=evidence.counter, used=data.used, limit=data.limit)


def open_record(intent: Intent, zone: tzinfo) -> CounterRecord:
    """The record of a request that got no answer; without its values where this version does not read them."""
    details = intent.details
    try:
        request = RedemptionRequest.decode(intent.request)
    except CodecError:
        return CounterRecord(
            number=intent.number,
            intent=intent.number,
            at=intent.at.astimezone(zone),
            outcome=CounterOutcome.TORN,
            benefit="",
            product="",
            benefit_class="",
            title=UNREADABLE,
            quantity=0,
            amount=0,
            list_price=None,
            saved=0,
            card=masked_pan(intent.card_number),
            cashier=intent.cashier,
            merchant="",
            terminal="",
        )
    listed, saved = details.get("list"), details.get("saved")
    return CounterRecord(
        number=intent.number,
        intent=intent.number,
        at=intent.at.astimezone(zone),
        outcome=CounterOutcome.TORN,
        benefit=str(details.get("benefit", "")),
        product=str(details.get("product", "")),
        benefit_class=request.benefit_class,
        title=Sentence(
            str(details.get("title", request.benefit_class)), str(details.get("title_en", request.benefit_class))
        ),
        quantity=request.quantity,
        amount=request.amount,
        list_price=listed if isinstance(listed, int) else None,
        saved=saved if isinstance(saved, int) else 0,
        card=masked_pan(intent.card_number),
        cashier=intent.cashier,
        merchant=request.merchant,
        terminal=request.terminal,
    )


def _reasons(kind: RowKind, text: str) -> tuple[str, ...]:
    """Names of flags of a refusal; a failed check is one text."""
    if not text:
        return ()
    return tuple(text.split()) if kind is RowKind.REFUSED else (text,)
