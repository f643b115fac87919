"""Dates of card data against the clock, before a chip is changed: a wrong clock or zone stops the line, not a chip."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from personalize.applications import APPLICATIONS
from personalize.dossiers.dossier import Dossier
from personalize.errors import LineStopped
from personalize.reasons import RejectCode
from terminal.localtime import date_time
from terminal.member.trust import TrustList

_ADVICE: Final = "see that clock and time_zone are right; no chip was changed"


def refuse_wrong_dates(dossier: Dossier, at: datetime, dossier_days: int) -> None:
    """Compare every date that the read-back will compare with the day of ``at``, which is in the zone of the cards.

    Raises LineStopped where the card would not be valid on that day, or was prepared more than ``dossier_days`` ago.
    """
    today, starts = at.date(), list[date]()
    for kind in APPLICATIONS:
        for application in dossier.of_kind(kind.kind):
            for element in kind.dates(application):
                if element.starts:
                    starts.append(element.day)
                    if today < element.day:
                        raise _wrong_dates(
                            f"the card data are valid only from {element.day} ({element.name})", element.day, at
                        )
                elif today > element.day:
                    sentence = f"the card data were valid through {element.day} ({element.name})"
                    raise _wrong_dates(sentence, element.day, at)
    if starts and (today - max(starts)).days > dossier_days:
        sentence = f"the card data are from {max(starts)}, more than {dossier_days} days ago (dossier_days)"
        raise _wrong_dates(sentence, max(starts), at)


def refuse_wrong_trust(trust: TrustList, at: datetime) -> None:
    """Raises LineStopped where the trust list of the read-back is not in force: the clock has moved since it was
    issued."""
    if not trust.current(at):
        issued = trust.issue.issued.astimezone(at.tzinfo).date()
        raise _wrong_dates(f"the read-back's trust list is in force from {issued} on", issued, at)


def _wrong_dates(sentence: str, day: date, at: datetime) -> LineStopped:
    """The fault of data dated ``day`` that do not agree with the clock, which says ``at``."""
    now = date_time(at)
    full = f"{sentence}, and this machine's clock says {now}: {_ADVICE}"
    return LineStopped(full, RejectCode.DATES, dated=day.isoformat(), now=now)
