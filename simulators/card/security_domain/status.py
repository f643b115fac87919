"""GET STATUS and SET STATUS. GPC 2.3.1, 11.4 and 11.10."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.card.applet import Refuse
from simulators.card.config import ISD_AID
from simulators.card.content import LOCKED, CardLifeCycle, Instance, LoadFile
from simulators.card.system import System
from terminal.apdu import OK, Command, Response, StatusWord
from terminal.errors import TlvError
from terminal.tlv import Tlv, Tlvs, decode, tlv

_ISD, _APPLICATIONS, _FILES, _FILES_AND_MODULES = 0x80, 0x40, 0x20, 0x10
_ISD_PRIVILEGES = 0x9EFE80
_PAGE = 239
"""Bytes of entries in one response, which remains a short one with R-ENC padding and a 16-byte R-MAC."""
_MORE = StatusWord(0x6310)
_LOADED = 0x01

_TRANSITIONS = {
    CardLifeCycle.OP_READY: {CardLifeCycle.INITIALIZED, CardLifeCycle.TERMINATED},
    CardLifeCycle.INITIALIZED: {CardLifeCycle.SECURED, CardLifeCycle.TERMINATED},
    CardLifeCycle.SECURED: {CardLifeCycle.CARD_LOCKED, CardLifeCycle.TERMINATED},
    CardLifeCycle.CARD_LOCKED: {CardLifeCycle.SECURED, CardLifeCycle.TERMINATED},
}


class StatusCommands:
    """Both commands. Entries that did not fit into a GET STATUS response wait for the next one."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._remaining: tuple[bytes, list[bytes]] | None = None

    def end(self) -> None:
        self._remaining = None

    def get_status(self, command: Command) -> Response:
        """Entries of the registry. P1: scope; P2: b2 TLV format, b1 next occurrences; 6310 while there are more.

        Raises Refuse: 6A86 wrong P1-P2, 6A80 malformed search criteria, 6A88 no match, 6985 no further occurrences.
        """
        if command.p1 & 0x0F or not command.p1 or command.p2 & ~0x03:
            raise Refuse(0x6A86)
        query = bytes((command.p1, command.p2 & 0x02)) + command.data
        if command.p2 & 0x01:
            if self._remaining is None or self._remaining[0] != query:
                raise Refuse(0x6985)
            entries = self._remaining[1]
        else:
            partial, tags = _search(command.data)
            entries = list(self._entries(command.p1, partial, tags if command.p2 & 0x02 else None))
            if not entries:
                raise Refuse(0x6A88)
        count, size = 0, 0
        while count < len(entries) and (size + len(entries[count]) <= _PAGE or not count):
            size += len(entries[count])
            count += 1
        self._remaining = (query, entries[count:]) if count < len(entries) else None
        return Response(b"".join(entries[:count]), _MORE if self._remaining else OK)

    def set_status(self, command: Command) -> bytes:
        """Card (P1 80) or application (P1 40). Raises Refuse: 6A86, 6A88 unknown AID, 6985 transition not allowed."""
        if command.p1 == _ISD:
            self._set_card_state(command)
        elif command.p1 in (_APPLICATIONS, 0x60):
            self._set_application_state(command)
        else:
            raise Refuse(0x6A86)
        return b""

    def _set_card_state(self, command: Command) -> None:
        if command.data and command.data != ISD_AID:
            raise Refuse(0x6A88)
        try:
            state = CardLifeCycle(command.p2)
        except ValueError:
            raise Refuse(0x6A86) from None
        if state not in _TRANSITIONS.get(self._system.state, set()):
            raise Refuse(0x6985)
        self._system.set_state(state)

    def _set_application_state(self, command: Command) -> None:
        """Lock or unlock: only b8 of P2 counts. GPC 2.3.1, 11.10.2.2."""
        system = self._system
        if system.state is CardLifeCycle.CARD_LOCKED:
            raise Refuse(0x6985)
        instance = system.registry.instance(command.data)
        if instance is None:
            raise Refuse(0x6A88)
        lock = bool(command.p2 & LOCKED)
        if lock == bool(instance.state & LOCKED) or (lock and system.in_use(instance.aid)):
            raise Refuse(0x6985)
        system.registry.set_state(instance.aid, instance.state ^ LOCKED)

    def _entries(self, scope: int, partial: bytes, tags: frozenset[int] | None) -> Iterator[bytes]:
        registry = self._system.registry
        if scope & _ISD and ISD_AID.startswith(partial):
            yield _entry(ISD_AID, self._system.state, _ISD_PRIVILEGES, tags, [])
        if scope & _APPLICATIONS:
            for instance in registry.matching(partial):
                yield _entry(instance.aid, instance.state, instance.privileges, tags, _application(instance))
        if scope & (_FILES | _FILES_AND_MODULES):
            for file in registry.files:
                if file.aid.startswith(partial):
                    yield _file_entry(file, tags, modules=bool(scope & _FILES_AND_MODULES))


def _search(data: bytes) -> tuple[bytes, frozenset[int]]:
    """AID (4F) and tag list (5C; empty: all tags). Raises Refuse: 6A80."""
    try:
        objects: Tlvs = decode(data, padding="reject")
        aid, wanted = objects.find(0x4F), objects.find(0x5C)
        tags = _tag_list(wanted.value) if wanted else frozenset()
    except TlvError:
        raise Refuse(0x6A80) from None
    if aid is None or len(aid.value) > 16:
        raise Refuse(0x6A80)
    return aid.value, tags


def _tag_list(data: bytes) -> frozenset[int]:
    tags, at = set(), 0
    while at < len(data):
        width = 2 if data[at] & 0x1F == 0x1F else 1
        tags.add(int.from_bytes(data[at : at + width], "big"))
        at += width
    return frozenset(tags)


def _application(instance: Instance) -> list[Tlv]:
    return [tlv(0xC4, instance.load_file), tlv(0xCC, instance.domain)]


def _entry(aid: bytes, state: int, privileges: int, tags: frozenset[int] | None, more: list[Tlv]) -> bytes:
    """One application: E3 template, or the format with one byte of privileges. GPC 2.3.1, tables 11-35 and 11-36."""
    if tags is None:
        return bytes((len(aid),)) + aid + bytes((state, privileges >> 16))
    items = [tlv(0x4F, aid), tlv(0x9F70, bytes((state,))), tlv(0xC5, privileges.to_bytes(3, "big")), *more]
    return _template(items, tags)


def _file_entry(file: LoadFile, tags: frozenset[int] | None, *, modules: bool) -> bytes:
    listed = file.modules if modules else ()
    if tags is not None:
        items = [tlv(0x4F, file.aid), tlv(0x9F70, bytes((_LOADED,))), tlv(0xCE, file.version), tlv(0xCC, ISD_AID)]
        return _template([*items, *(tlv(0x84, module) for module in listed)], tags)
    head = bytes((len(file.aid),)) + file.aid + bytes((_LOADED, 0))
    if not modules:
        return head
    return head + bytes((len(listed),)) + b"".join(bytes((len(aid),)) + aid for aid in listed)


def _template(items: list[Tlv], tags: frozenset[int]) -> bytes:
    wanted = [item for item in items if not tags or int(item.tag) in tags or item.tag == 0x4F]
    return tlv(0xE3, wanted).encode()
