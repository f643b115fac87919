"""Audit page: entries by filter, and verification of the hash chain."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Form, Query, Request
from starlette.responses import Response

from reader_service.errors import Invalid
from reader_service.http.resource import Svc
from reader_service.pages.administration.audit_words import facts, reason
from reader_service.pages.shell import PageShell, page_router, principal_of
from reader_service.pages.words import Words
from registry.admin.audit import AuditFilter

ROWS: Final = 100
_DIGITS: Final = 18
"""Digits of an entry's number."""
SUBJECTS: Final = (
    "batch",
    "card",
    "chip",
    "delivery",
    "dispute",
    "finding",
    "hotlist",
    "member",
    "merchant",
    "outlet",
    "payout",
    "reader",
    "report",
    "statement",
    "token",
    "unit",
    "user",
)
"""Kinds of subjects; an identifier follows, after a colon."""
GROUPS: Final = (
    "roster.",
    "batch.",
    "dossier.",
    "chip.",
    "stock.",
    "card.",
    "member.",
    "user.",
    "session.",
    "token.",
    "access.",
    "reader.",
    "lane.",
    "lease.",
    "list.",
    "restore.",
    "plan.",
    "bank.",
    "amendment.",
    "merchant.",
    "outlet.",
    "redemption.",
    "finding.",
    "settlement.",
    "dispute.",
    "payout.",
)
"""Prefixes of actions, for the filter."""

Text = Annotated[str, Query()]


router = page_router()


@router.get("/audit")
def audit(
    request: Request,
    shell: PageShell,
    service: Svc,
    actor: Text = "",
    action: Text = "",
    subject: Text = "",
    since: Text = "",
    until: Text = "",
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """``since`` and ``until`` are days here, both included."""
    where = AuditFilter(
        actor=actor.strip() or None,
        action=action.strip() or None,
        subject=_subject(subject.strip(), shell.words(request)) or None,
        since=_midnight(since, "since", service.parts.zone),
        until=_midnight(until, "until", service.parts.zone, days=1),
    )
    page = service.audit.page(principal_of(request), cursor, ROWS, where=where)
    filters = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    here = "/audit?" + "".join(f"{urlencode({name: value})}&" for name, value in filters.items() if value)
    t = shell.words(request)
    shown: dict[str, Any] = {
        "subject_of": partial(subject_words, t),
        "reason_of": partial(reason, t),
        "facts_of": partial(facts, t),
    }
    return shell.page(
        request, "administration/audit.html", page=page, filters=filters, groups=GROUPS, here=here, **shown
    )


@router.post("/audit/verify")
def verify(
    request: Request,
    shell: PageShell,
    service: Svc,
    number: Annotated[str, Form()] = "",
    noted: Annotated[str, Form()] = "",
) -> Response:
    """Verify the whole chain. ``number`` and ``noted``: its last entry's number and hash at an earlier time."""
    earlier = None
    if number.strip() or noted.strip():
        if not number.strip().isdecimal() or len(number.strip()) > _DIGITS:
            raise Invalid("a row's number is a whole number", {"number": "a whole number"})
        earlier = (int(number), noted.strip().lower())
    report = service.audit.verify(principal_of(request), earlier)
    return shell.part(request, "administration/audit_report.html", report=report)


def subject_words(t: Words, subject: str) -> str:
    """What an entry is about, in words."""
    kind, colon, identifier = subject.partition(":")
    if kind not in SUBJECTS or not colon:
        return t.either(f"audit.subject-{subject}", subject)
    return t(f"audit.subject-{kind}", id=identifier)


def _subject(text: str, t: Words) -> str:
    """A subject as it is on record, of the words that the page has for it."""
    if text == t("audit.subject-schedule"):
        return "schedule"
    for kind in SUBJECTS:
        before, _, after = t(f"audit.subject-{kind}", id="\n").partition("\n")
        identifier = text.removeprefix(before).removesuffix(after)
        if text == f"{before}{identifier}{after}" and identifier:
            return f"{kind}:{identifier}"
    return text


def _midnight(day: str, field: str, zone: tzinfo, *, days: int = 0) -> datetime | None:
    """Midnight of that day in ``zone``. Raises Invalid for a text that is no date."""
    if not day.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(day.strip()) + timedelta(days=days), time.min, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("a day is written as 2026-11-22", {field: "2026-11-22"}) from None
