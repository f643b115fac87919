"""An e-card at a counter: what it accepts, and every alteration, time and list that it refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.ecard.phone import MemberPhone
from terminal.crypto import rsa, sm2
from terminal.ecard import verification
from terminal.ecard.code import LENGTH, Delegation, ShownCode
from terminal.ecard.lists import EcardKey, EcardList, EndedEcard
from terminal.ecard.verification import AcceptedEcard, EcardLists, EcardRefusal, verify
from terminal.errors import CodecError, IntegrityError
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import SKEW, Issue, ListOutdated

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)  # the first second of a step
STEP = timedelta(seconds=30)
ISSUER = sm2.generate()
PHONE = MemberPhone(ec.derive_private_key(7, ec.SECP256R1()))
DELEGATION = Delegation(
    "130100", 1, "6212260000000000017", 2, 3, 1, NOW - timedelta(days=1), NOW + timedelta(days=6), PHONE.key
)
ISSUE = Issue(5, NOW - timedelta(hours=1), NOW + timedelta(days=1))
KEY = EcardKey("130100", 1, ISSUER.public, NOW + timedelta(days=300))
NONCE = b"\x01\x02\x03\x04"


class Seen:
    """A counter's memory for one test."""

    def __init__(self) -> None:
        self.taken: set[tuple[int, str]] = set()

    def take(self, step: int, digest: str, now: int) -> bool:
        if (step, digest) in self.taken:
            return False
        self.taken.add((step, digest))
        return True


def sign(message: bytes) -> bytes:
    return sm2.sign(ISSUER, message)


def shown(at: datetime = NOW, delegation: Delegation = DELEGATION, nonce: bytes = NONCE) -> str:
    return PHONE.code(delegation.signed(sign), at.timestamp(), nonce)


def lists(
    *, ended: tuple[EndedEcard, ...] = (), hot: tuple[HotCard, ...] = (), key: EcardKey = KEY, issue: Issue = ISSUE
) -> EcardLists:
    return EcardLists(EcardList.of([key], ended, issue), Hotlist.of(hot, replace(issue, version=9)))


def verdict(code: str, at: datetime = NOW, known: EcardLists | None = None, seen: Seen | None = None) -> object:
    return verify(code, known or lists(), at, seen or Seen())


def test_a_fresh_code_says_which_card_it_is_and_fits_a_qr_code() -> None:
    code = shown()
    accepted = verdict(code)
    assert isinstance(accepted, AcceptedEcard)
    assert (accepted.delegation, accepted.list_version) == (DELEGATION, 9)
    assert (LENGTH, len(code)) == (196, 314)
    assert isinstance(verdict(f" {code.lower()}\n"), AcceptedEcard)


def test_every_altered_bit_is_refused() -> None:
    letters = shown()
    whole = bytearray(base64.b32decode(letters + "=" * (-len(letters) % 8)))
    for place in range(len(whole)):
        for bit in range(8):
            if bit not in (0, place % 8):
                continue
            whole[place] ^= 1 << bit
            altered = verdict(base64.b32encode(whole).decode().rstrip("="))
            assert isinstance(altered, EcardRefusal), place
            assert altered.code in {"not-an-e-card", "not-genuine", "unknown-issuer"}, place
            whole[place] ^= 1 << bit


@pytest.mark.parametrize("code", ["", "票" * 314, "A" * 314, "=" * 314, "1" * 314, "A" * 313, "A" * 400])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert verdict(code) is verification.NOT_AN_ECARD


def test_a_letter_less_or_more_and_spare_bits_are_refused() -> None:
    code = shown()
    assert verdict(code[:-1]) is verification.NOT_AN_ECARD
    assert verdict(code + "A") is verification.NOT_AN_ECARD
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    assert verdict(code[:-1] + spare[spare.index(code[-1]) | 1]) is verification.NOT_AN_ECARD


@pytest.mark.parametrize(
    ("ahead", "refusal"),
    [
        (timedelta(seconds=-31), verification.CODE_OLD),
        (timedelta(seconds=-30), None),
        (timedelta(0), None),
        (timedelta(seconds=59), None),
        (timedelta(seconds=60), verification.CODE_EARLY),
    ],
)
def test_the_clocks_may_differ_by_one_step(ahead: timedelta, refusal: EcardRefusal | None) -> None:
    answer = verdict(shown(NOW + ahead), NOW)
    assert answer is refusal if refusal else isinstance(answer, AcceptedEcard)


@pytest.mark.parametrize(
    ("starts", "ends", "refusal"),
    [
        (SKEW, timedelta(days=7), None),
        (SKEW + timedelta(seconds=1), timedelta(days=7), verification.NOT_RENEWED),
        (timedelta(days=-7), timedelta(seconds=1), None),
        (timedelta(days=-7), timedelta(0), verification.NOT_RENEWED),
    ],
)
def test_a_delegation_has_its_days(starts: timedelta, ends: timedelta, refusal: EcardRefusal | None) -> None:
    answer = verdict(shown(delegation=replace(DELEGATION, starts=NOW + starts, ends=NOW + ends)))
    assert answer is refusal if refusal else isinstance(answer, AcceptedEcard)


