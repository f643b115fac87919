"""Texts of the pages, by key and language. The texts are in ``i18n/LANGUAGE/ROOM/SECTION.json``, those of verdicts in
terminal.member.presentation; a key is ``section.name``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Final

from terminal.localtime import zone_label
from terminal.member.presentation import NOT_HANDED_OVER, PRESENTATIONS

LANGUAGES: Final = ("zh", "en")
FOLDER: Final = Path(__file__).parent / "i18n"

_PLACE: Final = re.compile(r"\{(\w+)\}")
_ONE: Final = ".one"
_CODED: Final = {"was": "reason.", "verdict": "counter.word."}
"""Values of reasons that are codes themselves, and the prefix of their texts."""
_ACTOR: Final = re.compile(r"(?P<name>.*) \((?:(?P<kind>unproven|command line)|token (?P<n>[0-9]+))\)", re.DOTALL)
_LANE: Final = re.compile(r"(?P<by>.+, )?lane (?P<number>[0-9]+)", re.DOTALL)
"""A lane without a reader's name (personalize.line.lanes), alone or after who runs it."""
_SENTENCES: Final = (
    (re.compile(r"replacement of card (?P<card>\S+)"), "replacement"),
    (re.compile(r"the roles of (?P<name>.+) were changed"), "roles-changed"),
    (re.compile(r"the password of (?P<name>.+) was reset"), "password-reset"),
    (re.compile(r"the name cannot be told from that of (?P<name>.+)"), "name-alike"),
    (re.compile(r"box (?P<box>X[0-9-]+)"), "box"),
    (re.compile(r"(?P<what>.+) \(reported by (?P<by>.+)\)"), "reported"),
)
"""Sentences that the registry records with a name or number in them, and the end of the key of their text."""
_WRONG: Final = (
    (re.compile(r"1 to (?P<most>[0-9]+) (?:printable )?characters"), "characters"),
    (re.compile(r"1 to (?P<most>[0-9]+) bytes of GB 18030"), "bytes"),
    (re.compile(r"1 to (?P<most>[0-9]+)"), "number"),
    (re.compile(r"4 to 12 digits"), "pin"),
    (re.compile(r"the same PIN again"), "pin-again"),
    (re.compile(r"a token that is in force"), "token"),
    (re.compile(r"today or an earlier day"), "day-to-come"),
    (re.compile(r"a day, such as (?P<example>\S+)"), "example"),
    (re.compile(r"name (?:at least one|a role at least)"), "none"),
    (re.compile(r"a whole number"), "whole"),
    (re.compile(r"(?P<n>[0-9]+) hex digits"), "hex"),
    (re.compile(r"is missing"), "missing"),
    (re.compile(r"it is the old one"), "old-password"),
    (re.compile(r"wanted: (?P<columns>.+)"), "columns"),
    (re.compile(r"the unit is missing"), "unit"),
    (re.compile(r"the number of cards is no whole number above 0"), "planned"),
    (re.compile(r"the due date is no date, such as (?P<day>\S+)"), "due"),
    (re.compile(r"this unit stands twice in the schedule"), "twice"),
    (re.compile(r"the file name is empty, .*"), "file-name"),
    (re.compile(r"these roles are for people only: .*"), "people-only"),
    (re.compile(r"a token of an outlet has the role counter alone"), "outlet-role"),
    (re.compile(r"a token ends within (?P<n>[0-9]+) days"), "token-days"),
    (re.compile(r"[a-z0-9-]+(?:, [a-z0-9-]+)+"), "one-of"),
    (re.compile(r"write (?P<first>\S+) or (?P<second>\S+)"), "either"),
    (re.compile(r"write (?P<example>\S+)"), "example"),
)
"""Errors of fields as services give them, and the end of the key of their text."""
_ROW: Final = re.compile(r"row ([0-9]+)")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@cache
def _texts(language: str) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for section in sorted((FOLDER / language).rglob("*.json")):
        for name, text in json.loads(section.read_bytes()).items():
            texts[f"{section.stem}.{name}"] = text
    for code, shown in PRESENTATIONS.items():
        texts[f"counter.word.{code.lower()}"] = shown.word.in_language(language)
    texts["counter.word.not_handed_over"] = NOT_HANDED_OVER.word.in_language(language)
    return texts


