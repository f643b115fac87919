"""The registry's further doors, one for each idea, reached as ``registry.people``, ``registry.audit`` and so on::

    audit       Audit          note(Deed), page(where=AuditFilter), verify(noted)
    people      People         first, add, user, password_hash, page, change, set_password, disable, enable
    sessions    Sessions       open, find, touch, of, end, end_all, sweep       (by SHA-256 of the cookie's secret)
    tokens      Tokens         make, find, touch, page, revoke                  (by SHA-256 of the token's secret)
    failures    LoginFailures  failed, of, block, clear, sweep                  (what throttles brute force)
    replies     Replies        begin, finish, give_up, sweep                    (idempotency keys)
    members     Members        find, page, member, cards_of, cards, history, unmask, transfer, withdraw, replace
    reviews     Reviews        submit, give_back, of, standing, changes
    originals   Originals      of                                               (kept by Registry.import_roster)
    editions    Editions       publish, newest, edition, page, delta            (of the hotlist)
    verdicts    Verdicts       note, page
    stations    Stations       names, name, forget                              (of readers)
    plans       Plans          put, all, remove
    statistics  Statistics     units, rejects, seconds_per_card, lanes, verdicts_per_hour, issued_per_hour

Every method is one transaction, and one that changes something on record appends to the audit within it. ``by`` is who
does it, as the audit names them. Lists come in pages (``registry.paging``): ``page(cursor, limit) -> Page``.
"""

from __future__ import annotations

from registry.admin.audit import Audit
from registry.admin.idempotency import IdempotencyKeys
from registry.admin.login_failures import LoginFailures
from registry.admin.plans import Plans
from registry.admin.sessions import Sessions
from registry.admin.stations import Stations
from registry.admin.statistics import Statistics
from registry.admin.tokens import Tokens
from registry.admin.users import Users
from registry.batches.originals import Originals
from registry.batches.reviews import Reviews
from registry.db.context import RegistryContext
from registry.members.hotlist_editions import Editions
from registry.members.members import Members
from registry.members.verdicts import Verdicts


class Office:
    """The rooms beside the line; ``Registry`` is one."""

    def __init__(self, ground: RegistryContext) -> None:
        self.audit = Audit(ground)
        self.people = Users(ground)
        self.sessions = Sessions(ground)
        self.tokens = Tokens(ground)
        self.failures = LoginFailures(ground)
        self.replies = IdempotencyKeys(ground)
        self.members = Members(ground)
        self.reviews = Reviews(ground)
        self.originals = Originals(ground)
        self.editions = Editions(ground)
        self.verdicts = Verdicts(ground)
        self.stations = Stations(ground)
        self.plans = Plans(ground)
        self.statistics = Statistics(ground)
