"""Personal data at rest: sealed and bound to their row, found by a keyed blind index, shown masked.

The masks of ID numbers, mobile numbers and names are here and nowhere else.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from registry.errors import RegistryUnfit
from terminal.errors import IntegrityError
from terminal.keys.custody import KeyCustody, KeyRef, Sealed

_INDEX = KeyRef("index", 1)
KEYED, REPLACEMENT = "hmac:", "replacement/"
"""Beginnings of a keyed digest, and of that of a replacement."""
_LOOSE = re.compile(r"[\s·•‧・.]+")  # 买买提·艾力 is written with any of these dots
_GAP = r"[\s-]?"
# 18 or 15 digits: an ID number; 11, with or without the country's code: a mobile number. Digits of every script.
_PERSONAL_NUMBER = re.compile(
    rf"(?<!\d)(?:(?:\d{_GAP}){{17}}[\dXxＸｘ]|(?:\d{_GAP}){{14}}\d|(?:\+?86{_GAP})?[1１]{_GAP}(?:\d{_GAP}){{9}}\d)(?!\d)"
)


class PersonalData:
    """Seals and opens the personal data of one registry.

    ``place`` (table, column and row key) is part of the associated data: a ciphertext moved elsewhere does not open.
    """

    def __init__(self, custody: KeyCustody) -> None:
        self._custody = custody

    def seal_key(self) -> KeyRef:
        return self._custody.latest("seal")

    def seal(self, key: KeyRef, place: str, *values: str | int | None) -> bytes:
        """Texts and numbers by position."""
        return self._seal(key, place, values)

    def open(self, key: str, blob: bytes, place: str) -> list[str | int | None]:
        """What ``seal`` sealed. Raises RegistryUnfit where the ciphertext or its place was changed."""
        values: list[str | int | None] = self._open(key, blob, place)
        return values

    def seal_fields(self, key: KeyRef, place: str, fields: Mapping[str, str | int | None]) -> bytes:
        """Texts and numbers by name."""
        return self._seal(key, place, fields)

    def open_fields(self, key: str, blob: bytes, place: str, positions: Sequence[str]) -> dict[str, Any]:
        """What ``seal_fields`` sealed; ``positions`` names the values of a row that was sealed by position.

        Raises RegistryUnfit where the ciphertext or its place was changed.
        """
        fields = self._open(key, blob, place)
        return fields if isinstance(fields, dict) else dict(zip(positions, fields, strict=False))

    def _seal(self, key: KeyRef, place: str, payload: object) -> bytes:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        return self._custody.seal(key, text.encode(), _context(place)).blob

    def _open(self, key: str, blob: bytes, place: str) -> Any:
        try:
            secret = self._custody.open(Sealed(parse_ref(key), blob, _context(place)))
        except IntegrityError as error:
            raise RegistryUnfit(
                f"the sealed data of {place} were changed or moved; restore them from a backup"
            ) from error
        return json.loads(secret.reveal())

    def indexes(self, id_numbers: Sequence[str]) -> list[bytes]:
        """Blind index of each ID number, 32 bytes. Always under key version 1: a person has one index for ever."""
        return [self._custody.index(_INDEX, number.encode()) for number in id_numbers]

    def name_index(self, name: str) -> bytes:
        """Blind index of a name, 32 bytes, independent of blanks, dots, capitals and wide letters."""
        return self._custody.index(_INDEX, f"name {_plain(name)}".encode())

    def surname_index(self, surname: str) -> bytes:
        """Blind index of a surname (``registry.surnames``), 32 bytes."""
        return self._custody.index(_INDEX, f"surname {_plain(surname)}".encode())

    def mobile_index(self, mobile: str) -> bytes:
        """Blind index of a mobile number, 32 bytes."""
        return self._custody.index(_INDEX, f"mobile {mobile}".encode())

    def content_index(self, digest: str) -> str:
        """Keyed form of the digest of a batch's content, by which the same file is recognized and nothing is guessed.
        That of a replacement still begins as one."""
        kind = REPLACEMENT if digest.startswith(REPLACEMENT) else ""
        return f"{kind}{KEYED}{self._custody.index(_INDEX, b'content' + bytes(1) + digest.encode()).hex()}"

    def ecard_code(self, text: str) -> str:
        """Keyed digest of a one-time code of an e-card, 64 hex digits: its eight digits cannot be tried without it."""
        return self._custody.index(_INDEX, b"e-card code\x00" + text.encode()).hex()

    def proof(self, text: str) -> str:
        """MAC of a hash of the audit chain, 64 hex digits; its prefix keeps it apart from the blind indexes."""
        return self._custody.index(_INDEX, b"audit\x00" + text.encode()).hex()

    def record_mac(self, text: str) -> str:
        """MAC of the record beside the database (``registry.db.witness``), 64 hex digits."""
        return self._custody.index(_INDEX, b"registry record\x00" + text.encode()).hex()


def _plain(name: str) -> str:
    return _LOOSE.sub("", unicodedata.normalize("NFKC", name).casefold())


def _context(place: str) -> str:
    return f"registry/{place}"


def parse_ref(text: str) -> KeyRef:
    """The inverse of ``str(KeyRef)``."""
    name, _, version = text.rpartition("/")
    return KeyRef(name, int(version))


def mask_id(id_number: str) -> str:
    """Only the last four characters."""
    return "*" * max(0, len(id_number) - 4) + id_number[-4:]


def mask_mobile(mobile: str) -> str:
    """Only the last four digits."""
    return "*" * max(0, len(mobile) - 4) + mobile[-4:]


def mask_name(name: str) -> str:
    """Only the first character: 张三 becomes 张*."""
    return name[:1] + "*" * max(1, len(name) - 1)


def scrub(text: str) -> str:
    """Free text in which ID and mobile numbers are masked but for their last four characters."""
    return _PERSONAL_NUMBER.sub(lambda match: f"****{match[0][-4:]}", text)
