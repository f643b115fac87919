"""Every cryptogram of the payment application against foreign issuers: pyemv, and gmssl for SM4."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gmssl import sm4 as plain_sm4
from pyemv import ac, cvn, kd, tools

from terminal.apdu import Command
from terminal.crypto import sm2
from tests.support.cards.applet_host import send
from tests.support.cards.payment_specimen import (
    AFL,
    AIP,
    CDOL2_WITH_ARPC,
    SM4_KEYS,
    PaymentSpecimen,
    lists,
    options,
    specimen,
)
from tests.support.cards.payment_till import AAC, ARQC, TC, Given, Till

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

MASTERS = (bytes(range(0x01, 0x21, 2)), bytes(range(0x21, 0x41, 2)), bytes(range(0x41, 0x61, 2)))
PAN, SEQUENCE = "6228480000000000", "01"


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return specimen()


def tdes(key: bytes, block: bytes) -> bytes:
    return tools.encrypt_tdes_ecb(key, block)


def pboc_session(key: bytes, atc: bytes) -> bytes:
    """JR/T 0025.5: the ATC and its complement under the card's key."""
    return tdes(key, bytes(6) + atc + bytes(6) + bytes(b ^ 0xFF for b in atc))


def exchange_sm4(key: bytes, data: bytes) -> bytes:
    cipher = plain_sm4.CryptSM4()
    cipher.set_key(key, plain_sm4.SM4_ENCRYPT)
    return b"".join(bytes(cipher.one_round(cipher.sk, list(data[i : i + 16]))) for i in range(0, len(data), 16))


def sm4_mac(key: bytes, data: bytes) -> bytes:
    data += b"\x80" + bytes(-(len(data) + 1) % 16)
    block = bytes(16)
    for i in range(0, len(data), 16):
        block = exchange_sm4(key, bytes(a ^ b for a, b in zip(block, data[i : i + 16], strict=True)))
    return block


def folded(block: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True))


def pboc(card: PaymentSpecimen) -> tuple[PaymentSpecimen, bytes]:
    keys = [kd.derive_icc_mk_a(master, PAN, SEQUENCE) for master in MASTERS]
    return card.with_keys(*keys, "0701010300000001"), keys[0]


@pytest.mark.parametrize("kind", [AAC, TC, ARQC])
def test_pboc(card: PaymentSpecimen, kind: int) -> None:
    own, key = pboc(card)
    till = Till(own.issued()[1])
    answer = till.run(kind)
    assert (answer.kind, answer.atc) == (kind, bytes.fromhex("0001"))
    session = pboc_session(key, answer.atc)
    assert answer.ac == ac.generate_ac(session, till.covered(answer, answer.issuer_data[3:7]), ac.PaddingType.EMV, 8)
    assert answer.issuer_data[:3].hex() == "070101"
    assert answer.issuer_data[7:] == b"\x01"


def test_pboc_response(card: PaymentSpecimen) -> None:
    own, key = pboc(card)
    till = Till(own.issued()[1])
    arqc = till.run(ARQC)
    code = b"00"
    arpc = ac.generate_arpc_1(pboc_session(key, arqc.atc), arqc.ac, code)
    assert send(till.applet, Command(0, 0x82, 0, 0, arpc + code)).sw == 0x9000
    answer = till.second(TC)
    assert answer.kind == TC
    session = pboc_session(key, answer.atc)
    assert answer.ac == ac.generate_ac(session, till.covered(answer, answer.issuer_data[3:7]), ac.PaddingType.EMV, 8)


def as_keywords(till: Till, answer: Given) -> dict[str, bytes]:
    tags = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37)
    terminal_data = {f"tag_{tag:02x}": bytes.fromhex(till.values[tag]) for tag in tags}
    return {**terminal_data, "tag_82": till.options.aip, "tag_9f36": answer.atc}


