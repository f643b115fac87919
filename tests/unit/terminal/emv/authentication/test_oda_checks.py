"""Every step of offline data authentication, provoked one by one. EMV 4.4 Book 2, 5.3, 5.4, 6.4, 6.5.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication import rsa as oda
from terminal.emv.authentication.rsa import Check, OdaFailed, Signed
from tests.support.cards import rsa_signer as make
from tests.support.cards.rsa_signer import Certified, Key

CA, ISSUER, CARD = make.key("ca", 1152), make.key("issuer", 1152), make.key("card", 1024)
PAN = "915613000000000123"
ISSUER_HEAD = "02" + "91561300" + "1230" + "000001"
ICC_HEAD = "04" + PAN + "FF" + "1230" + "000002"
STATIC = b"static data to be authenticated"


def public(key: Key) -> RsaPublic:
    return RsaPublic(key.n, key.e)


def issuer_key(given: Certified, *, pan: str = PAN, at: date | None = None, ca: Key = CA) -> oda.PublicKey:
    return oda.issuer_key(
        public(ca), given.certificate, remainder=given.remainder, exponent=given.exponent, pan=pan, at=at
    )


def icc_key(given: Certified, *, static: bytes = STATIC, pan: str = PAN, at: date | None = None) -> oda.PublicKey:
    return oda.icc_key(
        public(ISSUER),
        given.certificate,
        remainder=given.remainder,
        exponent=given.exponent,
        pan=pan,
        static=static,
        at=at,
    )


def setting(at: int, value: int) -> Callable[[bytes], bytes]:
    return lambda block: block[:at] + bytes((value,)) + block[at:][1:]


def flipping(at: int) -> Callable[[bytes], bytes]:
    return lambda block: setting(len(block) + at, block[at] ^ 1)(block)


def failed(call: Callable[[], object]) -> tuple[Signed, Check]:
    with pytest.raises(OdaFailed) as caught:
        call()
    assert str(caught.value).startswith(f"{caught.value.kind.label}: {caught.value.check} failed")
    return caught.value.kind, caught.value.check


def test_a_whole_chain() -> None:
    issuer = issuer_key(make.certificate(CA, ISSUER, ISSUER_HEAD), at=date(2030, 12, 31))
    assert (issuer.key, issuer.subject, issuer.serial) == (public(ISSUER), "91561300", b"\x00\x00\x01")
    card = icc_key(make.certificate(ISSUER, CARD, ICC_HEAD, static=STATIC), at=date(2030, 12, 31))
    assert (card.key, card.subject, card.expires) == (public(CARD), PAN, date(2030, 12, 31))
    assert oda.static_signature(issuer.key, make.static_signature(ISSUER, STATIC), static=STATIC) == b"\xda\xc0"
    signed = make.dynamic_signature(CARD, b"\x02\x11\x22rest", b"\x01\x02\x03\x04")
    assert oda.dynamic_signature(card.key, signed, terminal_data=b"\x01\x02\x03\x04").rest == b"rest"


def test_a_key_shorter_than_its_certificate_has_no_remainder() -> None:
    wide = make.key("wide ca", 1536)
    given = make.certificate(wide, CARD, ISSUER_HEAD)
    assert given.remainder == b""
    assert issuer_key(given, ca=wide).key == public(CARD)


@pytest.mark.parametrize(
    ("seal", "check"),
    [
        (setting(0, 0x6B), Check.HEADER),
        (flipping(-1), Check.TRAILER),
        (setting(1, 0x04), Check.FORMAT),
        (setting(1, 0x12), Check.FORMAT),
        (setting(11, 0x02), Check.HASH_ALGORITHM),
        (setting(12, 0x02), Check.HASH),
        (flipping(-40), Check.HASH),
        (flipping(-2), Check.HASH),
    ],
)
def test_issuer_certificate_changed_under_the_signature(seal: Callable[[bytes], bytes], check: Check) -> None:
    given = make.certificate(CA, ISSUER, ISSUER_HEAD, seal=seal)
    assert failed(lambda: issuer_key(given)) == (Signed.ISSUER, check)


@pytest.mark.parametrize(
    ("bend", "check"),
    [
        (setting(11, 0x02), Check.KEY_ALGORITHM),
        (setting(12, 143), Check.REMAINDER),
        (setting(5, 0x13), Check.EXPIRY),
        (setting(5, 0x1A), Check.EXPIRY),
    ],
)
def test_issuer_certificate_signed_with_a_wrong_field(bend: Callable[[bytes], bytes], check: Check) -> None:
    given = make.certificate(CA, ISSUER, ISSUER_HEAD, bend=bend)
    assert failed(lambda: issuer_key(given)) == (Signed.ISSUER, check)


@pytest.mark.parametrize("announced", [0x00, 0x02, 0x03, 0xFF])
def test_the_length_of_the_exponent_is_not_compared(announced: int) -> None:
    """EMV 4.4 Book 2, 6.3 and 6.4 have no such step."""
    issuer = make.certificate(CA, ISSUER, ISSUER_HEAD, bend=setting(13, announced))
    assert issuer_key(issuer).key == public(ISSUER)
    card = make.certificate(ISSUER, CARD, ICC_HEAD, static=STATIC, bend=setting(19, announced))
    assert icc_key(card).key == public(CARD)


def test_wrong_ca_key() -> None:
    given = make.certificate(make.key("other ca", 1152), ISSUER, ISSUER_HEAD)
    what, check = failed(lambda: issuer_key(given))
    assert what is Signed.ISSUER
    assert check in (Check.TRAILER, Check.RECOVERY, Check.HEADER)


def test_certificate_of_another_length() -> None:
    given = make.certificate(make.key("wide ca", 1536), ISSUER, ISSUER_HEAD)
    assert failed(lambda: issuer_key(given)) == (Signed.ISSUER, Check.LENGTH)


def test_a_certificate_beyond_the_modulus_is_not_recovered() -> None:
    assert failed(lambda: oda.recover(public(CA), Signed.ISSUER, b"\xff" * CA.size)) == (Signed.ISSUER, Check.RECOVERY)


@pytest.mark.parametrize("identifier", ["91561301", "FFFFFFFF", "91FFFFFF", "4761FFFF"])
def test_issuer_identifier_must_begin_the_card_number(identifier: str) -> None:
    given = make.certificate(CA, ISSUER, "02" + identifier + "1230000001")
    assert failed(lambda: issuer_key(given)) == (Signed.ISSUER, Check.ISSUER)


def test_a_short_issuer_identifier_is_enough() -> None:
    assert issuer_key(make.certificate(CA, ISSUER, "02" + "915FFFFF" + "1230000001")).subject == "915"


def test_expiry_is_judged_only_on_a_given_day() -> None:
    given = make.certificate(CA, ISSUER, "02" + "91561300" + "0226" + "000001")
    key = issuer_key(given)
    assert key.expires == date(2026, 2, 28)
    assert oda.expired(key, Signed.ISSUER, date(2026, 2, 28)) is None
    assert str(oda.expired(key, Signed.ISSUER, date(2026, 3, 1))) == (
        "issuer certificate: expiry failed (valid through 02/2026)"
    )
    assert issuer_key(given, at=date(2026, 2, 28)).expires == key.expires
    assert failed(lambda: issuer_key(given, at=date(2026, 3, 1))) == (Signed.ISSUER, Check.EXPIRY)


def test_years_from_50_are_of_the_last_century() -> None:
    assert issuer_key(make.certificate(CA, ISSUER, "02" + "91561300" + "0199" + "000001")).expires == date(1999, 1, 31)


def test_remainder_or_exponent_changed() -> None:
    given = make.certificate(CA, ISSUER, ISSUER_HEAD)
    for bent in (
        Certified(given.certificate, given.remainder[:-1], given.exponent),
        Certified(given.certificate, given.remainder[:-1] + b"\x00", given.exponent),
        Certified(given.certificate, given.remainder, b"\x01\x00\x01"),
    ):
        assert failed(lambda bent=bent: issuer_key(bent)) == (Signed.ISSUER, Check.HASH)  # type: ignore[misc]


def test_an_exponent_that_emv_does_not_know() -> None:
    given = make.certificate(CA, replace(ISSUER, e=17), ISSUER_HEAD)
    assert failed(lambda: issuer_key(given)) == (Signed.ISSUER, Check.EXPONENT)


def test_card_certificate_of_another_card_number() -> None:
    given = make.certificate(ISSUER, CARD, ICC_HEAD, static=STATIC)
    assert failed(lambda: icc_key(given, pan="915613000000000124")) == (Signed.ICC, Check.CARD_NUMBER)


def test_card_certificate_over_other_static_data() -> None:
    given = make.certificate(ISSUER, CARD, ICC_HEAD, static=STATIC)
    assert failed(lambda: icc_key(given, static=STATIC + b"!")) == (Signed.ICC, Check.HASH)


def test_card_certificate_expired() -> None:
    given = make.certificate(ISSUER, CARD, ICC_HEAD, static=STATIC)
    assert failed(lambda: icc_key(given, at=date(2031, 1, 1))) == (Signed.ICC, Check.EXPIRY)


def test_an_issuer_certificate_is_no_card_certificate() -> None:
    given = make.certificate(ISSUER, CARD, ISSUER_HEAD)
    assert failed(lambda: icc_key(given)) == (Signed.ICC, Check.FORMAT)


def test_static_signature_over_other_data() -> None:
    signature = make.static_signature(ISSUER, STATIC)
    assert failed(lambda: oda.static_signature(public(ISSUER), signature, static=b"")) == (Signed.STATIC, Check.HASH)


@pytest.mark.parametrize(
    ("dynamic", "length", "form", "check"),
    [
        (b"", None, 5, Check.DYNAMIC_DATA),
        (b"\x01\xaa", None, 5, Check.DYNAMIC_DATA),
        (b"\x09" + bytes(9), None, 5, Check.DYNAMIC_DATA),
        (b"\x08" + bytes(7), None, 5, Check.DYNAMIC_DATA),
        (b"\x02\xaa\xbb", 0xF0, 5, Check.DYNAMIC_DATA),
        (b"\x02\xaa\xbb", None, 3, Check.FORMAT),
    ],
)
def test_dynamic_data_out_of_form(dynamic: bytes, length: int | None, form: int, check: Check) -> None:
    signature = make.dynamic_signature(CARD, dynamic, b"un", form=form, length=length)
    assert failed(lambda: oda.dynamic_signature(public(CARD), signature, terminal_data=b"un")) == (
        Signed.DYNAMIC,
        check,
    )


def test_a_replayed_dynamic_signature() -> None:
    signature = make.dynamic_signature(CARD, b"\x02\xaa\xbb", b"\x01\x02\x03\x04")
    assert failed(lambda: oda.dynamic_signature(public(CARD), signature, terminal_data=b"\x01\x02\x03\x05")) == (
        Signed.DYNAMIC,
        Check.HASH,
    )
