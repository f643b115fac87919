"""The registry's further doors, one for each idea, reached as ``registry.people``, ``registry.audit`` and so on::

    audit       Audit          note(Deed), page(where=AuditFilter), verify(noted)
    people      People         first, add, user, password_hash, page, change, set_password, disable, enable
    sessions    Sessions       open, find, touch, of, end, end_all, sweep       (by SHA-256 of the cookie's secret)
    tokens      Tokens         make, find, touch, page, revoke                  (by SHA-256 of the token's secret)
    failures    FailureCounts  failed, of, block, clear, sweep                  (what throttles brute force)

Every method is one transaction, and one that changes something on record appends to the audit within it. ``by`` is who
does it, as the audit names them. Lists come in pages (``registry.paging``): ``page(cursor, limit) -> Page``.
"""

from __future__ import annotations

from registry.audit import Audit
from registry.failures import FailureCounts
from registry.ground import Ground
from registry.people import People
from registry.sessions import Sessions
from registry.tokens import Tokens


class Office:
    """The rooms beside the line; ``Registry`` is one."""

    def __init__(self, ground: Ground) -> None:
        self.audit = Audit(ground)
        self.people = People(ground)
        self.sessions = Sessions(ground)
        self.tokens = Tokens(ground)
        self.failures = FailureCounts(ground)