def test_version_10(card: PaymentSpecimen) -> None:
    issuer = cvn.VisaCVN10(*MASTERS, PAN, SEQUENCE)
    own = card.with_keys(issuer.icc_mk_ac, issuer.icc_mk_smi, issuer.icc_mk_smc, "06010A03000000")
    till = Till(own.issued()[1])
    arqc = till.run(ARQC)
    assert arqc.ac == issuer.generate_ac(**as_keywords(till, arqc), cvr=arqc.issuer_data[3:7])
    arpc = issuer.generate_arpc(arqc.ac, b"00")
    assert send(till.applet, Command(0, 0x82, 0, 0, arpc + b"00")).sw.ok
    answer = till.second(TC)
    assert answer.ac == issuer.generate_ac(**as_keywords(till, answer), cvr=answer.issuer_data[3:7])


@pytest.mark.parametrize(
    ("version", "scheme"),
    [
        ("06011203000000", cvn.VisaCVN18),
        ("1F2201" + "00" * 29, cvn.VisaCVN22),
    ],
)
def test_versions_18_and_22(card: PaymentSpecimen, version: str, scheme: Callable[..., cvn.VisaCVN18]) -> None:
    issuer = scheme(*MASTERS, PAN, SEQUENCE)
    own = card.with_keys(issuer.icc_mk_ac, issuer.icc_mk_smi, issuer.icc_mk_smc, version)
    for csu, kind in ((bytes.fromhex("00800000"), TC), (bytes(4), AAC)):
        till = Till(own.issued()[1])
        arqc = till.run(ARQC)
        assert arqc.ac == issuer.generate_ac(**as_keywords(till, arqc), tag_9f10=arqc.issuer_data)
        arpc = issuer.generate_arpc(arqc.ac, arqc.atc, csu)
        assert send(till.applet, Command(0, 0x82, 0, 0, arpc + csu)).sw.ok
        answer = till.second(TC)
        assert answer.kind == kind, "the issuer's status update approves or does not"
        assert answer.ac == issuer.generate_ac(**as_keywords(till, answer), tag_9f10=answer.issuer_data)


@pytest.mark.parametrize(("option", "fold"), [(None, folded), ("010004", folded), ("010104", lambda block: block[:8])])
def test_sm4(card: PaymentSpecimen, option: str | None, fold: Callable[[bytes], bytes]) -> None:
    own = card.having(0x9201, bytes.fromhex(option)) if option else card
    till = Till(own.issued()[1], tDF69="01")
    arqc = till.run(ARQC)
    assert arqc.issuer_data[7] == 4, "the algorithm that the issuer must use"
    counted = bytes(6) + arqc.atc + bytes(6) + bytes(b ^ 0xFF for b in arqc.atc)
    session = exchange_sm4(SM4_KEYS[:16], counted)
    assert arqc.ac == fold(sm4_mac(session, till.covered(arqc, arqc.issuer_data[3:7])))
    mixed = bytes(a ^ b for a, b in zip(arqc.ac, b"00" + bytes(6), strict=True))
    arpc = fold(exchange_sm4(session, mixed + bytes(8)))
    assert send(till.applet, Command(0, 0x82, 0, 0, arpc + b"00")).sw.ok


def test_keys_follow_what_the_card_has(card: PaymentSpecimen) -> None:
    """Without 3DES keys SM4 in any case; without SM4 keys 3DES, also beside SM2."""
    for own, values, algorithm in (
        (card.without(0x8000, 0x9000), {}, 4),
        (card.without(0x8020, 0x9020), {"tDF69": "01"}, 1),
        (card, {}, 1),
    ):
        assert Till(own.issued()[1], **values).run(ARQC).issuer_data[7] == algorithm


@pytest.mark.parametrize("method", [None, "91"])
def test_a_wrong_response(card: PaymentSpecimen, method: str | None) -> None:
    """By command, or in CDOL2."""
    own, _ = pboc(card.having(0x0101, lists(cdol2=CDOL2_WITH_ARPC)))
    till = Till(own.issued()[1])
    till.run(ARQC)
    if method is None:
        assert send(till.applet, "008200000A" + "11" * 8 + "3030").sw == 0x6300
        answer = till.second(TC)
    else:
        answer = till.second(TC, t91="11" * 8 + "3030")
    assert answer.cvr == "03681000", "failed, and this issuer lets it pass"
    own = own.having(0x0E01, bytes.fromhex("9F52024000"))
    till = Till(own.issued()[1])
    till.run(ARQC)
    send(till.applet, "008200000A" + "11" * 8 + "3030")
    answer = till.second(TC)
    assert (answer.cid, answer.cvr) == (0x03, "03281000"), "and this one does not; the CID says why"


