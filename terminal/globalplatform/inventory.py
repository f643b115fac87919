"""GET STATUS: the entries of the card's registry, in TLV form and in the older form. GPC 2.3.1, 11.4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from terminal.apdu import Command
from terminal.errors import CardMalformed, CodecError
from terminal.globalplatform.aid import Aid
from terminal.globalplatform.lifecycle import NO_PRIVILEGES, Privileges, state_name
from terminal.tlv import Tlvs, decode

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


def parse(scope: StatusScope, data: bytes, *, tlv_form: bool = True) -> list[StatusEntry]:
    """The entries of one answer, or of the concatenated answers to several commands. Raises CardMalformed.

    Some cards answer a request for the TLV form in the older form: data that do not begin with E3 are read as such.
    """
    operation = f"GET STATUS ({scope.name.replace('_', ' ').lower()})"
    try:
        if tlv_form and data[:1] in (b"\xe3", b""):
            return [_from_tlv(scope, item.children) for item in decode(data, padding="reject").find_all(0xE3)]
        return list(_from_legacy(scope, data))
    except (CodecError, IndexError) as error:
        raise CardMalformed(f"{operation}: {error}") from error


def _from_tlv(scope: StatusScope, objects: Tlvs) -> StatusEntry:
    """GPC 2.3.1, Table 11-36."""
    package, domain = objects.find(0xC4), objects.find(0xCC)
    privileges, version = objects.find(0xC5), objects.find(0xCE)
    return StatusEntry(
        scope=scope,
        aid=Aid(objects.need(0x4F)),
        # The first byte is the state; a second one is the contactless activation state (Amendment C).
        state=objects.need(0x9F70)[0],
        privileges=Privileges.parse(privileges.value) if privileges else NO_PRIVILEGES,
        modules=tuple(Aid(item.value) for item in objects.find_all(0x84)),
        package=Aid(package.value) if package else None,
        domain=Aid(domain.value) if domain else None,
        version=version.value if version else b"",
    )


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
