"""Commands of card content management: INSTALL, LOAD, DELETE, SET STATUS. GPC 2.3.1, 11.2, 11.5, 11.6, 11.10.

Builders only: each returns the Command, none sends it.
"""

from __future__ import annotations

from enum import IntEnum

from terminal.apdu import Command
from terminal.errors import SecureChannelError
from terminal.globalplatform.aid import Aid
from terminal.globalplatform.lifecycle import NO_PRIVILEGES, CardLifeCycleState, Privileges
from terminal.tlv import encode_length, tlv

_NO_PARAMETERS = tlv(0xC9, b"").encode()


class InstallFor(IntEnum):
    """P1 of INSTALL. GPC 2.3.1, Table 11-42."""

    LOAD = 0x02
    INSTALL = 0x04
    MAKE_SELECTABLE = 0x08
    INSTALL_AND_MAKE_SELECTABLE = 0x0C
    EXTRADITION = 0x10
    PERSONALIZATION = 0x20
    REGISTRY_UPDATE = 0x40


def install_for_load(
    package: Aid, domain: bytes = b"", digest: bytes = b"", parameters: bytes = b"", token: bytes = b""
) -> Command:
    """Announce a load file. ``digest`` is the load file data block hash (20 or 32 bytes) or empty. 11.5.2.3.1."""
    return _install(InstallFor.LOAD, package, domain, digest, parameters, token)


def install(
    purpose: InstallFor,
    package: Aid,
    module: Aid,
    instance: Aid,
    privileges: Privileges = NO_PRIVILEGES,
    parameters: bytes = b"",
    token: bytes = b"",
) -> Command:
    """Make an instance of a module: INSTALL, or INSTALL_AND_MAKE_SELECTABLE. 11.5.2.3.2.

    ``parameters`` are TLVs (C9 application parameters, EF system parameters); without them an empty C9 is sent.
    """
    return _install(purpose, package, module, instance, privileges.encode(), parameters or _NO_PARAMETERS, token)


def make_selectable(
    instance: Aid, privileges: Privileges = NO_PRIVILEGES, parameters: bytes = b"", token: bytes = b""
) -> Command:
    """Make an installed instance selectable. 11.5.2.3.3."""
    return _install(InstallFor.MAKE_SELECTABLE, b"", b"", instance, privileges.encode(), parameters, token)


def install_for_personalization(instance: Aid) -> Command:
    """Direct the following STORE DATA commands to this instance. 11.5.2.3.6."""
    return _install(InstallFor.PERSONALIZATION, b"", b"", instance, b"", b"", b"")


def extradite(instance: Aid, domain: Aid, parameters: bytes = b"", token: bytes = b"") -> Command:
    """Move an instance under another security domain. 11.5.2.3.4."""
    return _install(InstallFor.EXTRADITION, domain, b"", instance, b"", parameters, token)


def registry_update(
    instance: Aid,
    domain: bytes = b"",
    privileges: Privileges | None = None,
    parameters: bytes = b"",
    token: bytes = b"",
) -> Command:
    """Change privileges or the security domain of an instance; None leaves the privileges as they are. 11.5.2.3.5."""
    wanted = b"" if privileges is None else privileges.encode()
    return _install(InstallFor.REGISTRY_UPDATE, domain, b"", instance, wanted, parameters, token)


def _install(purpose: InstallFor, *fields: bytes) -> Command:
    """Six length-value fields, the last two with BER lengths, as in all variants. 11.5.2.3."""
    *names, parameters, token = fields
    data = b"".join(bytes((len(field),)) + field for field in names)
    data += b"".join(encode_length(len(field)) + field for field in (parameters, token))
    return Command(0x80, 0xE6, purpose, 0x00, data, ne=256)


def load(load_file: bytes, max_data: int) -> list[Command]:
    """A load file with its C4 wrapper as LOAD commands. 11.6. Raises SecureChannelError beyond 256 blocks."""
    pieces = [load_file[at : at + max_data] for at in range(0, len(load_file), max_data)]
    if not 1 <= len(pieces) <= 256:
        raise SecureChannelError(
            f"a load file of {len(load_file)} bytes makes {len(pieces)} blocks; 1 to 256 are possible"
        )
    last = len(pieces) - 1
    return [Command(0x80, 0xE8, 0x80 * (n == last), n, piece, ne=256) for n, piece in enumerate(pieces)]


def delete(aid: Aid, *, related: bool = False, token: bytes = b"") -> Command:
    """Delete an instance or a load file; with ``related`` a load file and all its instances. 11.2."""
    data = tlv(0x4F, aid).encode() + (tlv(0x9E, token).encode() if token else b"")
    return Command(0x80, 0xE4, 0x00, 0x80 if related else 0x00, data, ne=256)


def delete_key(version: int, identifier: int | None = None) -> Command:
    """Delete every key of a version, or one of them. 11.2.2.3.2."""
    data = b"" if identifier is None else tlv(0xD0, bytes((identifier,))).encode()
    return Command(0x80, 0xE4, 0x00, 0x00, data + tlv(0xD2, bytes((version,))).encode(), ne=256)


def set_card_state(state: CardLifeCycleState) -> Command:
    """Set the life cycle state of the card: forward only, except between CARD_LOCKED and SECURED. 11.10."""
    return Command(0x80, 0xF0, 0x80, state)


def set_application_state(aid: Aid, state: int, *, with_associated: bool = False) -> Command:
    """Set the life cycle state of an application: 80 locks it, its own state unlocks it. 11.10.

    ``with_associated``: a security domain and every application under it.
    """
    return Command(0x80, 0xF0, 0x60 if with_associated else 0x40, state, aid)
