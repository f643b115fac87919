"""Claims: filed for one event, reviewed by each level and another person each, and paid by one instruction.

Steps: ``filed -> approved`` by the last level, or ``refused``; ``returned`` to its filer and filed again; ``withdrawn``
by its filer. With the last approval the payment is ordered in the same transaction. What a claim says of a person's
health is sealed, and stands on no list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from registry.batches.persons import open_person
from registry.claims.rows import (
    awaited_level,
    claim_detail,
    claim_on_record,
    claim_view,
    claim_views,
    missing_documents,
    sealed_place,
)
from registry.claims.values import (
    ClaimDecision,
    ClaimDetail,
    ClaimFacts,
    ClaimParty,
    ClaimStage,
    ClaimTerms,
    FiledClaim,
    Heir,
)
from registry.covers.covered import cover_on, died_on
from registry.db.actors import same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import claim_documents, claim_steps, claims_filed
from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict
from registry.members.views import member_row, without_name
from registry.paying.instructions import PaymentKind, PaymentOrder, order

_C: Final = claims_filed.c
_S: Final = claim_steps.c
_D: Final = claim_documents.c
_LIVING: Final = (ClaimStage.FILED.value, ClaimStage.RETURNED.value, ClaimStage.APPROVED.value)


class Claims:
    """Repository of claims."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def file(
        self, member_id: int, terms: ClaimTerms, facts: ClaimFacts, *, by: str, heir: Heir | None = None
    ) -> FiledClaim:
        """File a claim of a member, or of an heir for a member who has died.

        Raises NotOnRecord, RegistryConflict for an event to come (``claim-to-come``) or after the deadline
        (``claim-late``), one that was claimed before (``claim-double``), a day without cover (``claim-not-covered``),
        and a claimant who cannot be (``claim-claimant``).
        """
        with self._context.write() as conn:
            member_row(conn, member_id)
            today = self._context.day(self._context.clock())
            self._refuse_unfit(conn, member_id, terms, facts, today, heir)
            key = self._context.personal.seal_key()
            values = {
                "member_id": member_id,
                "kind": terms.kind,
                "event": terms.event,
                "event_on": facts.event_on.isoformat(),
                "filed_on": today.isoformat(),
                "at": self._context.clock(),
                "by": by,
                "claimant": (ClaimParty.MEMBER if heir is None else ClaimParty.HEIR).value,
                "medical": terms.medical,
                "rules": json.dumps(terms.rules, sort_keys=True, ensure_ascii=False),
                "levels": ",".join(terms.levels),
                "purpose": terms.purpose,
                "amount": terms.amount,
                "sealed": b"",
                "seal_key": str(key),
                "stage": ClaimStage.RETURNED.value,  # its facts are sealed with its number, which it has from here on
                "passed": 0,
            }
            number: int = conn.execute(insert(claims_filed).values(values).returning(_C.id)).scalar_one()
            sealed = self._context.personal.seal_fields(key, sealed_place(number), _fields(facts, heir))
            filed = update(claims_filed).where(_C.id == number)
            conn.execute(filed.values(sealed=sealed, stage=ClaimStage.FILED.value))
            listed = [{"claim_id": number, "document": one} for one in terms.documents]
            if listed:
                conn.execute(insert(claim_documents), listed)
            self._step(conn, number, ClaimDecision.FILED, by)
            self._context.audit(conn, by, "claim.file", f"claim:{number}", "", member=member_id)
            return claim_view(conn, number)

    def file_again(self, number: int, terms: ClaimTerms, facts: ClaimFacts, *, by: str) -> FiledClaim:
        """File a returned claim again with other facts; all levels review it anew. Raises NotOnRecord, RegistryConflict
        as ``file`` does, and for one that was not returned (``claim-not-returned``)."""
        with self._context.write() as conn:
            row = claim_on_record(conn, number, lock=True)
            if row.stage != ClaimStage.RETURNED or (row.kind, row.event) != (terms.kind, terms.event):
                sentence = f"claim {number} is {row.stage}: only one that was returned is filed again, as its own kind"
                raise RegistryConflict(sentence, reason="claim-not-returned", number=number, stage=row.stage)
            detail = claim_detail(conn, self._context.personal, row)
            filed_on = date.fromisoformat(row.filed_on)
            self._refuse_unfit(conn, row.member_id, terms, facts, filed_on, detail.heir, own=number)
            key = self._context.personal.seal_key()
            sealed = self._context.personal.seal_fields(key, sealed_place(number), _fields(facts, detail.heir))
            values = {"amount": terms.amount, "sealed": sealed, "seal_key": str(key), "stage": ClaimStage.FILED.value}
            chosen = update(claims_filed).where(_C.id == number)
            conn.execute(chosen.values(**values, event_on=facts.event_on.isoformat()))
            self._step(conn, number, ClaimDecision.FILED_AGAIN, by)
            self._context.audit(conn, by, "claim.file-again", f"claim:{number}")
            return claim_view(conn, number)

    def tick(self, number: int, document: str, *, by: str, there: bool = True) -> FiledClaim:
        """Tick a document off, or take the tick back. Raises NotOnRecord (claim, document), RegistryConflict for a
        claim that has ended, or that a level has approved."""
        with self._context.write() as conn:
            row = claim_on_record(conn, number, lock=True)
            _refuse_ended(row)
            if row.passed:
                sentence = f"claim {number} was reviewed with its documents: they are not changed any more"
                raise RegistryConflict(sentence, reason="claim-reviewed", number=number)
            ticked = (
                {"ticked_at": self._context.clock(), "ticked_by": by}
                if there
                else {"ticked_at": None, "ticked_by": None}
            )
            mine = (_D.claim_id == number, _D.document == document)
            if not conn.execute(update(claim_documents).where(*mine).values(ticked)).rowcount:
                sentence = f"claim {number} needs no document {document}"
                raise NotOnRecord(sentence, reason="claim-document", number=number, document=document)
            self._context.audit(conn, by, "claim.document", f"claim:{number}", "", document=document, there=there)
            return claim_view(conn, number)

    def approve(self, number: int, level: str, *, by: str, reason: str = "") -> FiledClaim:
        """Approve a claim at the level that decides next. The last one orders the payment.

        Raises NotOnRecord, RegistryConflict for another level (``claim-level``), documents that are not there
        (``claim-documents``), one that has ended, and for a person who filed or approved it before (OWN_WORK).
        """
        with self._context.write() as conn:
            row = self._deciding(conn, number, level, by)
            if missing := missing_documents(conn, number):
                sentence = f"claim {number} lacks {', '.join(missing)}: tick off what is there, or return the claim"
                raise RegistryConflict(sentence, reason="claim-documents", number=number, documents=", ".join(missing))
            why = self._nameless(conn, row, reason)
            self._step(conn, number, ClaimDecision.APPROVED, by, level=level, reason=why)
            passed = row.passed + 1
            values: dict[str, Any] = {"passed": passed}
            if awaited_level(row.levels, passed) is None:
                values |= {"stage": ClaimStage.APPROVED.value, "ended_at": self._context.clock()}
                self._order(conn, row, by)
            conn.execute(update(claims_filed).where(_C.id == number).values(values))
            self._context.audit(conn, by, "claim.approve", f"claim:{number}", why, level=level)
            return claim_view(conn, number)

    def give_back(self, number: int, level: str, *, by: str, reason: str) -> FiledClaim:
        """Return a claim to its filer, who mends it. Raises what ``approve`` raises, but for documents."""
        return self._end_review(number, level, ClaimDecision.RETURNED, ClaimStage.RETURNED, "claim.return", by, reason)

    def refuse(self, number: int, level: str, *, by: str, reason: str) -> FiledClaim:
        """Refuse a claim; another may be filed for the event. Raises what ``approve`` raises, but for documents."""
        return self._end_review(number, level, ClaimDecision.REFUSED, ClaimStage.REFUSED, "claim.refuse", by, reason)

    def withdraw(self, number: int, *, by: str, reason: str) -> FiledClaim:
        """Take a claim back before its last review. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = claim_on_record(conn, number, lock=True)
            _refuse_ended(row)
            why = self._nameless(conn, row, why)
            self._step(conn, number, ClaimDecision.WITHDRAWN, by, reason=why)
            ended = {"stage": ClaimStage.WITHDRAWN.value, "ended_at": self._context.clock()}
            conn.execute(update(claims_filed).where(_C.id == number).values(ended))
            self._context.audit(conn, by, "claim.withdraw", f"claim:{number}", why)
            return claim_view(conn, number)

    def claim(self, number: int) -> FiledClaim:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return claim_view(conn, number)

    def opened(self, number: int, *, by: str, reason: str) -> ClaimDetail:
        """A claim in full; the audit entry is committed before it is returned. Raises NotOnRecord, RegistryConflict
        without a reason."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = claim_on_record(conn, number)
            detail = claim_detail(conn, self._context.personal, row)
            self._context.audit(conn, by, "claim.open", f"claim:{number}", self._nameless(conn, row, why))
        return detail

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        stage: ClaimStage | None = None,
        member: int | None = None,
    ) -> Page[FiledClaim]:
        """Claims, the newest first. Raises BadCursor."""
        chosen = claim_views().order_by(_C.id.desc()).limit(cut(limit) + 1)
        if stage is not None:
            chosen = chosen.where(_C.stage == stage.value)
        if member is not None:
            chosen = chosen.where(_C.member_id == member)
        if cursor is not None:
            chosen = chosen.where(_C.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            page: Page[Row[Any]] = page_of(conn.execute(chosen).all(), limit, lambda row: row, lambda row: [row.id])
            return Page(tuple(claim_view(conn, row.id, row) for row in page.items), page.next)

    def _refuse_unfit(
        self,
        conn: Connection,
        member_id: int,
        terms: ClaimTerms,
        facts: ClaimFacts,
        today: date,
        heir: Heir | None,
        own: int = 0,
    ) -> None:
        day = facts.event_on
        if day > today:
            raise RegistryConflict(f"{day} is a day to come: nothing has happened yet", reason="claim-to-come")
        if day + timedelta(days=terms.days) < today:
            sentence = f"a claim of {terms.kind} is filed within {terms.days} days: {day} is longer ago"
            raise RegistryConflict(sentence, reason="claim-late", days=terms.days, day=str(day))
        same = (_C.member_id == member_id, _C.event == terms.event, _C.event_on == day.isoformat())
        double = conn.execute(select(_C.id).where(*same, _C.stage.in_(_LIVING), _C.id != own)).scalar()
        if double is not None:
            sentence = f"claim {double} is for the same event of this member: it is paid once"
            raise RegistryConflict(sentence, reason="claim-double", number=double)
        _refuse_claimant(died_on(conn, member_id), terms, facts, heir)
        if terms.cover is not None and (why := cover_on(conn, terms.cover, member_id, day).uncovered) is not None:
            sentence = f"the member is not covered by {terms.cover} on {day} ({why})"
            raise RegistryConflict(sentence, reason="claim-not-covered", cover=terms.cover, day=str(day), why=why.value)

    def _deciding(self, conn: Connection, number: int, level: str, by: str) -> Row[Any]:
        """The claim whose next level this is, and who decides for the first time. Raises as ``approve``."""
        row = claim_on_record(conn, number, lock=True)
        if row.stage != ClaimStage.FILED:
            sentence = f"claim {number} is {row.stage}: no level decides about it now"
            raise RegistryConflict(sentence, reason="claim-not-filed", number=number, stage=row.stage)
        if level != (awaited := awaited_level(row.levels, row.passed)):
            sentence = f"claim {number} is decided at the level {awaited} next"
            raise RegistryConflict(sentence, reason="claim-level", number=number, level=awaited or "")
        this_round = _round(conn, number)
        people = conn.execute(select(_S.by).where(_S.claim_id == number, _S.round == this_round)).scalars().all()
        if any(same_person(conn, before, by) for before in [row.by, *people]):
            sentence = f"who filed or approved claim {number} does not decide about it again; another person does"
            raise RegistryConflict(sentence, reason=OWN_WORK, number=number)
        return row

    def _end_review(
        self,
        number: int,
        level: str,
        decision: ClaimDecision,
        stage: ClaimStage,
        action: str,
        by: str,
        reason: str,
    ) -> FiledClaim:
        why = reason_given(reason)
        with self._context.write() as conn:
            row = self._deciding(conn, number, level, by)
            why = self._nameless(conn, row, why)
            self._step(conn, number, decision, by, level=level, reason=why)
            ended = None if stage is ClaimStage.RETURNED else self._context.clock()
            chosen = update(claims_filed).where(_C.id == number)
            passed = 0 if stage is ClaimStage.RETURNED else row.passed
            conn.execute(chosen.values(stage=stage.value, passed=passed, ended_at=ended))
            self._context.audit(conn, by, action, f"claim:{number}", why, level=level)
            return claim_view(conn, number)

    def _order(self, conn: Connection, row: Row[Any], by: str) -> None:
        payee: dict[str, Any] = (
            {"member": row.member_id} if row.claimant == ClaimParty.MEMBER else {"payee": str(row.id)}
        )
        wanted = PaymentOrder(PaymentKind.CLAIM, f"claim/{row.id}", row.amount, row.purpose, **payee)
        order(self._context, conn, wanted, by=by)

    def _step(
        self,
        conn: Connection,
        number: int,
        decision: ClaimDecision,
        by: str,
        *,
        level: str | None = None,
        reason: str = "",
    ) -> None:
        last = conn.execute(select(func.max(_S.number)).where(_S.claim_id == number)).scalar() or 0
        again = decision is ClaimDecision.FILED_AGAIN
        values = {"at": self._context.clock(), "by": by, "level": level, "decision": decision.value, "reason": reason}
        step = insert(claim_steps).values(
            claim_id=number, number=last + 1, round=_round(conn, number) + again, **values
        )
        conn.execute(step)

    def _nameless(self, conn: Connection, row: Row[Any], reason: str) -> str:
        if not reason.strip():
            return ""
        return without_name(open_person(self._context.personal, member_row(conn, row.member_id)), reason_given(reason))


def _round(conn: Connection, number: int) -> int:
    return conn.execute(select(func.max(_S.round)).where(_S.claim_id == number)).scalar() or 0


def _refuse_claimant(died: date | None, terms: ClaimTerms, facts: ClaimFacts, heir: Heir | None) -> None:
    """Raises RegistryConflict for who cannot claim."""
    if died is None and terms.death:
        sentence = "this member's death is not on record: record it first, with its day"
    elif died is not None and heir is None:
        sentence = "this member has died: an heir claims, with name, identity number and account"
    elif died is None and heir is not None:
        sentence = "an heir claims for a member who has died; this member claims in person"
    elif died is not None and terms.death and facts.event_on > died:
        sentence = f"the member died on {died}: the event was not later"
    elif died is not None and not terms.death and facts.event_on > died:
        sentence = f"the member died on {died}: nothing happened to them later"
    else:
        return
    raise RegistryConflict(sentence, reason="claim-claimant")


def _refuse_ended(row: Row[Any]) -> None:
    if row.ended_at is not None:
        sentence = f"claim {row.id} is {row.stage}: nothing of it changes any more"
        raise RegistryConflict(sentence, reason="claim-ended", number=row.id, stage=row.stage)


def _fields(facts: ClaimFacts, heir: Heir | None) -> Mapping[str, str | int | None]:
    own: dict[str, str | int | None] = {"words": facts.words, "choice": facts.choice, "loss": facts.loss}
    if heir is None:
        return own
    named = {"heir": heir.name, "heir_id": heir.id_number, "relation": heir.relation, "account": heir.account}
    return own | named
