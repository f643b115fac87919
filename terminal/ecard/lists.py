"""The e-card list of a counter: the keys that sign delegations, of each recognized federation, and e-cards that ended.

Signed as the trust list is (``terminal.member.signed``). An e-card that ended is listed while its delegation runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Self

from terminal.crypto import sm2
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, CryptoError
from terminal.member.signed import Issue, Sign, read, write

KIND: Final = "e-card list"


@dataclass(frozen=True, slots=True)
class EcardKey:
    """A key that signs delegations of a federation: SM2, X || Y. None signs after ``expires``."""

    federation: str
    number: int
    point: bytes
    expires: datetime


@dataclass(frozen=True, slots=True)
class EndedEcard:
    """E-cards of a card up to ``generation``, which a counter refuses."""

    card_number: str
    sequence: int
    generation: int


@dataclass(frozen=True, slots=True)
class EcardList:
    """Keys by federation and number, and ended generations by card number and sequence."""

    keys: Mapping[tuple[str, int], EcardKey]
    ended: Mapping[tuple[str, int], int] = field(repr=False)
    issue: Issue

    @classmethod
    def of(cls, keys: Iterable[EcardKey], ended: Iterable[EndedEcard], issue: Issue) -> Self:
        """Raises CodecError for two keys of one number."""
        by_number: dict[tuple[str, int], EcardKey] = {}
        for key in keys:
            if by_number.setdefault((key.federation, key.number), key) is not key:
                raise CodecError(f"e-card key {key.number} of {key.federation} is listed twice")
        generations: dict[tuple[str, int], int] = {}
        for one in ended:
            card = (one.card_number, one.sequence)
            generations[card] = max(one.generation, generations.get(card, 0))
        return cls(MappingProxyType(by_number), MappingProxyType(generations), issue)

    @classmethod
    def load(cls, text: bytes, list_key: RsaPublic, *, at: datetime | None = None, at_least: int = 1) -> Self:
        """Read a signed list. ``at`` and ``at_least`` are those of ``signed.read``, which raises IntegrityError and
        ListOutdated; raises CodecError for one that cannot be read."""
        body, issue = read(KIND, text, list_key, at=at, at_least=at_least)
        try:
            keys = [_key(*entry) for entry in body["keys"]]
            ended = [EndedEcard(str(card), int(sequence), int(last)) for card, sequence, last in body["ended"]]
        except (KeyError, TypeError, ValueError, CryptoError) as error:
            raise CodecError("the e-card list has an entry that cannot be read") from error
        return cls.of(keys, ended, issue)

    def write(self, list_key: RsaPublic, sign: Sign) -> bytes:
        """The signed file. Raises what ``sign`` raises."""
        keys = [[*place, key.point.hex(), key.expires.isoformat()] for place, key in sorted(self.keys.items())]
        body: dict[str, Any] = {"keys": keys, "ended": [[*card, last] for card, last in sorted(self.ended.items())]}
        return write(KIND, body, self.issue, list_key, sign)


def _key(federation: str, number: int, point: str, expires: str) -> EcardKey:
    end = datetime.fromisoformat(expires)
    if end.tzinfo is None:
        raise ValueError("a time without time zone")
    return EcardKey(str(federation), int(number), sm2.check_public(bytes.fromhex(point)), end)
