"""Reasons and facts of audit entries in words."""

from __future__ import annotations

from typing import Final

from reader_service.pages.words import Words
from registry.db.audit_chain import AuditEntry, Fact

_WORDED: Final = {
    "step": "packing.move",
    "level": "packing.level",
    "old": "station.priority",
    "new": "station.priority",
    "change": "merchants.kind",
    "departure": "registry.departure",
}
"""Facts whose values are words, with the key of those; other values of the same facts stay as they are."""


def reason(t: Words, entry: AuditEntry) -> str:
    """Why it was done; empty where nobody gave a reason."""
    return t.reason(str(entry.facts.get("code", "")), {}, t.note(entry.reason))


def facts(t: Words, entry: AuditEntry) -> list[tuple[str, str]]:
    """Names and values of an entry's facts and its origin."""
    known = [(name, value) for name, value in (*entry.facts.items(), ("origin", entry.origin)) if name != "code"]
    return [
        (t.either(f"audit.fact-{name}", name), _value(t, name, value))
        for name, value in known
        if value not in (None, "")
    ]


def _value(t: Words, name: str, value: Fact) -> str:
    if isinstance(value, bool):
        return t("audit.yes" if value else "audit.no")
    if name in ("roles", "new_roles"):
        return t("shell.comma").join(t.either(f"role.{role}", role) for role in str(value).replace(",", " ").split())
    if name == "fields":
        return t("shell.comma").join(t.either(f"amendments.field-{one}", one) for one in str(value).split())
    if name in ("channel", "caller"):
        return t.either(f"losses.{name}-{value}", str(value))
    if name in ("because", "state"):
        return t.either(f"registry.state-{value}", str(value))
    if name == "new_language":
        return t.either(f"users.language-{value}", str(value))
    if name == "decision":
        return t.either(f"findings.{value}", str(value))
    if name == "kind":
        return t.either(f"findings.kind-{value}", str(value))
    if name in _WORDED:
        return t.either(f"{_WORDED[name]}-{value}", str(value))
    if name == "changes":
        return t("shell.comma").join(t.either(f"counter.update-{one}", one) for one in str(value).split(", "))
    return t.actor(str(value)) if name in ("second", "creator") else str(value)
