"""The content of a card file, without powering the chip: life cycle, key sets by check value, registry, memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulators.card.cardfile import CardFile
from simulators.card.config import CardConfig
from simulators.card.content import LOCKED, ApplicationLifeCycle, CardLifeCycle, CardRegistry
from simulators.card.keyring import AES, KeyRing
from simulators.card.memory import MemoryDamaged, Nvm
from terminal.crypto import kcv


@dataclass(frozen=True, slots=True)
class KeySetView:
    """A key set by version, with three-byte check values in order of key identifier, in hex."""

    version: str
    kind: str
    check_values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An application instance; ``groupings`` are the numbers of its data groupings, never their content."""

    aid: str
    module: str
    state: str
    groupings: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class CardView:
    """A chip for display: without key bytes and personal data."""

    file: str
    chip_serial: str
    protocol: str
    secure_channel: str
    diversification: str
    life_cycle: str
    key_sets: tuple[KeySetView, ...]
    load_files: tuple[str, ...]
    instances: tuple[InstanceView, ...]
    memory_bytes: int
    file_bytes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def inspect_card(path: Path) -> CardView:
    """The view of a card file. Raises ReaderNotFound, ReaderFault, and MemoryDamaged for a file that holds no chip."""
    nvm = Nvm(CardFile(path))
    nvm.load(repair=False)
    try:
        config = CardConfig.decode(nvm.scope("card")["config"])
        state = CardLifeCycle(nvm.scope("card")["state"][0])
    except (KeyError, TypeError, ValueError) as error:
        raise MemoryDamaged(f"{path} holds no chip identity") from error
    registry = CardRegistry(nvm.scope("registry"))
    instances = tuple(_instance(nvm, i.aid, i.module, i.state) for i in registry.instances)
    fixed = sum(len(value) for name in ("card", "isd", "registry") for value in nvm.scope(name).values())
    return CardView(
        file=str(path),
        chip_serial=config.chip.chip_serial,
        protocol=str(config.protocol),
        secure_channel=f"SCP{config.scp:02d} i={config.i:02X}",
        diversification=str(config.diversification),
        life_cycle=state.name,
        key_sets=_key_sets(KeyRing(nvm.scope("isd"), config.max_tries)),
        load_files=tuple(file.aid.hex().upper() for file in registry.files),
        instances=instances,
        memory_bytes=fixed + sum(instance.bytes for instance in instances),
        file_bytes=path.stat().st_size,
    )


def _instance(nvm: Nvm, aid: bytes, module: bytes, state: int) -> InstanceView:
    memory = nvm.scope(f"app/{aid.hex()}")
    name = (
        ApplicationLifeCycle(state & ~LOCKED).name if state & ~LOCKED in list(ApplicationLifeCycle) else f"{state:02X}"
    )
    return InstanceView(
        aid=aid.hex().upper(),
        module=module.hex().upper(),
        state=f"{name}, locked" if state & LOCKED else name,
        groupings=tuple(sorted(name for name in memory if len(name) == 4 and name.isalnum())),
        bytes=sum(len(value) for value in memory.values()),
    )


def _key_sets(ring: KeyRing) -> tuple[KeySetView, ...]:
    views = []
    for version in ring.versions:
        keys = ring.keys(version)
        checks = tuple((kcv.aes_kcv if k.kind == AES else kcv.des_kcv)(k.value).hex().upper() for k in keys)
        views.append(KeySetView(f"{version:02X}", "AES" if keys[0].kind == AES else "3DES", checks))
    return tuple(views)
