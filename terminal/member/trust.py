"""The trust list: the scheme CA keys that a counter trusts, so that one federation accepts another's cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Self

from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey, by_index
from terminal.errors import CodecError
from terminal.member.signed import Issue, Sign, read, write

KIND: Final = "trust list"


@dataclass(frozen=True, slots=True)
class TrustList:
    """Scheme CA keys by RID and index, with the issue of the list they came in."""

    keys: Mapping[tuple[bytes, int], CaKey]
    issue: Issue

    @classmethod
    def of(cls, keys: Iterable[CaKey], issue: Issue) -> Self:
        """Raises CodecError when two keys share RID and index."""
        return cls(MappingProxyType(by_index(keys)), issue)

    @classmethod
    def load(cls, text: bytes, list_key: RsaPublic, *, at: datetime | None = None, at_least: int = 1) -> Self:
        """Read a signed trust list; the signature and the checksum of each key are verified.

        ``at`` and ``at_least`` refuse a list that is not in force then, or older than that version. Raises
        IntegrityError (wrong signature or checksum), ListOutdated, CodecError (not a trust list).
        """
        body, issue = read(KIND, text, list_key, at=at, at_least=at_least)
        entries = body.get("keys")
        if not isinstance(entries, list):
            raise CodecError("the trust list holds no list of keys")
        return cls.of([CaKey.from_json(entry) for entry in entries], issue)

    def write(self, list_key: RsaPublic, sign: Sign) -> bytes:
        """The signed file. Raises what ``sign`` raises."""
        ordered = [self.keys[place].to_json() for place in sorted(self.keys)]
        return write(KIND, {"keys": ordered}, self.issue, list_key, sign)

    def find(self, rid: bytes, index: int, on: date) -> CaKey | None:
        """The key of that RID and index if it may be used on that day."""
        key = self.keys.get((rid, index))
        return key if key is not None and (key.expires is None or on <= key.expires) else None

    def knows(self, rid: bytes) -> bool:
        """Whether any key of that RID is on the list."""
        return any(place[0] == rid for place in self.keys)

    def current(self, at: datetime) -> bool:
        """Whether the list is in force."""
        return self.issue.current(at)
