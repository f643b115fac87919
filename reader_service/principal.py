"""The caller and what their roles allow. One table decides, for the API and for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from reader_service.errors import Forbidden


class Role(StrEnum):
    """A role of a user or of a token."""

    OPERATOR = "operator"
    """Runs the lanes of a station."""
    REVIEWER = "reviewer"
    """Approves what another imported: never their own."""
    REGISTRAR = "registrar"
    """Imports rosters, looks after members and their cards."""
    COUNTER = "counter"
    """Verifies cards and redeems benefits at a merchant's counter."""
    DEVELOPER = "developer"
    """Speaks to cards in bytes."""
    AUDITOR = "auditor"
    """Reads the audit and the figures; changes nothing."""
    ADMINISTRATOR = "administrator"
    """Looks after users and tokens."""


class Permission(StrEnum):
    """The permission that a use-case checks."""

    READERS_VIEW = "readers:view"
    READERS_LEASE = "readers:lease"
    READERS_NAME = "readers:name"
    APDU = "apdu"
    DECODE = "decode"
    VERIFY = "verify"
    REDEEM = "redeem"
    ROSTERS_VIEW = "rosters:view"
    ROSTERS_UPLOAD = "rosters:upload"
    ROSTERS_APPROVE = "rosters:approve"
    BATCHES_VIEW = "batches:view"
    BATCHES_PREPARE = "batches:prepare"
    BATCHES_CLOSE = "batches:close"
    LANES_VIEW = "lanes:view"
    LANES_RUN = "lanes:run"
    MEMBERS_FIND = "members:find"
    MEMBERS_UNMASK = "members:unmask"
    MEMBERS_CHANGE = "members:change"
    AMENDMENTS_VIEW = "amendments:view"
    CARDS_VIEW = "cards:view"
    CARDS_CHANGE = "cards:change"
    CARDS_ACTIVATE = "cards:activate"
    LISTS_FETCH = "lists:fetch"
    LISTS_PUBLISH = "lists:publish"
    PROGRAMMES_VIEW = "programmes:view"
    PROGRAMMES_APPROVE = "programmes:approve"
    STATISTICS = "statistics"
    PLANS_SET = "plans:set"
    MERCHANTS_VIEW = "merchants:view"
    MERCHANTS_CHANGE = "merchants:change"
    MERCHANTS_APPROVE = "merchants:approve"
    REDEMPTIONS_UPLOAD = "redemptions:upload"
    REDEMPTIONS_VIEW = "redemptions:view"
    FINDINGS_CLOSE = "findings:close"
    SETTLEMENTS_PREPARE = "settlements:prepare"
    SETTLEMENTS_SIGN = "settlements:sign"
    AUDIT = "audit"
    USERS = "users"
    METRICS = "metrics"


_P = Permission

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.OPERATOR: frozenset(
        (
            _P.READERS_VIEW,
            _P.READERS_LEASE,
            _P.READERS_NAME,
            _P.BATCHES_VIEW,
            _P.BATCHES_PREPARE,
            _P.BATCHES_CLOSE,
            _P.LANES_VIEW,
            _P.LANES_RUN,
            _P.VERIFY,
            _P.LISTS_FETCH,
            _P.STATISTICS,
        )
    ),
    Role.REVIEWER: frozenset(
        (
            _P.ROSTERS_VIEW,
            _P.ROSTERS_APPROVE,
            _P.AMENDMENTS_VIEW,
            _P.BATCHES_VIEW,
            _P.BATCHES_CLOSE,
            _P.STATISTICS,
            _P.MERCHANTS_VIEW,
            _P.MERCHANTS_APPROVE,
            _P.REDEMPTIONS_VIEW,
            _P.FINDINGS_CLOSE,
            _P.PROGRAMMES_VIEW,
            _P.PROGRAMMES_APPROVE,
            _P.SETTLEMENTS_SIGN,
        )
    ),
    Role.REGISTRAR: frozenset(
        (
            _P.ROSTERS_VIEW,
            _P.ROSTERS_UPLOAD,
            _P.BATCHES_VIEW,
            _P.MEMBERS_FIND,
            _P.MEMBERS_UNMASK,
            _P.MEMBERS_CHANGE,
            _P.AMENDMENTS_VIEW,
            _P.CARDS_VIEW,
            _P.CARDS_CHANGE,
            _P.CARDS_ACTIVATE,
            _P.LISTS_FETCH,
            _P.LISTS_PUBLISH,
            _P.PROGRAMMES_VIEW,
            _P.PROGRAMMES_APPROVE,
            _P.STATISTICS,
            _P.PLANS_SET,
            _P.MERCHANTS_VIEW,
            _P.MERCHANTS_CHANGE,
            _P.REDEMPTIONS_VIEW,
            _P.SETTLEMENTS_PREPARE,
            _P.SETTLEMENTS_SIGN,
        )
    ),
    Role.COUNTER: frozenset(
        (_P.READERS_VIEW, _P.READERS_LEASE, _P.VERIFY, _P.REDEEM, _P.LISTS_FETCH, _P.REDEMPTIONS_UPLOAD)
    ),
    Role.DEVELOPER: frozenset((_P.READERS_VIEW, _P.READERS_LEASE, _P.APDU, _P.DECODE, _P.VERIFY)),
    Role.AUDITOR: frozenset(
        (
            _P.AUDIT,
            _P.STATISTICS,
            _P.ROSTERS_VIEW,
            _P.BATCHES_VIEW,
            _P.LISTS_FETCH,
            _P.METRICS,
            _P.LANES_VIEW,
            _P.PROGRAMMES_VIEW,
            _P.MERCHANTS_VIEW,
            _P.REDEMPTIONS_VIEW,
        )
    ),
    Role.ADMINISTRATOR: frozenset((_P.USERS, _P.AUDIT, _P.METRICS, _P.READERS_VIEW, _P.READERS_NAME)),
}
"""No role has everything: who looks after users cannot see members, who approves cannot import."""


READS_MEMBERS: Final = frozenset((_P.MEMBERS_FIND, _P.MEMBERS_UNMASK, _P.MEMBERS_CHANGE, _P.ROSTERS_UPLOAD))
"""A token with one of these needs the consent of a second administrator."""

OF_OUTLET: Final = frozenset((_P.REDEMPTIONS_UPLOAD, _P.LISTS_FETCH))
"""What a token of an outlet is for, as it is in a merchant's hands."""


@cache
def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """All permissions of these roles together."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: a signed-in user or a token. ``name`` goes into audit, approvals and journals."""

    name: str
    roles: frozenset[Role]
    token: str = ""
    """The token's own name, where it is not a person."""
    outlet: int = 0
    """The outlet that the token is bound to; 0 for any other caller."""

    def may(self, permission: Permission) -> bool:
        return permission in permissions_of(self.roles) and (not self.outlet or permission in OF_OUTLET)

    def need(self, permission: Permission) -> None:
        """Raises Forbidden."""
        if self.outlet and permission not in OF_OUTLET:
            sentence = "a token of an outlet uploads redemptions, fetches lists and changes of cards, and no more"
            raise Forbidden(sentence, permission=str(permission), rule="outlet-token")
        if not self.may(permission):
            roles = ", ".join(sorted(role for role in Role if permission in ROLE_PERMISSIONS[role]))
            raise Forbidden(f"this needs one of the roles {roles}", permission=str(permission), roles=roles)
