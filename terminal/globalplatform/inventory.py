"""GET STATUS: the entries of the card's registry, in TLV form and in the older form. GPC 2.3.1, 11.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from terminal.apdu import Command
from terminal.errors import CardMalformed, CodecError
from terminal.globalplatform.aid import Aid
from terminal.globalplatform.lifecycle import NO_PRIVILEGES, Privileges, state_name
from terminal.globalplatform.tolerant import Note, Objects, ignore, objects, values

_TLV_FORM, _NEXT = 0x02, 0x01
_ALL = bytes.fromhex("4F00")


class StatusScope(IntEnum):
    """P1 of GET STATUS. GPC 2.3.1, Table 11-33."""

    ISSUER_DOMAIN = 0x80
    APPLICATIONS = 0x40
    LOAD_FILES = 0x20
    LOAD_FILES_AND_MODULES = 0x10


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """One entry of the card's registry. ``state`` is the life cycle byte; its table depends on ``scope``.

    Load files have ``modules`` and ``version`` where the card reports them; applications have their load file
    (``package``) and ``domain`` in the TLV form only.
    """

    scope: StatusScope
    aid: Aid
    state: int
    privileges: Privileges = NO_PRIVILEGES
    modules: tuple[Aid, ...] = ()
    package: Aid | None = None
    domain: Aid | None = None
    version: bytes = b""

    @property
    def state_name(self) -> str:
        return state_name(
            self.state,
            issuer_domain=self.scope is StatusScope.ISSUER_DOMAIN,
            load_file=self.scope in (StatusScope.LOAD_FILES, StatusScope.LOAD_FILES_AND_MODULES),
        )


def get_status(scope: StatusScope, *, tlv_form: bool = True, following: bool = False, aid: bytes = b"") -> Command:
    """The command for all entries of a scope, or those whose AID begins with ``aid``; ``following`` after 6310."""
    data = bytes((0x4F, len(aid))) + aid if aid else _ALL
    p2 = (_TLV_FORM if tlv_form else 0) | (_NEXT if following else 0)
    return Command(0x80, 0xF2, scope, p2, data, ne=256)


def parse(scope: StatusScope, data: bytes, *, tlv_form: bool = True, note: Note = ignore) -> list[StatusEntry]:
    """The entries of one answer, or of the concatenated answers to several commands.

    Some cards answer a request for the TLV form in the older form: data that do not begin with E3 are read as such.
    ``note`` gets what could not be read. Raises CardMalformed where there are data and no entry can be read.
    """
    operation = f"GET STATUS ({scope.name.replace('_', ' ').lower()})"
    faults: list[str] = []
    if tlv_form and data.lstrip(b"\x00")[:1] in (b"\xe3", b""):
        entries = _from_tlv(scope, data, faults.append)
    else:
        entries = _from_older_form(scope, data, faults.append)
    if faults and not entries:
        raise CardMalformed(f"{operation}: {'; '.join(faults)}")
    for fault in faults:
        note(f"{operation}: {fault}")
    return entries


def _from_tlv(scope: StatusScope, data: bytes, note: Note) -> list[StatusEntry]:
    """The templates E3 that are complete."""
    entries = []
    cut: list[str] = []
    templates = values(objects(data, cut.append), 0xE3)
    if cut:
        note(f"the list ends before its last entry is complete ({cut[0]}); the card may have more")
        templates = templates[:-1] if cut[0].startswith("E3") else templates
    for template in templates:
        try:
            entries.append(_entry(scope, objects(template, note), note))
        except CodecError as error:
            note(f"an entry is left out: {error}")
    return entries


def _entry(scope: StatusScope, level: Objects, note: Note) -> StatusEntry:
    """One entry; empty fields are as if they were missing. GPC 2.3.1, Table 11-36. Raises CodecError."""
    fields: dict[int, bytes] = {}
    for tag, value in level:
        fields.setdefault(tag, value)
    if not fields.get(0x4F):
        raise CodecError("it has no AID (4F)")
    aid = Aid(fields[0x4F])
    if not fields.get(0x9F70):
        raise CodecError(f"{aid} has no life cycle state (9F70)")
    empty = [f"{tag:02X}" for tag in (0xC4, 0xC5, 0xCC, 0x84) if b"" in values(level, tag)]
    if empty:
        note(f"{aid}: {', '.join(empty)} is empty")
    return StatusEntry(
        scope=scope,
        aid=aid,
        # The first byte is the state; a second one is the contactless activation state (Amendment C).
        state=fields[0x9F70][0],
        privileges=_privileges(fields.get(0xC5, b""), aid, note),
        modules=tuple(module for value in values(level, 0x84) if (module := _aid(value, note)) is not None),
        package=_aid(fields.get(0xC4, b""), note),
        domain=_aid(fields.get(0xCC, b""), note),
        version=fields.get(0xCE, b""),
    )


def _privileges(value: bytes, aid: Aid, note: Note) -> Privileges:
    try:
        return Privileges.parse(value) if value else NO_PRIVILEGES
    except CodecError as error:
        note(f"{aid}: {error}")
        return NO_PRIVILEGES


def _aid(value: bytes, note: Note) -> Aid | None:
    """None for an empty value, or one that is no AID."""
    try:
        return Aid(value) if value else None
    except CodecError as error:
        note(str(error))
        return None


def _from_older_form(scope: StatusScope, data: bytes, note: Note) -> list[StatusEntry]:
    """The entries that are complete."""
    entries: list[StatusEntry] = []
    try:
        for entry in _from_legacy(scope, data):
            entries.append(entry)
    except (CodecError, IndexError):
        note("the list ends before its last entry is complete; the card may have more")
    return entries


def _from_legacy(scope: StatusScope, data: bytes) -> Iterator[StatusEntry]:
    """Length, AID, state, privileges; for load files with modules also their count and AIDs. GPC 2.3.1, Table 11-34."""
    at = 0
    while at < len(data):
        aid, at = _counted(data, at)
        state, privileges = data[at], data[at + 1]
        at += 2
        modules: list[Aid] = []
        if scope is StatusScope.LOAD_FILES_AND_MODULES:
            count, at = data[at], at + 1
            for _ in range(count):
                module, at = _counted(data, at)
                modules.append(module)
        load_file = scope in (StatusScope.LOAD_FILES, StatusScope.LOAD_FILES_AND_MODULES)
        granted = NO_PRIVILEGES if load_file else Privileges.parse(bytes((privileges,)))
        yield StatusEntry(scope, aid, state, granted, tuple(modules))


def _counted(data: bytes, at: int) -> tuple[Aid, int]:
    end = at + 1 + data[at]
    if end > len(data):
        raise CodecError("a list that is truncated", at)
    return Aid(data[at + 1 : end]), end
