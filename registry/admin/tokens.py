"""API tokens of machines: found by the SHA-256 of a secret of 256 bits, limited to roles, always with an expiry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from registry.admin.users import ADMINISTRATOR, named, roles_text
from registry.db.actors import refuse_same_person, token_actor
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import outlets, tokens, users
from registry.errors import NotOnRecord, RegistryConflict
from terminal.names import all_visible

_LONGEST_LABEL = 64


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token. ``label`` names its machine; ``created_by`` is the user who is responsible for it, and whose work its
    work counts as. ``needs_consent``: it is not in force before a second administrator consents."""

    id: int
    label: str
    roles: frozenset[str]
    created_by: str
    created_at: datetime
    until: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    needs_consent: bool = False
    consented_by: str | None = None
    consented_at: datetime | None = None
    outlet: int | None = None
    """The outlet whose counters use it; None for a token of anything else."""

    @property
    def waits(self) -> bool:
        """Whether the consent is still to come."""
        return self.needs_consent and self.consented_by is None

    @property
    def actor(self) -> str:
        """Its name in the audit and in journals."""
        return token_actor(self.label, self.id)


class Tokens:
    """Repository of API tokens."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def make(
        self,
        label: str,
        token_hash: bytes,
        roles: Collection[str],
        *,
        until: datetime,
        by: str,
        needs_consent: bool = False,
        outlet: int | None = None,
    ) -> TokenRecord:
        """Create a token, for the counters of an outlet where one is named; ``by`` is a user on record. Raises
        RegistryConflict, NotOnRecord."""
        now = self._context.clock()
        if not label.strip() or len(label) > _LONGEST_LABEL or not all_visible(label):
            raise RegistryConflict("a token's label is 1 to 64 printable characters", reason="token-label")
        if until <= now or not roles:
            raise RegistryConflict("a token needs a role and an end that is still to come", reason="token-end")
        with self._context.write() as conn:
            creator = named(conn, by)
            if outlet is not None:
                _open_outlet(conn, outlet)
            values = {
                "token_hash": token_hash,
                "label": label.strip(),
                "roles": roles_text(roles),
                "created_by": creator.id,
                "created_at": now,
                "until": until,
                "needs_consent": needs_consent,
                "outlet_id": outlet,
            }
            number = conn.execute(insert(tokens).values(values).returning(tokens.c.id)).scalar_one()
            token = _by_id(conn, number)
            self._context.audit(
                conn,
                creator.name,
                "token.make",
                f"token:{number}",
                label=token.label,
                roles=" ".join(sorted(token.roles)),
                needs_consent=needs_consent,
                outlet=outlet,
            )
            return token

    def consent(self, number: int, *, by: str) -> TokenRecord:
        """Consent to a token that waits for it; ``by`` is an administrator on record, not its creator. Repeated, it
        changes nothing. Raises NotOnRecord, RegistryConflict."""
        now = self._context.clock()
        with self._context.write() as conn:
            token, person = _by_id(conn, number), named(conn, by, hold=True)
            refuse_same_person(
                conn, token.created_by, person.name, "a second administrator consents to a token", token=number
            )
            if person.disabled or ADMINISTRATOR not in person.roles.split():
                sentence = "only an administrator consents to a token"
                raise RegistryConflict(sentence, reason="consent-administrator", token=number)
            if token.revoked_at is not None or token.until <= now:
                raise RegistryConflict("this token has ended", reason="token-ended", token=number)
            if not token.waits:
                return token
            given = {"consented_by": person.id, "consented_at": now}
            conn.execute(update(tokens).where(tokens.c.id == number).values(given))
            subject, audit = f"token:{number}", self._context.audit
            audit(conn, person.name, "token.consent", subject, label=token.label, creator=token.created_by)
            return _by_id(conn, number)

    def of(self, name: str) -> list[TokenRecord]:
        """All tokens that this user created, ended ones too, newest first. Raises NotOnRecord."""
        with self._context.read() as conn:
            chosen = _tokens().where(tokens.c.created_by == named(conn, name).id).order_by(tokens.c.id.desc())
            return [_token(row) for row in conn.execute(chosen)]

    def find(self, token_hash: bytes) -> TokenRecord | None:
        """None for a token that is unknown, expired or revoked, waits for consent, or whose creator is disabled."""
        chosen = _tokens().where(tokens.c.token_hash == token_hash, ~users.c.disabled, tokens.c.revoked_at.is_(None))
        chosen = chosen.where(or_(~tokens.c.needs_consent, tokens.c.consented_by.is_not(None)))
        with self._context.read() as conn:
            row = conn.execute(chosen.where(tokens.c.until > self._context.clock())).one_or_none()
        return None if row is None else _token(row)

    def open_outlet(self, outlet: int) -> str:
        """The name of an outlet that tokens work for. Raises NotOnRecord, RegistryConflict for one that has closed."""
        with self._context.read() as conn:
            return _open_outlet(conn, outlet)

    def touch(self, token_hash: bytes) -> None:
        """Record that the token was used now; for once a minute, not for each request."""
        with self._context.write() as conn:
            match = tokens.c.token_hash == token_hash
            conn.execute(update(tokens).where(match).values(used_at=self._context.clock()))

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[TokenRecord]:
        """All tokens, newest first. Raises BadCursor."""
        chosen = _tokens().order_by(tokens.c.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(tokens.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _token, lambda row: [row.id])

    def revoke(self, number: int, *, by: str, reason: str) -> TokenRecord:
        """Revoke a token for ever; repeated, it changes nothing. Raises NotOnRecord, RegistryConflict."""
        reason = reason_given(reason)
        with self._context.write() as conn:
            token = _by_id(conn, number)
            if token.revoked_at is not None:
                return token
            conn.execute(update(tokens).where(tokens.c.id == number).values(revoked_at=self._context.clock()))
            self._context.audit(conn, by, "token.revoke", f"token:{number}", reason, label=token.label)
            return _by_id(conn, number)


def _tokens() -> Select[Any]:
    seconds = users.alias()
    chosen = select(tokens, users.c.name.label("creator"), seconds.c.name.label("consenter"))
    return chosen.join(users, users.c.id == tokens.c.created_by).join(
        seconds, seconds.c.id == tokens.c.consented_by, isouter=True
    )


def _open_outlet(conn: Connection, outlet: int) -> str:
    """Its name. Raises NotOnRecord, RegistryConflict for an outlet that has closed."""
    row = conn.execute(select(outlets.c.closed_at, outlets.c.name).where(outlets.c.id == outlet)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no outlet {outlet}", reason="outlet", outlet=outlet)
    if row.closed_at is not None:
        raise RegistryConflict(f"outlet {outlet} is closed", reason="outlet-closed", outlet=outlet)
    return str(row.name)


def _by_id(conn: Connection, number: int) -> TokenRecord:
    row = conn.execute(_tokens().where(tokens.c.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no token {number}", reason="token", token=number)
    return _token(row)


def _token(row: Row[*tuple[Any, ...]]) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        label=row.label,
        roles=frozenset(row.roles.split()),
        created_by=row.creator,
        created_at=row.created_at,
        until=row.until,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
        needs_consent=row.needs_consent,
        consented_by=row.consenter,
        consented_at=row.consented_at,
        outlet=row.outlet_id,
    )
