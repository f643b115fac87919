"""Card content: load files, modules, instances and their life cycles. GPC 2.3.1, chapters 5, 6 and 9.

The registry holds data; the behaviour of a module is an Applet class, looked up by module AID in ``Modules``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from typing import Any

from simulators.card.applet import Applet, AppletMemory, Refuse
from terminal.apdu import Command, Response
from terminal.tlv import tlv

Modules = Mapping[bytes, type[Applet]]

LOCKED = 0x80
"""Bit of an application's life cycle state. GPC 2.3.1, 11.1.1."""
CARD_RESET = 0x040000
"""Privilege: selected by default after a reset (formerly Default Selected). GPC 2.3.1, 6.6.1."""


class CardLifeCycle(IntEnum):
    """GPC 2.3.1, 5.1 and table 11-6."""

    OP_READY = 0x01
    INITIALIZED = 0x07
    SECURED = 0x0F
    CARD_LOCKED = 0x7F
    TERMINATED = 0xFF


class ApplicationLifeCycle(IntEnum):
    """GPC 2.3.1, 5.3 and table 11-4; 0F is application specific and used as in EMV CPS 1.1."""

    INSTALLED = 0x03
    SELECTABLE = 0x07
    PERSONALIZED = 0x0F


@dataclass(frozen=True, slots=True)
class LoadFile:
    """An executable load file (a Java Card package) and its modules; ``rom``: part of the chip, cannot be deleted."""

    aid: bytes
    modules: tuple[bytes, ...]
    version: bytes = b"\x01\x00"
    rom: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """One application instance; ``privileges`` are the three bytes of GPC 2.3.1, table 11-7, as a number."""

    aid: bytes
    load_file: bytes
    module: bytes
    domain: bytes
    privileges: int = 0
    parameters: bytes = b""
    state: int = ApplicationLifeCycle.INSTALLED

    @property
    def selectable(self) -> bool:
        return not self.state & LOCKED and self.state >= ApplicationLifeCycle.SELECTABLE

    @property
    def personalized(self) -> bool:
        return self.state & ~LOCKED == ApplicationLifeCycle.PERSONALIZED


@dataclass
class CardRegistry:
    """Load files and instances by AID, each stored as one value of ``memory``, the card's scope "registry".

    Each change is a single write; the caller makes several atomic.
    """

    memory: AppletMemory
    _files: dict[bytes, LoadFile] = field(default_factory=dict)
    _instances: dict[bytes, Instance] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Read the memory again: at power-on, and after a transaction that was rolled back."""
        self._files, self._instances = {}, {}
        for name, value in self.memory.items():
            fields = {key: _from_json(item) for key, item in json.loads(value).items()}
            if name.startswith("file/"):
                self._files[fields["aid"]] = LoadFile(**fields)
            else:
                self._instances[fields["aid"]] = Instance(**fields)

    @property
    def files(self) -> list[LoadFile]:
        return list(self._files.values())

    @property
    def instances(self) -> list[Instance]:
        """In order of installation."""
        return list(self._instances.values())

    def file(self, aid: bytes) -> LoadFile | None:
        return self._files.get(aid)

    def instance(self, aid: bytes) -> Instance | None:
        return self._instances.get(aid)

    def of_file(self, aid: bytes) -> list[Instance]:
        return [instance for instance in self._instances.values() if instance.load_file == aid]

    def matching(self, partial: bytes) -> Iterator[Instance]:
        """Instances whose AID begins with ``partial``. GPC 2.3.1, 6.4.2."""
        return (instance for aid, instance in self._instances.items() if aid.startswith(partial))

    def taken(self, aid: bytes) -> bool:
        """Whether a load file or an instance has this AID. A module may share its AID with one instance."""
        return aid in self._files or aid in self._instances

    def add(self, entry: LoadFile | Instance) -> None:
        """Add an entry, or replace the one of the same AID and kind."""
        self.memory[_name(entry)] = json.dumps(_to_json(asdict(entry))).encode()
        if isinstance(entry, LoadFile):
            self._files[entry.aid] = entry
        else:
            self._instances[entry.aid] = entry

    def remove(self, entry: LoadFile | Instance) -> None:
        del self.memory[_name(entry)]
        if isinstance(entry, LoadFile):
            del self._files[entry.aid]
        else:
            del self._instances[entry.aid]

    def set_state(self, aid: bytes, state: int) -> None:
        self.add(replace(self._instances[aid], state=state))


class OpaqueApplet(Applet):
    """An instance of a loaded module, whose code the simulator cannot run: selectable, but without commands."""

    def select(self, p2: int) -> bytes:
        return tlv(0x6F, [tlv(0x84, self.aid), tlv(0xA5)]).encode()

    def process(self, command: Command) -> Response:
        raise Refuse(0x6D00)


def _name(entry: LoadFile | Instance) -> str:
    return ("file/" if isinstance(entry, LoadFile) else "app/") + entry.aid.hex()


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(bytes.fromhex(item) for item in value)
    return bytes.fromhex(value) if isinstance(value, str) else value
