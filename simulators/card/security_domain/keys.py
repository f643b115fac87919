"""PUT KEY and DELETE [key]. GPC 2.3.1, 11.8 and 11.2.2.3.2; Amendment D 1.2, 7.2."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from simulators.card.applet import Refuse
from simulators.card.keyring import AES, DES, INITIAL, Key, KeyRing
from terminal.apdu import Command
from terminal.crypto import kcv

_ALGORITHM = {2: DES, 3: AES}


def put_key(command: Command, ring: KeyRing, decrypt: Callable[[bytes], bytes], scp: int) -> bytes:
    """Add a key set (P1 = 00) or replace keys of version P1, all keys of the command or none.

    Returns the new version and the check values. Raises Refuse: 6A86 wrong P1-P2, 6A80 wrong data or no key set left
    that opens a channel (nobody could manage the card any more), 6A88 no such version, 9484 a key type of another
    protocol, 9485 a wrong check value.
    """
    if command.p1 & 0x80 or not command.p2 & 0x7F:
        raise Refuse(0x6A86)
    if len(command.data) < 2:
        raise Refuse(0x6A80)
    version, identifier = command.data[0], command.p2 & 0x7F
    if not 1 <= version <= 0x7F:
        raise Refuse(0x6A80)
    keys = _keys(command.data[1:], identifier, decrypt, _ALGORITHM[scp])
    if len(keys) > 1 and not command.p2 & 0x80:
        raise Refuse(0x6A80)
    _store(ring, command.p1, version, [key for key, _ in keys])
    if ring.channel_keys(0, _ALGORITHM[scp]) is None:
        raise Refuse(0x6A80)
    return bytes((version,)) + b"".join(check for _, check in keys)


def delete_key(ring: KeyRing, identifier: int, version: int) -> None:
    """Delete keys by identifier, version or both (0 for any). Raises Refuse: 6A88 not found, 6985 the last key set."""
    deleted = False
    for candidate in [version] if version else ring.versions:
        keys = ring.keys(candidate)
        remaining = [key for key in keys if identifier and key.identifier != identifier]
        if len(remaining) == len(keys):
            continue
        deleted = True
        if remaining:
            ring.put(candidate, remaining)
        else:
            ring.remove(candidate)
    if not deleted:
        raise Refuse(0x6A88)
    if ring.channel_keys(0, DES) is None and ring.channel_keys(0, AES) is None:
        raise Refuse(0x6985)  # nobody could manage the card any more


def _store(ring: KeyRing, old: int, version: int, keys: list[Key]) -> None:
    if not old:
        if version in ring.versions:
            raise Refuse(0x6A80)
        if INITIAL in ring.versions:
            ring.remove(INITIAL)
        ring.put(version, keys)
        return
    present = {key.identifier: key for key in ring.keys(old)}
    new = {key.identifier: key for key in keys}
    if not present or not new.keys() <= present.keys():
        raise Refuse(0x6A88)
    if version != old:
        if version in ring.versions or new.keys() != present.keys():
            raise Refuse(0x6A80)
        ring.remove(old)
    ring.put(version, list((present | new).values()))


def _keys(data: bytes, identifier: int, decrypt: Callable[[bytes], bytes], kind: int) -> list[tuple[Key, bytes]]:
    """The key data fields: type, length, key, length of KCV, KCV. GPC 2.3.1, table 11-68."""
    keys: list[tuple[Key, bytes]] = []
    at = 0
    while at < len(data):
        if len(data) < at + 2:
            raise Refuse(0x6A80)
        body, end = data[at + 2 : at + 2 + data[at + 1]], at + 2 + data[at + 1]
        if len(data) <= end:
            raise Refuse(0x6A80)
        check = data[end + 1 : end + 1 + data[end]]
        if len(check) != data[end] or len(check) not in (0, 3):
            raise Refuse(0x6A80)
        if data[at] != kind:
            raise Refuse(0x9484)
        value = _key_value(body, kind, decrypt)
        expected = kcv.des_kcv(value) if kind == DES else kcv.aes_kcv(value)
        if check and not hmac.compare_digest(check, expected):
            raise Refuse(0x9485)
        keys.append((Key(identifier + len(keys), kind, value), expected))
        at = end + 1 + len(check)
    if not keys or identifier + len(keys) > 0x80:
        raise Refuse(0x6A80)
    return keys


def _key_value(body: bytes, kind: int, decrypt: Callable[[bytes], bytes]) -> bytes:
    """One key, decrypted under the DEK. GPC 2.3.1, 11.8.2.3.1; Amendment D 1.2, 7.2.

    A key of whole cipher blocks may come alone; any key may come padded behind a byte with its length.
    """
    block, lengths = (8, (16,)) if kind == DES else (16, (16, 24, 32))
    length, encrypted = len(body), body
    if length % block == 1:
        length, encrypted = body[0], body[1:]
    if length not in lengths or len(encrypted) != -(-length // block) * block:
        raise Refuse(0x6A80)
    return decrypt(encrypted)[:length]
