"""The office of a scripted year: covers, claims, grants, and the payments that banks make and fail to make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import entry_points
from typing import Any, Final

from membercard.demo.programmes.year import ACCOUNTANT, CLERK, REVIEWER, TREASURER, DemoYear
from programme.records.aid_terms import aid_terms, budget_of
from programme.records.claim_rules import claim_terms
from programme.records.cover_terms import next_list, supplement
from programme.records.payouts import draw_up, payment_file, take_return
from programme.wording import Sentence
from registry.aid.values import AidFinding, AidRequest, AidTerms
from registry.claims.claims import Claims
from registry.claims.values import ClaimFacts, FiledClaim, Heir
from registry.covers.values import CoverList
from registry.errors import RegistryConflict
from registry.paying.instructions import InstructionState, PaymentKind
from registry.values import Card

_REVIEWERS: Final = {"station": "站审核员", "district": "区审核员", "city": "市审核员"}
_DIGITS: Final = "一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class PaidOut:
    """What the banks did with a batch each: payments and fen that they made, and payments that they could not make."""

    paid: int = 0
    amount: int = 0
    failed: int = 0

    def and_of(self, other: PaidOut) -> PaidOut:
        return PaidOut(self.paid + other.paid, self.amount + other.amount, self.failed + other.failed)


@dataclass
class DemoWelfare:
    """What the office of a year does for members. Its banks know accounts and reasons for which they do not pay."""

    year: DemoYear
    faults: dict[str, str] = field(default_factory=dict)
    paid: list[PaidOut] = field(default_factory=list)
    _banks: dict[str, Any] = field(default_factory=dict)

    def cover(self, *codes: str, within: bool = False) -> list[CoverList]:
        """Draw up the list of each cover that is due, or of changes within the term; two people sign it, and it is
        sent."""
        return [self._listed(code, within) for code in codes]

    def claim(
        self,
        card: Card,
        kind: str,
        on: date,
        *,
        choice: str | None = None,
        loss: int | None = None,
        heir: Heir | None = None,
    ) -> FiledClaim:
        """A claim with every document there, which each level approves. Raises RegistryConflict where it is refused at
        the window."""
        filed = self.file(card, kind, on, choice=choice, loss=loss, heir=heir)
        while filed.awaited is not None:
            filed = self._claims.approve(filed.number, filed.awaited, by=_REVIEWERS[filed.awaited])
        return filed

    def file(
        self,
        card: Card,
        kind: str,
        on: date,
        *,
        choice: str | None = None,
        loss: int | None = None,
        heir: Heir | None = None,
    ) -> FiledClaim:
        """The same, and no level has reviewed it yet."""
        facts = ClaimFacts(on, "", choice, loss)
        terms = claim_terms(self.year.programme, kind, facts)
        if isinstance(terms, Sentence):
            raise TypeError(terms.en)
        filed = self._claims.file(card.member_id, terms, facts, by=CLERK, heir=heir)
        for document in filed.missing:
            self._claims.tick(filed.number, document, by=CLERK)
        return self._claims.claim(filed.number)

    def refuse(self, claim: FiledClaim, reason: str) -> None:
        """The level that decides next refuses a claim."""
        if claim.awaited is not None:
            self._claims.refuse(claim.number, claim.awaited, by=_REVIEWERS[claim.awaited], reason=reason)

    def grant(self, kind: str, wanted: Sequence[tuple[Card, str, int | None]], name: str = "") -> list[AidFinding]:
        """Take in a list of grants (card, choice, amount in fen), which a second person approves; its findings.
        ``name`` stands in every row instead of the member's."""
        terms = self._terms(kind)
        requests = [
            AidRequest(place, card.card_number, name or self._name(card), choice, amount)
            for place, (card, choice, amount) in enumerate(wanted, start=1)
        ]
        digest = f"{kind}-{self.year.clock.local():%Y%m%d%H%M%S%f}"
        lists = self.year.registry.aid_lists
        listed, findings = lists.take_in(terms, requests, source=f"{kind}.xlsx", digest=digest, by=CLERK)
        if listed is not None:
            lists.approve(listed.id, budget_of(self.year.programme, kind, terms.year), by=REVIEWER)
        return findings

    def grant_on_activation(self, kind: str) -> int:
        """Everybody whose card is activated gets the grant; how many."""
        listed = self.year.registry.aid_lists.draw_up(self._terms(kind), by=CLERK)
        if listed is None:
            return 0
        return self.year.registry.aid_lists.approve(listed.id, None, by=REVIEWER).rows

    def pay(self) -> PaidOut:
        """Each bank of the programme pays what waits for it, and answers."""
        whole = PaidOut()
        for code in {} if self.year.programme.payouts is None else self.year.programme.payouts.banks:
            whole = whole.and_of(self._paid_by(code))
        self.paid.append(whole)
        return whole

    def reissue(self, reason: str) -> int:
        """Order again what the banks could not pay; how many."""
        failed = self.year.registry.instructions.page(None, 500, state=InstructionState.FAILED).items
        count = 0
        for one in failed:
            try:
                self.year.registry.instructions.reissue(one.id, by=ACCOUNTANT, reason=reason)
                count += 1
            except RegistryConflict:  # it was ordered again before
                continue
        return count

    def heir(self, number: int, account: str) -> Heir:
        """A made-up heir with this account."""
        return Heir(f"继承人{_DIGITS[number % 10]}", f"13010219900101{number:04d}", "子女", account)

    def account(self, card: Card) -> str:
        """The account of a card, for the bank's side."""
        return self.year.registry.pans.of_cards([card.card_number])[card.card_number]

    def amounts(self, kind: PaymentKind) -> tuple[int, int]:
        """How many payments of a kind were made, and what they come to in fen."""
        cursor, count, amount = None, 0, 0
        while True:
            page = self.year.registry.instructions.page(cursor, 500, state=InstructionState.PAID, kind=kind)
            count += len(page.items)
            amount += sum(one.amount for one in page.items)
            cursor = page.next
            if cursor is None:
                return count, amount

    @property
    def _claims(self) -> Claims:
        return self.year.registry.claims

    def _listed(self, code: str, within: bool) -> CoverList:
        lists, today = self.year.registry.cover_lists, self.year.clock.local().date()
        last = lists.last(code)
        draw = supplement if within else lambda *given: next_list(*given).terms
        drawn = lists.draw_up(draw(self.year.programme, code, last, today), by=ACCOUNTANT)
        for person in (ACCOUNTANT, TREASURER):
            drawn = lists.sign(drawn.id, drawn.digest, by=person)
        return lists.send(drawn.id, by=ACCOUNTANT, reason="报送互助保障办公室")

    def _terms(self, kind: str) -> AidTerms:
        return aid_terms(self.year.programme, kind, self.year.clock.year)

    def _name(self, card: Card) -> str:
        return self.year.registry.members.unmask(card.member_id, by=CLERK, reason="编制补助名单").name

    def _paid_by(self, code: str) -> PaidOut:
        registry, custody, programme = self.year.registry, self.year.custody, self.year.programme
        try:
            batch = draw_up(registry, programme, code, by=ACCOUNTANT).batch
        except RegistryConflict:  # nothing waits for this bank
            return PaidOut()
        for person in (ACCOUNTANT, TREASURER):
            registry.bank_batches.sign(batch.id, batch.digest, by=person)
        zone = self.year.clock.zone
        content = b"".join(payment_file(registry, custody, programme, batch.id, zone=zone, by=ACCOUNTANT))
        bank = self._bank(code)
        bank.faults |= self.faults
        bank.execute(content)
        answer = bank.answer(content, self.year.clock.local().date())
        booked = take_return(registry, custody, programme, code, answer, f"{code}-{batch.id}", by=ACCOUNTANT).booked
        return PaidOut(booked.paid, booked.paid_amount, booked.failed)

    def _bank(self, code: str) -> Any:
        """A bank, which has the key of the union; it remembers what it has paid."""
        if code not in self._banks:
            (open_bank,) = (one.load() for one in entry_points(group="membercard.simulators", name="payout-bank"))
            key = self.year.custody.latest("zmk")

            def mac(direction: bytes) -> object:
                return lambda digest: self.year.custody.transport_mac(key, direction + b"/" + code.encode(), digest)

            self._banks[code] = open_bank(mac(b"payments"), mac(b"return"))
        return self._banks[code]
