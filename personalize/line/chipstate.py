"""The state of an authenticated chip, as its GlobalPlatform registry gives it."""

from __future__ import annotations

from collections.abc import Iterable

from personalize.dossiers.dossier import Dossier
from personalize.line.chipkeys import OpenChip
from personalize.line.plan import ChipKeyState
from terminal.globalplatform import SecurityDomain, StatusEntry, StatusScope


def chip_state(domain: SecurityDomain, dossier: Dossier, opened: OpenChip) -> ChipKeyState:
    """What the plan needs to know of a chip whose channel is open. Raises CardError."""
    instances = _entries(domain, StatusScope.APPLICATIONS, [a.instance_aid for a in dossier.applications])
    files = _entries(domain, StatusScope.LOAD_FILES, [a.package_aid for a in dossier.applications])
    return ChipKeyState(
        key_set=opened.key_set,
        key_version=opened.version,
        life_cycle=domain.own_entry().state,
        instances={bytes(entry.aid): entry.state for entry in instances},
        packages=frozenset(bytes(entry.aid) for entry in files),
        sources={bytes(entry.aid): bytes(entry.package) for entry in instances if entry.package},
        beside=opened.beside,
    )


def _entries(domain: SecurityDomain, scope: StatusScope, needed: Iterable[bytes]) -> list[StatusEntry]:
    """The entries of a scope. Of a list that could not be read as a whole, those that are missing are asked for."""
    remarks = len(domain.remarks)
    entries = domain.status(scope)
    if len(domain.remarks) > remarks:
        for aid in set(needed) - {bytes(entry.aid) for entry in entries}:
            entries += [entry for entry in domain.status(scope, aid) if entry.aid == aid]
    return entries