class Words:
    """The texts of one language, with times in one zone. Called with a key and the values for its braces; no value is
    interpreted."""

    def __init__(self, language: str, zone: tzinfo = UTC) -> None:
        self.zone = zone
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._texts = _texts(self.language)

    def __call__(self, key: str, /, **values: object) -> str:
        """The text. ``n=1`` takes the text of ``key.one`` where there is one. Raises KeyError for an unknown key."""
        text = self._texts.get(key + _ONE) if values.get("n") == 1 else None
        if text is None:
            text = self._texts[key]
        return _PLACE.sub(lambda place: self._value(values[place[1]]), text)

    def either(self, key: str, otherwise: str, /, **values: object) -> str:
        """The text, or ``otherwise`` for an unknown key: for steps and reasons that other packages name."""
        return self(key, **values) if key in self._texts else otherwise

    def reason(self, code: str, params: Mapping[str, str], otherwise: str) -> str:
        """Why a chip was refused or a lane waits (personalize.reasons); ``otherwise`` for an unknown code.
        With ``params`` the sentence is as specific as they allow, without them it is the general one of this code."""
        if code == "record" and (sentence := self._conflict(params)):
            return sentence
        values = dict(params)
        values |= {name: self.note(params[name]) for name in ("said",) if name in params}
        values |= {name: self.actor(params[name]) for name in ("by",) if name in params}
        for name in _CODED.keys() & params.keys():
            values[name] = self.either(f"{_CODED[name]}{params[name].lower()}", params[name])
        specific = self._texts.get(f"reason.{code}.with", "")
        if specific and {place[1] for place in _PLACE.finditer(specific)} <= values.keys():
            return self(f"reason.{code}.with", **values)
        return self.either(f"reason.{code}", otherwise)

    def _conflict(self, params: Mapping[str, str]) -> str:
        """The sentence of the registry's refusal, as a page has it for the same action; empty where there is none."""
        text = self._texts.get(f"problem.conflict.{params.get('reason', '')}", "")
        known = {place[1] for place in _PLACE.finditer(text)} <= params.keys()
        return self(f"problem.conflict.{params['reason']}", **params) if text and known else ""

    def actor(self, name: str) -> str:
        """Who did something (registry.db.actors), in words: a user as named, a program or lane, how the name came."""
        if lane := _LANE.fullmatch(name):
            return f"{lane['by'] or ''}{self('station.lane-number', number=lane['number'])}"
        known = _ACTOR.fullmatch(name)
        if known is None:
            return self.either(f"audit.actor-{name.replace(' ', '-')}", name)
        kind = (known["kind"] or "token").replace(" ", "-")
        return self(f"audit.by-{kind}", name=self.actor(known["name"]), number=known["n"] or "")

    def note(self, text: str) -> str:
        """A reason or source on record: what people wrote as it is, a sentence of the registry in words."""
        for pattern, key in _SENTENCES:
            if match := pattern.fullmatch(text):
                values = {
                    name: self.note(value) if name == "what" else value for name, value in match.groupdict().items()
                }
                return self(f"registry.note-{key}", **values)
        return self.either(f"registry.note-{text.replace(' ', '-')}", text)

    def wrong(self, field: str, text: str) -> str:
        """The error of a field, with the row that it stands in, where the field is a row of a file."""
        for pattern, key in _WRONG:
            if match := pattern.fullmatch(text):
                text = self(f"problem.wrong-{key}", **match.groupdict())
                break
        row = _ROW.fullmatch(field)
        return self("problem.in-row", row=row[1], text=text) if row else text

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def keys(self) -> frozenset[str]:
        return frozenset(self._texts)

    def _value(self, value: object) -> str:
        return self.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

    def number(self, value: float, digits: int = 0) -> str:
        """With a comma between groups of three digits, as in both languages."""
        return f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}"

    def share(self, part: float, whole: float) -> str:
        return f"{100 * part / whole:.0f}%" if whole else "–"

    def day(self, value: date) -> str:
        if self.language == "zh":
            return f"{value.year}年{value.month}月{value.day}日"
        return f"{value:%Y-%m-%d}"

    def clock(self, value: datetime) -> str:
        """Hours, minutes and seconds in the zone of the pages."""
        return f"{value.astimezone(self.zone):%H:%M:%S}"

    def moment(self, value: datetime) -> str:
        """Date and time in the zone of the pages, which ``zone_label`` names."""
        return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def hour(self, value: datetime) -> str:
        """Month, day and hour in the zone of the pages, for a plot's axis."""
        return f"{value.astimezone(self.zone):%m-%d %H:00}"

    def zone_label(self, now: datetime) -> str:
        """Name and present offset of the zone of the pages."""
        return zone_label(self.zone, now)

    def span(self, value: timedelta | float) -> str:
        """A duration in its two largest units at most."""
        seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
        if seconds < _MINUTE:
            return self("time.seconds", n=max(0, seconds))
        if seconds < _HOUR:
            return self("time.minutes", n=seconds // _MINUTE)
        if seconds < _DAY:
            hours, minutes = divmod(seconds // _MINUTE, 60)
            return self("time.hours", n=hours) if not minutes else self("time.hours-minutes", hours=hours, n=minutes)
        return self("time.days", n=seconds // _DAY)

    def since(self, value: datetime, now: datetime | None = None) -> str:
        return self("time.ago", span=self.span(max(timedelta(), (now or datetime.now(UTC)) - value)))


@cache
def words(language: str, zone: tzinfo = UTC) -> Words:
    """The texts of a language, Chinese for an unknown one; times are in ``zone``."""
    return Words(language, zone)