def test_a_code_is_taken_once_at_a_counter_and_the_next_one_again() -> None:
    seen = Seen()
    assert isinstance(verdict(shown(), seen=seen), AcceptedEcard)
    assert verdict(shown(), NOW + STEP, seen=seen) is verification.SHOWN_BEFORE
    assert isinstance(verdict(shown(NOW + STEP), NOW + STEP, seen=seen), AcceptedEcard)


def test_another_signature_of_the_same_code_is_the_same_code() -> None:
    """ECDSA: (r, n - s) is a signature too."""
    code, seen = shown(), Seen()
    assert isinstance(verdict(code, seen=seen), AcceptedEcard)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    whole = base64.b32decode(code + "=" * (-len(code) % 8))
    other = whole[:-32] + (order - int.from_bytes(whole[-32:], "big")).to_bytes(32, "big")
    assert verdict(base64.b32encode(other).decode().rstrip("="), seen=seen) is verification.SHOWN_BEFORE


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, federation="110000"),
        replace(KEY, number=2),
        replace(KEY, expires=NOW - timedelta(seconds=1)),
    ],
)
def test_a_federation_that_the_counter_does_not_know_is_refused(key: EcardKey) -> None:
    assert verdict(shown(), known=lists(key=key)) is verification.UNKNOWN_ISSUER


def test_a_delegation_of_another_key_and_a_device_that_was_not_delegated_are_refused() -> None:
    assert verdict(shown(), known=lists(key=replace(KEY, point=sm2.generate().public))) is verification.NOT_GENUINE
    stolen = MemberPhone().code(DELEGATION.signed(sign), NOW.timestamp())
    assert verdict(stolen) is verification.NOT_GENUINE
    no_point = replace(DELEGATION, device_key=b"\x05" + bytes(32))
    assert verdict(shown(delegation=no_point)) is verification.NOT_GENUINE


@pytest.mark.parametrize("reason", list(HotlistReason))
def test_the_hotlist_ends_the_ecard_of_that_sequence(reason: HotlistReason) -> None:
    card = HotCard(DELEGATION.card_number, 2, reason, date(2026, 11, 30))
    answer = verdict(shown(), known=lists(hot=(card,)))
    assert isinstance(answer, EcardRefusal)
    assert answer.code == reason.value
    earlier = replace(card, sequence=1)
    assert isinstance(verdict(shown(), known=lists(hot=(earlier,))), AcceptedEcard)


@pytest.mark.parametrize(("generation", "refused"), [(2, False), (3, True), (4, True)])
def test_generations_up_to_the_ended_one_are_refused(generation: int, refused: bool) -> None:
    ended = EndedEcard(DELEGATION.card_number, 2, generation)
    answer = verdict(shown(), known=lists(ended=(ended,)))
    assert (answer is verification.ENDED) is refused
    assert isinstance(answer, AcceptedEcard) is not refused


def test_without_lists_in_force_the_counter_cannot_tell() -> None:
    over = replace(ISSUE, expires=NOW - timedelta(seconds=1))
    assert verdict(shown(), known=lists(issue=over)) is verification.OUT_OF_DATE
    assert verdict(shown(), known=replace(lists(), hotlist=None)) is verification.OUT_OF_DATE
    old_hotlist = replace(lists(), hotlist=Hotlist.of([], over))
    assert verdict(shown(), known=old_hotlist) is verification.OUT_OF_DATE


LIST_KEY = rsa.generate(2048, 65537)


def signed_list(change: Callable[[bytes], bytes] = bytes) -> bytes:
    ended = [EndedEcard("6212260000000000017", 1, 2), EndedEcard("6212260000000000017", 1, 1)]
    text = EcardList.of([KEY], ended, ISSUE).write(LIST_KEY.public, lambda message: rsa.private(LIST_KEY, message))
    return change(text)


def test_the_list_is_signed_and_says_what_was_written() -> None:
    read = EcardList.load(signed_list(), LIST_KEY.public, at=NOW, at_least=5)
    assert (dict(read.keys), dict(read.ended), read.issue) == (
        {("130100", 1): KEY},
        {("6212260000000000017", 1): 2},
        ISSUE,
    )
    with pytest.raises(ListOutdated):
        EcardList.load(signed_list(), LIST_KEY.public, at_least=6)
    with pytest.raises(IntegrityError):
        EcardList.load(signed_list(lambda text: text.replace(b"1,2]", b"1,1]")), LIST_KEY.public)
    with pytest.raises(CodecError, match="listed twice"):
        EcardList.of([KEY, replace(KEY)], [], ISSUE)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(DELEGATION, federation="1301"),
        replace(DELEGATION, federation="13010a"),
        replace(DELEGATION, card_number="1" * 20),
        replace(DELEGATION, card_number="62A"),
        replace(DELEGATION, key=256),
        replace(DELEGATION, generation=65536),
        replace(DELEGATION, device_key=PHONE.key[1:]),
    ],
)
def test_values_without_a_place_in_the_code_are_refused(wrong: Delegation) -> None:
    with pytest.raises(CodecError):
        wrong.encode()


def test_a_code_is_read_back_as_it_was_signed() -> None:
    longest = replace(DELEGATION, card_number="9" * 19, key=255, sequence=99, generation=65535, category=4)
    read = ShownCode.read(shown(delegation=longest))
    assert (read.delegation, read.step, read.nonce) == (longest, int(NOW.timestamp()) // 30, NONCE)
