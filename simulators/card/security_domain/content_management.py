"""INSTALL, LOAD and DELETE. GPC 2.3.1, 11.2, 11.5 and 11.6."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from simulators.card.applet import Refuse
from simulators.card.config import ISD_AID
from simulators.card.content import CARD_RESET, ApplicationLifeCycle, Instance, LoadFile
from simulators.card.memory import PAGE
from simulators.card.security_domain.cap import LoadFileError, parse
from simulators.card.security_domain.keys import delete_key
from simulators.card.security_domain.personalize import Personalization
from simulators.card.system import System
from terminal.apdu import Command
from terminal.errors import TlvError
from terminal.tlv import Tlvs, decode

_SELECTABLE = 0x08
_SECURITY_DOMAIN = 0x800000
_NO_RECEIPT = b"\x00"
"""Response data without a confirmation. GPC 2.3.1, 11.5.3.1."""
_MAX_LOAD_FILE = 256 * 1024
_HASHES = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}


@dataclass
class _Loading:
    """A load file being loaded: announced AID and hash, and the blocks so far."""

    aid: bytes
    digest: bytes
    data: bytearray
    blocks: int = 0


class ContentManagement:
    """INSTALL, LOAD and DELETE in one session. ``personalization`` is the instance that STORE DATA goes to."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._loading: _Loading | None = None
        self.personalization: Personalization | None = None

    def end(self) -> None:
        """The session is over: discard an unfinished load file and personalization."""
        self._loading = self.personalization = None

    def abort(self) -> None:
        """A command failed: discard the load file; personalization starts again with block 0."""
        self._loading = None
        if self.personalization is not None:
            self.personalization.abort()

    def install(self, command: Command) -> bytes:
        """INSTALL for every purpose, without tokens: the card has no delegated management.

        Raises Refuse: 6A86 unknown purpose, 6A80 malformed, 6A88 referenced object missing, 6A89 AID in use, 6985 not
        allowed in this state.
        """
        if command.p2:
            raise Refuse(0x6A86)
        fields = _fields(command.data)
        match command.p1:
            case 0x02:
                self._for_load(fields)
            case 0x04 | 0x0C:
                self._for_install(fields, selectable=bool(command.p1 & _SELECTABLE))
            case 0x08:
                self._make_selectable(fields)
            case 0x10:
                self._extradite(fields)
            case 0x20:
                self.personalization = Personalization(self._system, self._for_personalization(fields))
            case 0x40:
                self._registry_update(fields)
            case _:
                raise Refuse(0x6A86)
        return _NO_RECEIPT

    def load(self, command: Command) -> bytes:
        """One block of a load file; the last one registers it.

        Raises Refuse: 6985 not announced, 6A86 wrong P1 or block number, 6A80 wrong data, length or hash.
        """
        loading = self._loading
        if loading is None:
            raise Refuse(0x6985)
        if command.p1 & 0x7F or command.p2 != loading.blocks & 0xFF:
            raise Refuse(0x6A86)
        loading.data += command.data
        loading.blocks += 1
        if len(loading.data) > _MAX_LOAD_FILE:
            raise Refuse(0x6A84)
        self._system.meter.pages += -(-len(command.data) // PAGE)  # the code itself, which is never read back
        if command.p1 & 0x80:
            self._register(loading)
            self._loading = None
            return _NO_RECEIPT
        return b""

    def delete(self, command: Command) -> bytes:
        """Delete a load file, an instance (4F) or keys (D0, D2). P2 80: with the instances of the load file.

        Raises Refuse: 6A86 wrong P1-P2, 6A80 malformed, 6A88 not found, 6985 selected, in ROM, or with dependents.
        """
        if command.p1 or command.p2 not in (0x00, 0x80):
            raise Refuse(0x6A86)
        try:
            objects: Tlvs = decode(command.data, padding="reject")
        except TlvError:
            raise Refuse(0x6A80) from None
        aid = objects.get(0x4F)
        if aid is not None:
            self._delete_object(aid, related=bool(command.p2))
            return _NO_RECEIPT
        identifier, version = objects.get(0xD0) or b"\x00", objects.get(0xD2) or b"\x00"
        if len(identifier) != 1 or len(version) != 1 or not (identifier[0] or version[0]):
            raise Refuse(0x6A80)
        delete_key(self._system.keys, identifier[0], version[0])
        return _NO_RECEIPT

    def _for_load(self, fields: list[bytes]) -> None:
        aid, domain, digest, _, token = _exactly(fields, 5)
        self._loading = None
        if not 5 <= len(aid) <= 16 or token or (digest and len(digest) not in _HASHES):
            raise Refuse(0x6A80)
        if domain not in (b"", ISD_AID):
            raise Refuse(0x6A88)
        if self._system.registry.taken(aid) or aid == ISD_AID:
            raise Refuse(0x6A89)
        self._loading = _Loading(aid, digest, bytearray())

    def _register(self, loading: _Loading) -> None:
        block = _data_block(bytes(loading.data))
        if loading.digest and hashlib.new(_HASHES[len(loading.digest)], block).digest() != loading.digest:
            raise Refuse(0x6A80)
        try:
            file = parse(block)
        except LoadFileError:
            raise Refuse(0x6A80) from None
        if file.aid != loading.aid:
            raise Refuse(0x6A80)
        self._system.registry.add(file)

    def _for_install(self, fields: list[bytes], *, selectable: bool) -> None:
        file_aid, module, aid, privileges, parameters, token = _exactly(fields, 6)
        registry = self._system.registry
        if token or not 5 <= len(aid) <= 16:
            raise Refuse(0x6A80)
        file = registry.file(file_aid)
        if file is None or module not in file.modules:
            raise Refuse(0x6A88)
        if registry.taken(aid) or aid == ISD_AID:
            raise Refuse(0x6A89)
        state = ApplicationLifeCycle.SELECTABLE if selectable else ApplicationLifeCycle.INSTALLED
        instance = Instance(
            aid,
            file_aid,
            module,
            ISD_AID,
            self._privileges(privileges, aid),
            _application_parameters(parameters),
            int(state),
        )
        registry.add(instance)
        self._system.discard(aid)
        self._system.applet(instance)

    def _make_selectable(self, fields: list[bytes]) -> None:
        _, _, aid, privileges, *_ = _exactly(fields, 6)
        instance = self._instance(aid)
        if instance.state != ApplicationLifeCycle.INSTALLED:
            raise Refuse(0x6985)
        granted = self._privileges(privileges, aid) if privileges else instance.privileges
        self._system.registry.add(replace(instance, state=int(ApplicationLifeCycle.SELECTABLE), privileges=granted))

    def _extradite(self, fields: list[bytes]) -> None:
        domain, _, aid, _, _, token = _exactly(fields, 6)
        instance = self._instance(aid)
        receiver = self._system.registry.instance(domain)
        if domain != ISD_AID and (receiver is None or not receiver.privileges & _SECURITY_DOMAIN):
            raise Refuse(0x6A88)
        if token or instance.domain != ISD_AID:
            raise Refuse(0x6985)
        self._system.registry.add(replace(instance, domain=domain))

    def _registry_update(self, fields: list[bytes]) -> None:
        domain, _, aid, privileges, _, token = _exactly(fields, 6)
        if token or domain not in (b"", ISD_AID):
            raise Refuse(0x6985)
        instance = self._instance(aid)
        if privileges:
            self._system.registry.add(replace(instance, privileges=self._privileges(privileges, aid)))

    def _for_personalization(self, fields: list[bytes]) -> Instance:
        """The instance of INSTALL [for personalization]. GPC 2.3.1, 11.5.2.3.6."""
        aid = _exactly(fields, 6)[2]
        instance = self._instance(aid)
        if not instance.selectable or instance.domain != ISD_AID:
            raise Refuse(0x6985)
        return instance

    def _instance(self, aid: bytes) -> Instance:
        instance = self._system.registry.instance(aid)
        if instance is None:
            raise Refuse(0x6A88)
        return instance

    def _privileges(self, data: bytes, aid: bytes) -> int:
        if len(data) not in (1, 3):
            raise Refuse(0x6A80)
        privileges = int.from_bytes(data.ljust(3, b"\x00"), "big")
        if privileges & CARD_RESET and any(
            other.privileges & CARD_RESET and other.aid != aid for other in self._system.registry.instances
        ):
            raise Refuse(0x6985)
        return privileges

    def _delete_object(self, aid: bytes, *, related: bool) -> None:
        registry = self._system.registry
        entries: list[LoadFile | Instance] = []
        if (file := registry.file(aid)) is not None:
            dependents = registry.of_file(aid)
            if file.rom or (dependents and not related):
                raise Refuse(0x6985)
            entries = [*dependents, file]
        elif (instance := registry.instance(aid)) is not None:
            entries = [instance]
        elif aid == ISD_AID:
            raise Refuse(0x6985)
        else:
            raise Refuse(0x6A88)
        if any(self._system.in_use(entry.aid) for entry in entries):
            raise Refuse(0x6985)
        for entry in entries:
            registry.remove(entry)
            if isinstance(entry, Instance):
                self._system.nvm.drop(f"app/{entry.aid.hex()}")
                self._system.discard(entry.aid)
                if self.personalization is not None and self.personalization.aid == entry.aid:
                    self.personalization = None


def _fields(data: bytes) -> list[bytes]:
    """The fields of INSTALL, each with a length of one byte, or 81 and one, or 82 and two. GPC 2.3.1, 11.5.2.3."""
    fields, at = [], 0
    while at < len(data):
        length, at = data[at], at + 1
        if length in (0x81, 0x82):
            width = length & 0x0F
            length, at = int.from_bytes(data[at : at + width], "big"), at + width
        elif length > 0x82:
            raise Refuse(0x6A80)
        if at + length > len(data):
            raise Refuse(0x6A80)
        fields.append(data[at : at + length])
        at += length
    return fields


def _exactly(fields: list[bytes], count: int) -> list[bytes]:
    if len(fields) != count:
        raise Refuse(0x6A80)
    return fields


def _application_parameters(parameters: bytes) -> bytes:
    """The application specific part (C9) of the install parameters, TLVs or empty. GPC 2.3.1, 11.5.2.3.7."""
    try:
        objects: Tlvs = decode(parameters, padding="reject")
    except TlvError:
        raise Refuse(0x6A80) from None
    if parameters and objects.get(0xC9) is None:
        raise Refuse(0x6A80)
    return objects.get(0xC9) or b""


def _data_block(data: bytes) -> bytes:
    """The Load File Data Block (C4) of a load file, after any DAP blocks (E2). GPC 2.3.1, 11.6.2.3."""
    try:
        objects: Tlvs = decode(data, padding="reject")
    except TlvError:
        raise Refuse(0x6A80) from None
    if not objects or objects[-1].tag != 0xC4 or any(item.tag != 0xE2 for item in objects[:-1]):
        raise Refuse(0x6A80)
    return objects[-1].value
