"""Telephones that show a card, one at a time: signed in by a one-time code, delegated for days, ended."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from sqlalchemy import Connection, Row, func, insert, select, update

from registry.batches.persons import open_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import ecard_codes, ecard_devices, members
from registry.ecards.codes import TRIES, code_digest, living_code
from registry.ecards.values import (
    EcardEnd,
    EcardTerms,
    EcardView,
    PhoneSignIn,
    SignedInPhone,
    SignInRefused,
)
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.cards import card_on_record
from registry.values import Card, CardState
from terminal.ecard.code import DEVICE_KEY
from terminal.ecard.lists import EndedEcard
from terminal.secret import Secret

DELEGATED: Final = timedelta(days=7)
"""How long a telephone shows a card without a network."""
WRONG: Final = SignInRefused(
    "sign-in-wrong",
    "卡号、证件号后六位或登录码不正确，或登录码已失效",
    "Card number, end of the ID number or code is wrong, or the code has ended",
)
NOT_ACTIVE: Final = SignInRefused(
    "card-not-active", "会员卡尚未启用或已停用；请到服务窗口办理", "The card is not active; go to a service window"
)
_D: Final = ecard_devices.c
_TAIL: Final = 6
_SESSION: Final = 32


class EcardDevices:
    """Repository of telephones."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def sign_in(self, request: PhoneSignIn) -> SignedInPhone | SignInRefused:
        """Sign a telephone in; the one before it shows the card no longer. A refusal counts as a try of the code.

        Raises RegistryConflict for a key that is no point of P-256 (``ecard-device-key``).
        """
        _refuse_no_point(request.device_key)
        by = "e-card"
        with self._context.write() as conn:
            try:
                card = card_on_record(conn, request.card_number)
            except NotOnRecord:
                return WRONG
            now = self._context.clock()
            code = living_code(conn, card.card_number, card.sequence)
            if code is None or code.expires_at <= now:
                return WRONG
            subject = f"card:{card.card_number}-{card.sequence}"
            if not self._proven(conn, card, code, request):
                spent = code.tries + 1
                ending = {"ended": "tries", "ended_at": now, "ended_by": by} if spent == TRIES else {}
                conn.execute(update(ecard_codes).where(ecard_codes.c.id == code.id).values(tries=spent, **ending))
                self._context.audit(conn, by, "ecard.refused", subject, tries=spent)
                return WRONG
            if card.state is not CardState.ACTIVE:
                return NOT_ACTIVE
            used = {"ended": "used", "ended_at": now, "ended_by": by}
            conn.execute(update(ecard_codes).where(ecard_codes.c.id == code.id).values(used))
            signed_in = self._record(conn, card, code.id, request.device_key, now)
            self._context.audit(conn, by, "ecard.sign-in", subject, generation=signed_in.generation)
            return signed_in

    def delegate(self, session: Secret) -> EcardTerms:
        """What the issuer delegates to a telephone that is signed in, for ``DELEGATED`` from now.

        Raises NotOnRecord for a session that is not, or no longer (``ecard-session``), RegistryConflict while the card
        is not active (``ecard-not-renewed``).
        """
        mine = (_D.session_digest == _session_digest(session), _D.ended.is_(None))
        now = self._context.clock()
        with self._context.write() as conn:
            row = conn.execute(select(ecard_devices).where(*mine).with_for_update()).one_or_none()
            if row is None:
                raise NotOnRecord("this telephone is not signed in, or no longer", reason="ecard-session")
            card = card_on_record(conn, row.card_number, row.sequence)
            if card.state is not CardState.ACTIVE:
                sentence = f"card {card.card_number} is {card.state}: its e-card is not renewed"
                raise RegistryConflict(sentence, reason="ecard-not-renewed", card=card.card_number)
            until = max(now + DELEGATED, row.delegated_until or now)
            conn.execute(update(ecard_devices).where(_D.id == row.id).values(delegated_until=until))
            category = conn.execute(select(members.c.category).where(members.c.id == card.member_id)).scalar_one()
            subject = f"card:{card.card_number}-{card.sequence}"
            self._context.audit(conn, "e-card", "ecard.delegation", subject, generation=row.generation)
        return EcardTerms(card.card_number, card.sequence, row.generation, category, bytes(row.device_key), now, until)

    def end(self, card_number: str, *, by: str, reason: str) -> EcardView:
        """End the e-card of a card; the card itself stays as it is. Raises NotOnRecord, also for a card without an
        e-card (``ecard``), RegistryConflict without a reason."""
        why = reason_given(reason)
        now = self._context.clock()
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            mine = (_D.card_number == card_number, _D.sequence == card.sequence, _D.ended.is_(None))
            row = conn.execute(select(_D.id, _D.generation).where(*mine).with_for_update()).one_or_none()
            if row is None:
                raise NotOnRecord(f"card {card_number} has no e-card", reason="ecard", card=card_number)
            ending = {"ended": "staff", "ended_at": now, "ended_by": by, "reason": why}
            conn.execute(update(ecard_devices).where(_D.id == row.id).values(ending))
            ended = conn.execute(select(ecard_devices).where(_D.id == row.id)).one()
            subject = f"card:{card_number}-{card.sequence}"
            self._context.audit(conn, by, "ecard.end", subject, why, generation=row.generation)
            return _view(ended)

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[EcardView]:
        """All telephones, the last signed in first. Raises BadCursor."""
        chosen = select(ecard_devices).order_by(_D.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_D.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _view, lambda row: [row.id])

    def ended(self) -> Sequence[EndedEcard]:
        """What counters refuse: for each card its highest ended generation, while a delegation of one runs."""
        running = (_D.ended.is_not(None), _D.delegated_until > self._context.clock())
        place = (_D.card_number, _D.sequence)
        chosen = select(*place, func.max(_D.generation)).where(*running).group_by(*place).order_by(*place)
        with self._context.read() as conn:
            return [EndedEcard(*row) for row in conn.execute(chosen)]

    def _proven(self, conn: Connection, card: Card, code: Row[*tuple[Any, ...]], request: PhoneSignIn) -> bool:
        row = conn.execute(select(members).where(members.c.id == card.member_id)).one()
        tail = open_person(self._context.personal, row).id_number[-_TAIL:].upper()
        given = code_digest(self._context.personal, card.card_number, card.sequence, request.code.strip())
        right_tail = hmac.compare_digest(tail.encode(), request.id_tail.strip().upper().encode())
        return hmac.compare_digest(given, code.digest) and right_tail

    def _record(self, conn: Connection, card: Card, code: int, device_key: bytes, now: datetime) -> SignedInPhone:
        own = (_D.card_number == card.card_number, _D.sequence == card.sequence)
        again = {"ended": EcardEnd.AGAIN.value, "ended_at": now, "ended_by": "e-card"}
        conn.execute(update(ecard_devices).where(*own, _D.ended.is_(None)).values(again))
        last = conn.execute(select(func.max(_D.generation)).where(*own)).scalar() or 0
        session = Secret(secrets.token_bytes(_SESSION))
        conn.execute(
            insert(ecard_devices).values(
                card_number=card.card_number,
                sequence=card.sequence,
                generation=last + 1,
                code_id=code,
                device_key=device_key,
                session_digest=_session_digest(session),
                signed_in_at=now,
            )
        )
        return SignedInPhone(last + 1, session)


def _session_digest(session: Secret) -> str:
    return hashlib.sha256(session.reveal()).hexdigest()


def _refuse_no_point(device_key: bytes) -> None:
    try:
        if len(device_key) != DEVICE_KEY:
            raise ValueError
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), device_key)
    except ValueError:
        sentence = "the key of a telephone is a compressed point of P-256, 33 bytes"
        raise RegistryConflict(sentence, reason="ecard-device-key") from None


def _view(row: Row[*tuple[Any, ...]]) -> EcardView:
    return EcardView(
        row.id,
        row.card_number[-4:],
        row.sequence,
        row.generation,
        row.signed_in_at,
        row.delegated_until,
        None if row.ended is None else EcardEnd(row.ended),
        row.ended_at,
        row.ended_by,
    )
