"""Life cycle states and privileges, by name. GPC 2.3.1, 5.1-5.3, 6.6 and 11.1."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Self

from terminal.errors import CodecError


class CardLifeCycleState(IntEnum):
    """Life cycle of the card, that is of its issuer security domain. GPC 2.3.1, Table 11-6."""

    OP_READY = 0x01
    INITIALIZED = 0x07
    SECURED = 0x0F
    CARD_LOCKED = 0x7F
    TERMINATED = 0xFF


class LoadFileState(IntEnum):
    """GPC 2.3.1, Table 11-3."""

    LOADED = 0x01


class ApplicationState(IntFlag):
    """Life cycle of an application; bits 4 to 7 belong to the application. GPC 2.3.1, Table 11-4.

    07 with bit 4 (0F) is PERSONALIZED for security domains (Table 11-5) and for the applications of this scheme.
    """

    INSTALLED = 0x03
    SELECTABLE = 0x07
    PERSONALIZED = 0x0F
    LOCKED = 0x80


def state_name(state: int, *, issuer_domain: bool = False, load_file: bool = False) -> str:
    """The name of a life cycle state, with the byte itself for an application-specific state."""
    if issuer_domain or load_file:
        known: Iterable[IntEnum] = CardLifeCycleState if issuer_domain else LoadFileState
        return next((named.name for named in known if named == state), f"unknown {state:02X}")
    locked = " LOCKED" if state & ApplicationState.LOCKED else ""
    base = state & 0x7F
    names = {0x03: "INSTALLED", 0x07: "SELECTABLE", 0x0F: "PERSONALIZED"}
    if base in names:
        return names[base] + locked
    if base & 0x07 == 0x07:
        return f"SELECTABLE, application state {base:02X}{locked}"
    return f"unknown {base:02X}{locked}"


class Privileges(IntFlag):
    """Three bytes, big-endian; one byte is the first of three. GPC 2.3.1, Tables 11-7 to 11-9."""

    SECURITY_DOMAIN = 0x800000
    DAP_VERIFICATION = 0x400000
    DELEGATED_MANAGEMENT = 0x200000
    CARD_LOCK = 0x100000
    CARD_TERMINATE = 0x080000
    CARD_RESET = 0x040000
    """Also called default selected."""
    CVM_MANAGEMENT = 0x020000
    MANDATED_DAP_VERIFICATION = 0x010000
    TRUSTED_PATH = 0x008000
    AUTHORIZED_MANAGEMENT = 0x004000
    TOKEN_VERIFICATION = 0x002000
    GLOBAL_DELETE = 0x001000
    GLOBAL_LOCK = 0x000800
    GLOBAL_REGISTRY = 0x000400
    FINAL_APPLICATION = 0x000200
    GLOBAL_SERVICE = 0x000100
    RECEIPT_GENERATION = 0x000080
    CIPHERED_LOAD_FILE_DATA_BLOCK = 0x000040
    CONTACTLESS_ACTIVATION = 0x000020
    CONTACTLESS_SELF_ACTIVATION = 0x000010
    PRIVACY_TRUSTED = 0x000008

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From one byte or three. Raises CodecError."""
        if len(raw) not in (1, 3):
            raise CodecError(f"privileges of {len(raw)} bytes; 1 or 3 are possible")
        return cls(int.from_bytes(raw.ljust(3, b"\x00"), "big"))

    def encode(self) -> bytes:
        """One byte where the other two are zero, else three."""
        raw = int(self).to_bytes(3, "big")
        return raw if any(raw[1:]) else raw[:1]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bits that are set, most significant first."""
        return tuple(
            p.name.replace("_", " ").lower()
            for p in sorted(type(self), reverse=True)
            if self & p and p.name is not None
        )


NO_PRIVILEGES = Privileges(0)
