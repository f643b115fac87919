"""The registry's further doors, one for each idea, reached as ``registry.people``, ``registry.audit`` and so on::

    audit       Audit       note(Deed), page(cursor, limit, where=AuditFilter), verify(noted)

Every method is one transaction, and one that changes something on record appends to the audit within it. ``by`` is who
does it, as the audit names them. Lists come in pages (``registry.paging``): ``page(cursor, limit) -> Page``.
"""

from __future__ import annotations

from registry.audit import Audit
from registry.ground import Ground


class Office:
    """The rooms beside the line; ``Registry`` is one."""

    def __init__(self, ground: Ground) -> None:
        self.audit = Audit(ground)
