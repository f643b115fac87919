"""Trust list and hotlist: signed, versioned, and refused once anything in them was changed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.errors import CodecError, CryptoError, IntegrityError
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import Issue, ListOutdated, representative, write
from terminal.member.trust import TrustList
from tests.support.cards import rsa_signer as make

LIST, OTHER = make.key("list", 1152), make.key("other list", 1152)
KEY = RsaPublic(LIST.n, LIST.e)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ISSUE = Issue(7, NOW - timedelta(days=2), NOW + timedelta(days=28))
RID = bytes.fromhex("F04D454D42")
CA = CaKey(RID, 1, RsaPublic(make.key("ca", 1152).n, 3), date(2030, 12, 31))
TRUST = TrustList.of([CA, CaKey(RID, 2, CA.key)], ISSUE)
HOT = Hotlist.of(
    [
        HotCard("9156130000000001234", 1, HotlistReason.LOST, date(2026, 11, 20)),
        HotCard("4761739001010119", 2, HotlistReason.SUSPENDED, date(2026, 11, 21)),
    ],
    ISSUE,
)


def test_a_trust_list_round_trips_through_its_file() -> None:
    text = TRUST.write(KEY, LIST.sign)
    loaded = TrustList.load(text, KEY)
    assert loaded == TRUST
    assert loaded.write(KEY, LIST.sign) == text
    assert loaded.issue.version == 7


def test_openssl_agrees_with_the_signature() -> None:
    file = json.loads(TRUST.write(KEY, LIST.sign))
    body = json.dumps(file["list"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    openssl = rsa.RSAPublicNumbers(LIST.e, LIST.n).public_key()
    signature = bytes.fromhex(file["signature"])
    openssl.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        openssl.verify(signature, body + b" ", padding.PKCS1v15(), hashes.SHA256())


def test_keys_are_looked_up_by_rid_and_index_until_they_expire() -> None:
    assert TRUST.find(RID, 1, date(2030, 12, 31)) == CA
    assert TRUST.find(RID, 1, date(2031, 1, 1)) is None
    assert TRUST.find(RID, 2, date(2099, 1, 1)) is not None
    assert TRUST.find(RID, 3, NOW.date()) is None
    assert TRUST.knows(RID)
    assert not TRUST.knows(bytes(5))


def test_a_list_is_in_force_between_issue_and_expiry() -> None:
    assert TRUST.current(NOW)
    assert not TRUST.current(NOW - timedelta(days=3))
    assert not TRUST.current(NOW + timedelta(days=29))


def test_an_old_list_is_not_brought_back() -> None:
    text = TRUST.write(KEY, LIST.sign)
    assert TrustList.load(text, KEY, at=NOW, at_least=7) == TRUST
    with pytest.raises(ListOutdated, match="version 7; version 8 was used before"):
        TrustList.load(text, KEY, at_least=8)
    with pytest.raises(ListOutdated, match="in force from 2026-11-20 to 2026-12-20 only"):
        TrustList.load(text, KEY, at=NOW + timedelta(days=29))
    with pytest.raises(ListOutdated):
        Hotlist.load(HOT.write(KEY, LIST.sign), KEY, at=NOW - timedelta(days=3))


def test_a_hotlist_round_trips_and_tells_its_age() -> None:
    loaded = Hotlist.load(HOT.write(KEY, LIST.sign), KEY)
    assert loaded == HOT
    assert len(loaded) == 2
    assert (loaded.version, loaded.age(NOW)) == (7, timedelta(days=2))
    entry = loaded.find("9156130000000001234", 1)
    assert entry is not None
    assert (entry.reason, entry.since) == (HotlistReason.LOST, date(2026, 11, 20))
    assert loaded.find("9156130000000001234", 2) is None


def test_the_last_word_on_a_card_counts() -> None:
    cards = [HotCard("1", 1, reason, date(2026, 1, 1)) for reason in (HotlistReason.SUSPENDED, HotlistReason.STOLEN)]
    assert Hotlist.of(cards, ISSUE).find("1", 1) == cards[1]


def test_another_key_does_not_pass() -> None:
    text = HOT.write(RsaPublic(OTHER.n, OTHER.e), OTHER.sign)
    with pytest.raises(IntegrityError, match="hotlist is not signed by the list key"):
        Hotlist.load(text, KEY)


@pytest.mark.parametrize(
    "change", [{"version": 8}, {"cards": []}, {"expires": "2099-01-01T00:00:00+00:00"}, {"more": 1}]
)
def test_a_changed_list_does_not_pass(change: dict[str, Any]) -> None:
    file = json.loads(HOT.write(KEY, LIST.sign))
    file["list"] |= change
    with pytest.raises(IntegrityError):
        Hotlist.load(json.dumps(file).encode(), KEY)


def test_a_list_does_not_pass_for_another() -> None:
    with pytest.raises(CodecError, match="not a trust list"):
        TrustList.load(HOT.write(KEY, LIST.sign), KEY)


@pytest.mark.parametrize("signature", ["", "00", "ff" * 144, "00" * 144])
def test_a_signature_out_of_form_does_not_pass(signature: str) -> None:
    file = json.loads(HOT.write(KEY, LIST.sign))
    file["signature"] = signature
    with pytest.raises(IntegrityError):
        Hotlist.load(json.dumps(file).encode(), KEY)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"list": {}}', b'{"list": {}, "signature": "x"}', b"\xff\xfe", b"[" * 100000]
)
def test_what_is_no_signed_file(text: bytes) -> None:
    with pytest.raises(CodecError, match="not a signed hotlist"):
        Hotlist.load(text, KEY)


@pytest.mark.parametrize(
    "content",
    [{}, {"cards": [["1", 1, "eaten", "2026-01-01"]]}, {"cards": [["1", 1]]}, {"cards": [["1", 1, "lost", "now"]]}],
)
def test_signed_entries_must_still_be_readable(content: dict[str, Any]) -> None:
    with pytest.raises(CodecError, match="cannot be read"):
        Hotlist.load(write("hotlist", content, ISSUE, KEY, LIST.sign), KEY)


def test_a_trust_list_without_keys_or_with_a_bent_one() -> None:
    with pytest.raises(CodecError, match="no list of keys"):
        TrustList.load(write("trust list", {}, ISSUE, KEY, LIST.sign), KEY)
    bent = CA.to_json() | {"index": "02"}
    with pytest.raises(IntegrityError, match="checksum"):
        TrustList.load(write("trust list", {"keys": [bent]}, ISSUE, KEY, LIST.sign), KEY)


def test_times_need_a_zone_and_versions_begin_at_one() -> None:
    naive = Issue(1, datetime(2026, 1, 1), datetime(2027, 1, 1))
    for issue in (naive, Issue(0, ISSUE.issued, ISSUE.expires)):
        with pytest.raises(CodecError, match="time zone, or a version"):
            Hotlist.load(write("hotlist", {"cards": []}, issue, KEY, LIST.sign), KEY)


def test_a_key_too_short_to_sign() -> None:
    with pytest.raises(CryptoError, match="too short"):
        representative(b"", 32)


def test_ten_thousand_cards_are_looked_up_at_once() -> None:
    cards = [HotCard(f"{n:019d}", 1, HotlistReason.LOST, date(2026, 1, 1)) for n in range(10_000)]
    hotlist = Hotlist.load(Hotlist.of(cards, ISSUE).write(KEY, LIST.sign), KEY)
    assert hotlist.find(f"{9_999:019d}", 1) == cards[-1]
    assert hotlist.find(f"{10_000:019d}", 1) is None
    assert "0000000000000009999" not in repr(hotlist)