@pytest.mark.parametrize(
    ("version", "length"), [("0701010300000001", 8), ("0701010300000001", 16), ("06011203000000", 11)]
)
def test_a_response_of_another_length(card: PaymentSpecimen, version: str, length: int) -> None:
    till = Till(card.having(0x9200, bytes.fromhex(version)).issued()[1])
    till.run(ARQC)
    assert send(till.applet, Command(0, 0x82, 0, 0, bytes(length))).sw == 0x6300


def test_a_response_in_cdol2(card: PaymentSpecimen) -> None:
    own, key = pboc(card.having(0x0101, lists(cdol2=CDOL2_WITH_ARPC)).having(0x9104, options(b"\x79\x00")))
    till = Till(own.issued()[1])
    arqc = till.run(ARQC)
    assert send(till.applet, "008200000A" + "11" * 10).sw == 0x6985, "the profile says it is not by command"
    arpc = ac.generate_arpc_1(pboc_session(key, arqc.atc), arqc.ac, b"00")
    answer = till.second(TC, t91=(arpc + b"00").hex())
    assert (answer.kind, answer.cvr) == (TC, "03601000")
    assert till.applet.state.last_online_atc == 1


@pytest.mark.parametrize("second", [False, True])
def test_combined_signature_with_rsa(card: PaymentSpecimen, second: bool) -> None:
    """EMV 4.4 Book 2, 6.6.2, by Python's own pow; the cryptogram stands inside alone."""
    own, key = pboc(specimen(1152))
    till = Till(own.issued()[1])
    till.begin()
    if second:
        till.first(ARQC)
        answer = till.second(TC | 0x10)
    else:
        answer = till.first(ARQC | 0x10)
    assert not answer.ac
    plain = pow(int.from_bytes(answer.signature, "big"), 3, own.public.n).to_bytes(144, "big")
    assert plain[:5].hex() == "6a05012608"
    assert plain[13] == answer.cid
    inside = plain[14:22]
    session = pboc_session(key, answer.atc)
    assert inside == ac.generate_ac(session, till.covered(answer, answer.issuer_data[3:7]), ac.PaddingType.EMV, 8)
    assert plain[22:42] == till.data_hash(answer, chinese=False)


def test_combined_signature_with_sm2(card: PaymentSpecimen) -> None:
    till = Till(card.issued()[1], tDF69="01")
    till.begin()
    answer = till.first(TC | 0x10)
    signed, signature = answer.signature[:-64], answer.signature[-64:]
    assert signed[:3].hex() == "153208"
    assert signed[11] == answer.cid
    assert signed[20:] == till.data_hash(answer, chinese=True)
    assert sm2.verify(card.sm2_public, signed + bytes.fromhex(till.values[0x9F37]), signature)


def test_a_decline_is_not_signed_and_no_promise_means_no_signature(card: PaymentSpecimen) -> None:
    till = Till(card.issued()[1])
    till.begin()
    assert not till.first(AAC | 0x10).signature
    till = Till(card.having(0x9104, b"\x80\x0a" + b"\x7c\x00" + AFL).issued()[1])
    till.begin()
    answer = till.first(TC | 0x10)
    assert answer.raw[:2] == b"\x80\x13"
    till = Till(card.having(0x9104, b"\x80\x0a" + AIP + AFL).issued()[1])
    till.begin()
    assert till.first(TC | 0x10).raw[:1] == b"\x77", "a signed answer is always in format 2"


def test_an_unknown_version_is_no_card(card: PaymentSpecimen) -> None:
    with pytest.raises(Exception, match="6985"):
        card.having(0x9200, bytes.fromhex("0701990300000001")).issued()
    _, applet = card.having(0x9200, bytes.fromhex("0701990300000001")).having(0x9201, bytes.fromhex("010004")).issued()
    assert Till(applet).run(ARQC).issuer_data[2] == 0x99
