"""Verification of an e-card, both signatures and all lists, against two bare Ed25519 verifications."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.table import Row, alternate
from simulators.ecard.phone import MemberPhone
from terminal.crypto import sm2
from terminal.ecard.code import Delegation
from terminal.ecard.lists import EcardKey, EcardList
from terminal.ecard.verification import AcceptedEcard, EcardLists, verify
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import Issue

MOST_MS = 3.0
_HOT = 10_000
_NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


class _Unseen:
    def take(self, step: int, digest: str, now: int) -> bool:
        return True


def run() -> list[Row]:
    """One code, verified again and again."""
    issuer, phone = sm2.generate(), MemberPhone()
    days = (_NOW - timedelta(days=1), _NOW + timedelta(days=6))
    delegation = Delegation("130100", 1, "6212260000000000017", 1, 1, 0, *days, phone.key)
    code = phone.code(delegation.signed(lambda message: sm2.sign(issuer, message)), _NOW.timestamp())
    issue = Issue(1, *days)
    hot = [HotCard(f"62122600001{n:08d}", 1, HotlistReason.LOST, date(2026, 11, 1)) for n in range(_HOT)]
    keys = EcardList.of([EcardKey("130100", 1, issuer.public, days[1])], [], issue)
    lists, seen = EcardLists(keys, Hotlist.of(hot, issue)), _Unseen()
    bare = Ed25519PrivateKey.generate()
    public, signature = bare.public_key(), bare.sign(bytes(100))

    def ours() -> None:
        assert isinstance(verify(code, lists, _NOW, seen), AcceptedEcard)

    def theirs() -> None:
        public.verify(signature, bytes(100))
        public.verify(signature, bytes(100))

    mine, other, ratio = alternate(ours, theirs, calls=20, rounds=30, clock=time.process_time)
    return [
        Row(
            f"an e-card verified with a hotlist of {_HOT:,} cards / two bare Ed25519 verifications",
            f"{mine * 1000:.2f} / {other * 1000:.2f} ms of processor",
            ratio,
            f"<= {MOST_MS:.0f} ms",
            mine * 1000 <= MOST_MS,
        )
    ]
