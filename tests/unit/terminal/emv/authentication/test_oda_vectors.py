"""A real test card's RSA data, and the published scheme CA keys with their checksums (tests/vectors/PROVENANCE.md)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from terminal.emv.authentication import rsa as oda
from terminal.emv.authentication.authorities import CaKey, by_index
from terminal.emv.authentication.rsa import Check, OdaFailed, Signed
from terminal.errors import CodecError, IntegrityError
from tests.support.paths import ROOT

VECTORS = (ROOT / "tests") / "vectors"
CARD = json.loads((VECTORS / "rsa-oda-visa94.json").read_text())
KEYS = json.loads((VECTORS / "ca-public-keys.json").read_text())
TAGS = {tag: bytes.fromhex(value) for tag, value in CARD["tags"].items()}
PUBLISHED = by_index([CaKey.from_json(entry) for entry in KEYS["keys"]])
EXPECT = CARD["expect"]
E = b"\x03"
"""Both certificates say that their exponent has one byte, and the issuer certificate's hash is right for 03 alone; the
9F32 and 9F47 of the file (010001) do not belong to this card. See tests/vectors/PROVENANCE.md."""


@pytest.fixture(scope="module")
def authority() -> CaKey:
    return PUBLISHED[bytes.fromhex(CARD["ca"]["rid"]), int(CARD["ca"]["index"], 16)]


@pytest.fixture(scope="module")
def issuer(authority: CaKey) -> oda.PublicKey:
    return oda.issuer_key(authority.key, TAGS["90"], remainder=TAGS["92"], exponent=E, pan=CARD["tags"]["5A"])


def test_issuer_key(issuer: oda.PublicKey) -> None:
    assert f"{issuer.key.n:x}" == EXPECT["issuer_modulus"]
    assert issuer.key.e == 3
    assert issuer.expires == date(2031, 12, 31)


def test_an_exponent_of_another_card_breaks_the_hash(authority: CaKey) -> None:
    with pytest.raises(OdaFailed, match="issuer certificate: hash failed"):
        oda.issuer_key(authority.key, TAGS["90"], remainder=b"", exponent=TAGS["9F32"], pan=CARD["tags"]["5A"])


def test_static_signature_is_recovered(issuer: oda.PublicKey) -> None:
    recovered = oda.recover(issuer.key, Signed.STATIC, TAGS["93"])
    assert recovered.fields.code.hex() == EXPECT["ssad"]["data_authentication_code"]
    assert recovered.hash.hex() == EXPECT["ssad"]["hash"]
    assert set(recovered.fields.pad) == {0xBB}


def test_icc_certificate_is_recovered(issuer: oda.PublicKey) -> None:
    recovered = oda.recover(issuer.key, Signed.ICC, TAGS["9F46"])
    assert recovered.hash.hex() == EXPECT["icc_certificate_hash"]
    assert recovered.fields.subject.hex().upper() == CARD["tags"]["5A"] + "FFFF"
    # The file's 9F48 ends in E6, which would make the modulus even; the expected modulus ends in E5 and opens the SDAD.
    assert (recovered.fields.key + TAGS["9F48"][:-1]).hex() == EXPECT["icc_modulus"][:-2]
    assert recovered.fields.expiry.hex() == "1222"


def test_icc_certificate_needs_its_static_data(issuer: oda.PublicKey) -> None:
    with pytest.raises(OdaFailed) as caught:
        oda.icc_key(
            issuer.key,
            TAGS["9F46"],
            remainder=TAGS["9F48"],
            exponent=E,
            pan=CARD["tags"]["5A"],
            static=b"not what was signed",
        )
    assert (caught.value.kind, caught.value.check) == (Signed.ICC, Check.HASH)


def test_dynamic_signature() -> None:
    key = oda.RsaPublic(int(EXPECT["icc_modulus"], 16), 3)
    terminal = bytes.fromhex(CARD["dda"]["ddol_data"])
    recovered = oda.dynamic_signature(key, bytes.fromhex(CARD["dda"]["sdad"]), terminal_data=terminal)
    assert recovered.number.hex() == CARD["dda"]["icc_dynamic_number"]
    assert recovered.rest == b""
    with pytest.raises(OdaFailed, match="dynamic signature: hash failed"):
        oda.dynamic_signature(key, bytes.fromhex(CARD["dda"]["sdad"]), terminal_data=bytes(4))


def test_all_published_keys_match_their_checksums() -> None:
    assert len(PUBLISHED) == len(KEYS["keys"])
    for entry in KEYS["keys"]:
        key = PUBLISHED[bytes.fromhex(entry["rid"]), int(entry["index"], 16)]
        assert key.checksum.hex() == entry["sha1"]
        assert CaKey.from_json(key.to_json()) == key


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"modulus": KEYS["keys"][1]["modulus"]}, IntegrityError),
        ({"index": "02"}, IntegrityError),
        ({"sha1": "00" * 20}, IntegrityError),
        ({"exponent": "05"}, CodecError),
        ({"rid": "A0000000"}, CodecError),
        ({"index": "1FF"}, CodecError),
        ({"modulus": "zz"}, CodecError),
        ({"modulus": "-" + KEYS["keys"][0]["modulus"]}, CodecError),
        ({"exponent": "-3"}, CodecError),
        ({"modulus": 7}, CodecError),
        ({"sha1": None}, CodecError),
        ({"expires": "soon"}, CodecError),
    ],
)
def test_a_bent_key_is_refused(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        CaKey.from_json(KEYS["keys"][0] | change)


def test_the_same_key_twice_is_refused() -> None:
    key = CaKey.from_json(KEYS["keys"][0])
    with pytest.raises(CodecError, match="A000000003/01 occurs twice"):
        by_index([key, CaKey.from_json(KEYS["keys"][0])])
