"""Offline data authentication in a transaction, with RSA and with SM2. EMV 4.4 Book 3, 10.3; Book 2, 5 and 6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from terminal.emv.authentication.authentication import (
    Authentication,
    Method,
    authenticate,
    choose_method,
    combined_missing,
    verify_combined,
)
from terminal.emv.authentication.cakeys import CaStore, ca_store
from terminal.emv.authentication.chains import OdaAlgorithm
from terminal.emv.authentication.rsa import OdaFailed
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.data.records import Record
from terminal.emv.selection.application import CardRecords
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.state import TransactionState
from terminal.tlv import Tlv, Tlvs, tlv
from tests.support.cards import rsa_signer as make
from tests.support.cards.kernel_state import DEBIT, Turn, card_with, new_state, stops, texts
from tests.support.cards.kernel_state import tlv as hex_tlv
from tests.support.cards.payment_issuer import CARD, PAN, PIN, Issue, RsaIssue, SmIssue, rsa_store, sm_store

TODAY = date(2026, 11, 22)
UNPREDICTABLE = "A1B2C3D4"
AIPS = {Method.SDA: "4000", Method.DDA: "2000", Method.CDA: "0100"}
FAILED = {Method.SDA: TVR.SDA_FAILED, Method.DDA: TVR.DDA_FAILED, Method.CDA: TVR.CDA_FAILED}
RECORD = bytes.fromhex(hex_tlv("70", hex_tlv("5F24", "301231")))
STATIC = RECORD[2:]
NUMBER = bytes.fromhex("080102030405060708")
SIDES = pytest.mark.parametrize("side", [RsaIssue, SmIssue])


def state_of(issue: Issue, method: Method, **more: bytes | None) -> TransactionState:
    """The state after reading; ``more`` sets (or, with None, removes) elements by their hex tag after a T."""
    state = new_state()
    state.aid = bytes.fromhex(DEBIT)
    state.card = {0x5A: bytes.fromhex(PAN + "F"), 0x82: bytes.fromhex(AIPS[method]), **issue.elements()}
    for name, value in more.items():
        tag = int(name.removeprefix("T"), 16)
        state.card.pop(tag, None)
        if value is not None:
            state.card[tag] = value
    return state


def records(unfit: str | None = None) -> CardRecords:
    return CardRecords((Record.decode(1, 1, True, RECORD),), unfit)


def store(issue: Issue) -> CaStore:
    return rsa_store() if isinstance(issue, RsaIssue) else sm_store()


def run(
    state: TransactionState, issue: Issue, *turns: Turn, keys: CaStore | None = None, unfit: str | None = None
) -> Authentication:
    with card_with(*turns) as sender:
        return authenticate(
            state, sender, records(unfit), keys or store(issue), TODAY, default_ddol=bytes.fromhex("9F3704")
        )


def challenge(data: str, answer: str) -> Turn:
    return f"00880000{len(data) // 2:02X}{data}00", answer


def signed(issue: Issue, data: str = UNPREDICTABLE, dynamic: bytes = NUMBER) -> str:
    return hex_tlv("77", hex_tlv("9F4B", issue.sign(dynamic, bytes.fromhex(data)).hex())) + "9000"


@pytest.mark.parametrize(
    ("aip", "capabilities", "method"),
    [
        ("6100", "E0F8C8", Method.CDA),
        ("6100", "E0F8C0", Method.DDA),
        ("6000", "E0F8C8", Method.DDA),
        ("6100", "E0F880", Method.SDA),
        ("4000", "E0F8C8", Method.SDA),
        ("2100", "E0F880", None),
        ("0000", "E0F8C8", None),
        ("6100", "E0F800", None),
    ],
)
def test_the_order_is_cda_dda_sda(aip: str, capabilities: str, method: Method | None) -> None:
    assert choose_method(new_state({0x9F33: capabilities}, {0x82: aip})) is method


def test_nothing_in_common_is_no_authentication() -> None:
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.SDA, T82=b"\x00\x00")
    result = run(state, issue)
    assert (result.method, result.passed, result.request_cda) == (None, None, False)
    assert (state.tvr, state.tsi) == (TVR.ODA_NOT_PERFORMED, TSI(0))


@SIDES
def test_sda(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    state = state_of(issue, Method.SDA)
    result = run(state, issue)
    assert (result.method, result.passed, result.chain.algorithm) == (Method.SDA, True, issue.algorithm)
    assert (state.tvr, state.tsi) == (TVR.SDA_SELECTED, TSI.ODA_PERFORMED)
    assert state.card[0x9F45] == b"\xda\xc0"
    assert f"SDA with {issue.algorithm} is chosen" in texts(state)


@SIDES
def test_dda_with_the_default_ddol(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    state = state_of(issue, Method.DDA)
    result = run(state, issue, challenge(UNPREDICTABLE, signed(issue)))
    assert (result.passed, state.tvr, state.tsi) == (True, TVR(0), TSI.ODA_PERFORMED)
    assert state.card[0x9F4C] == NUMBER[1:]


@SIDES
def test_dda_with_the_cards_ddol_and_format_80(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    state = state_of(issue, Method.DDA, T9F49=bytes.fromhex("9F37049F1A02"))
    data = UNPREDICTABLE + "0156"
    answer = hex_tlv("80", issue.sign(NUMBER, bytes.fromhex(data)).hex()) + "9000"
    assert run(state, issue, challenge(data, answer)).passed is True


@SIDES
def test_the_aip_is_part_of_the_static_data_where_9f4a_says_so(side: Callable[..., Issue]) -> None:
    issue = side(STATIC + bytes.fromhex("4000"))
    assert run(state_of(issue, Method.SDA, T9F4A=b"\x82"), issue).passed is True
    for tags in (b"\x82\x5a", b"\x5a", b""):
        state = state_of(issue, Method.SDA, T9F4A=tags)
        assert run(state, issue).passed is False
        assert "static data authentication tag list failed" in texts(state)


@SIDES
@pytest.mark.parametrize("method", list(Method))
def test_static_data_that_were_changed(side: Callable[..., Issue], method: Method) -> None:
    issue = side(STATIC + b"!")
    state = state_of(issue, method)
    assert run(state, issue).passed is False
    assert (state.tvr & FAILED[method], state.tsi) == (FAILED[method], TSI.ODA_PERFORMED)
    assert not state.tvr & TVR.ICC_DATA_MISSING


@SIDES
@pytest.mark.parametrize("method", list(Method))
def test_a_signed_record_without_form_fails_the_method(side: Callable[..., Issue], method: Method) -> None:
    issue = side(STATIC)
    state = state_of(issue, method)
    assert run(state, issue, unfit="SFI 11, record 1 is not one 70 template").passed is False
    assert "SFI 11, record 1 is not one 70 template" in texts(state)


@pytest.mark.parametrize(
    ("side", "method", "tag"),
    [
        *((RsaIssue, Method.SDA, tag) for tag in ("8F", "90", "92", "9F32", "93")),
        *((RsaIssue, Method.CDA, tag) for tag in ("8F", "90", "92", "9F32", "9F46", "9F47", "9F48")),
        *((SmIssue, Method.SDA, tag) for tag in ("8F", "93")),
        *((SmIssue, Method.DDA, tag) for tag in ("8F", "9F46")),
    ],
)
def test_missing_data_set_a_bit_of_their_own(side: Callable[..., Issue], method: Method, tag: str) -> None:
    issue = side(STATIC)
    state = state_of(issue, method, **{f"T{tag}": None})
    result = run(state, issue)
    assert (result.passed, result.request_cda) == (False, False)
    assert state.tvr & ~TVR.SDA_SELECTED == FAILED[method] | TVR.ICC_DATA_MISSING


@pytest.mark.parametrize("method", list(Method))
def test_a_key_that_the_terminal_does_not_have(method: Method) -> None:
    for issue in (RsaIssue(STATIC), SmIssue(STATIC)):
        state = state_of(issue, method)
        assert run(state, issue, keys=ca_store([])).passed is False
        assert "scheme CA key failed (A000000333/57 is not known)" in texts(state)
        assert not state.tvr & TVR.ICC_DATA_MISSING


def test_an_index_of_two_bytes_names_no_key() -> None:
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.SDA, T8F=b"\x57\x57")
    assert run(state, issue).passed is False
    assert "its index is not one byte" in texts(state)


@pytest.mark.parametrize(("issue", "keys"), [(RsaIssue(STATIC), rsa_store), (SmIssue(STATIC), sm_store)])
def test_a_revoked_issuer_certificate(issue: Issue, keys: Callable[..., CaStore]) -> None:
    state = state_of(issue, Method.SDA)
    assert run(state, issue, keys=keys(revoked=True)).passed is False
    assert "revocation list failed (serial number 0000A1)" in texts(state)


@SIDES
@pytest.mark.parametrize(
    ("part", "head", "says"),
    [
        ("issuer_head", "{f}622202FF10260000A1", "issuer certificate: expiry failed (valid through 10/2026)"),
        (
            "issuer_head",
            "{f}622203FF12300000A1",
            "issuer certificate: issuer identifier against the card number failed",
        ),
        ("issuer_head", "{f}622202FF13300000A1", "issuer certificate: expiry failed (no month)"),
        ("icc_head", "{f}" + PAN + "F1026000002", "card certificate: expiry failed (valid through 10/2026)"),
        ("icc_head", "{f}" + PAN[:-1] + "3F1230000002", "card certificate: card number failed"),
    ],
)
def test_certificates_of_others_or_of_the_past(side: Callable[..., Issue], part: str, head: str, says: str) -> None:
    plain = side(STATIC)
    form = getattr(plain, part)[:2]
    issue = replace(plain, **{part: head.format(f=form)})
    state = state_of(issue, Method.CDA)
    assert run(state, issue).passed is False
    assert says in texts(state)


@pytest.mark.parametrize(
    ("tail", "genuine"),
    [("04001140", True), ("04FF1140", True), ("05001140", False), ("04001240", False), ("04001141", False)],
)
def test_sm2_certificates_name_their_algorithm(tail: str, genuine: bool) -> None:
    issue = SmIssue(STATIC, tail=tail)
    state = state_of(issue, Method.CDA)
    assert run(state, issue).passed is (None if genuine else False)
    assert ("public key algorithm failed" in texts(state)) is not genuine


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        ("93", b"", "static signature: format byte failed"),
        ("93", b"\x14" + bytes(66), "static signature: format byte failed"),
        ("93", b"\x13" + bytes(65), "static signature: length of the signature failed (66 bytes)"),
        ("93", b"\x13" + bytes(67), "static signature: length of the signature failed (68 bytes)"),
        ("93", b"\x13" + bytes(66), "static signature: signature failed"),
    ],
)
def test_sm2_objects_out_of_form(tag: str, value: bytes, says: str) -> None:
    issue = SmIssue(STATIC)
    state = state_of(issue, Method.SDA, **{f"T{tag}": value})
    assert run(state, issue).passed is False
    assert says in texts(state)


def test_an_sm2_card_at_a_terminal_that_did_not_say_it_can() -> None:
    """DF69 is what the card was sent; an SM2 certificate then is a bad RSA certificate."""
    issue = SmIssue(STATIC)
    state = state_of(issue, Method.SDA)
    state.terminal[0xDF69] = b"\x00"
    result = run(state, issue)
    assert (result.chain.algorithm, result.passed) == (OdaAlgorithm.RSA, False)
    assert run(state_of(RsaIssue(STATIC), Method.SDA), RsaIssue(STATIC)).chain.algorithm is OdaAlgorithm.RSA


@pytest.mark.parametrize(
    ("ddol", "says"),
    [
        (b"\x9f\x1a\x02", "DDOL with 9F37"),
        (b"\x9f", "DDOL with 9F37"),
        (bytes.fromhex("9F3704") + bytes.fromhex("9F02FF"), "the DDOL asks for 259 bytes"),
    ],
)
def test_a_ddol_that_is_of_no_use(ddol: bytes, says: str) -> None:
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.DDA, T9F49=ddol)
    assert run(state, issue).passed is False
    assert says in texts(state)
    assert state.tvr == TVR.DDA_FAILED


def test_no_ddol_at_all_fails_the_method() -> None:
    """Neither the card's nor the terminal's: not among the data whose lack has a bit of its own (Book 3, table 35)."""
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.DDA)
    with card_with() as sender:
        result = authenticate(state, sender, records(), rsa_store(), TODAY, default_ddol=None)
    assert (result.passed, state.tvr) == (False, TVR.DDA_FAILED)


@SIDES
def test_a_dynamic_signature_of_another_time_or_form(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    for answer in (
        signed(issue, "00000000"),
        signed(issue, dynamic=b"\x09" + bytes(9)),
        signed(issue, dynamic=b""),
        hex_tlv("77", hex_tlv("9F4B", "00")) + "9000",
        hex_tlv("80") + "9000",
    ):
        state = state_of(issue, Method.DDA)
        assert run(state, issue, challenge(UNPREDICTABLE, answer)).passed is False
        assert (state.tvr, state.tsi) == (TVR.DDA_FAILED, TSI.ODA_PERFORMED)


def test_an_answer_without_a_signature_ends_the_transaction() -> None:
    """A mandatory element missing in format 2. EMV 4.4 Book 3, 6.5.9.4."""
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.DDA)
    with stops(state, Result.TERMINATED, "9F4B"):
        run(state, issue, challenge(UNPREDICTABLE, hex_tlv("77", hex_tlv("9F36", "0001")) + "9000"))


@pytest.mark.parametrize("answer", ["6985", "6283", "9000", "9F4B01009000", "77029F4B9000", "770077009000"])
def test_an_answer_to_internal_authenticate_out_of_form_ends_the_transaction(answer: str) -> None:
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.DDA)
    with stops(state, Result.TERMINATED, "authenticating the card"):
        run(state, issue, challenge(UNPREDICTABLE, answer))


def combined(
    issue: Issue, cid: int = 0x80, sent: bytes = b"pdol+cdol1", bend: Callable[[bytes], bytes] = bytes
) -> Tlvs:
    """A GENERATE AC answer with its CDA signature, made as the card makes it."""
    plain: list[Tlv] = [tlv(0x9F27, bytes((0x80,))), tlv(0x9F36, b"\x00\x07"), tlv(0x9F10, b"issuer")]
    digest = issue.hash(sent + b"".join(item.encode() for item in plain))
    dynamic = bend(NUMBER + bytes((cid,)) + b"\xac" * 8 + digest)
    signature = tlv(0x9F4B, issue.sign(dynamic, bytes.fromhex(UNPREDICTABLE)))
    return Tlvs([*plain[:2], signature, plain[2]])


@SIDES
def test_cda(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    state = state_of(issue, Method.CDA)
    result = run(state, issue)
    assert (result.passed, result.request_cda, state.tvr, state.tsi) == (None, True, TVR(0), TSI(0))
    data = verify_combined(state, result, combined(issue), [b"pdol", b"+cdol1"])
    assert data is not None
    assert (data.cid, data.cryptogram, data.number) == (0x80, b"\xac" * 8, NUMBER[1:])
    assert (state.tvr, state.tsi, state.card[0x9F4C]) == (TVR(0), TSI.ODA_PERFORMED, NUMBER[1:])


@SIDES
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cid": 0x40}, "cryptogram information data failed"),
        ({"sent": b"other"}, "transaction data hash failed"),
        ({"bend": lambda d: d[:-1]}, "dynamic data failed"),
        ({"bend": lambda d: d[:9]}, "dynamic data failed"),
        ({"bend": lambda d: d[:-1] + bytes((d[-1] ^ 1,))}, "transaction data hash failed"),
    ],
)
def test_a_cda_signature_that_is_not_right(side: Callable[..., Issue], change: dict[str, object], says: str) -> None:
    issue = side(STATIC)
    state = state_of(issue, Method.CDA)
    answer = combined(issue, **change)  # type: ignore[arg-type]
    assert verify_combined(state, run(state, issue), answer, [b"pdol+cdol1"]) is None
    assert (state.tvr, state.tsi) == (TVR.CDA_FAILED, TSI.ODA_PERFORMED)
    assert says in texts(state)


@SIDES
def test_a_cda_answer_that_was_changed_on_its_way(side: Callable[..., Issue]) -> None:
    issue = side(STATIC)
    genuine = list(combined(issue))
    for bent in (
        [tlv(0x9F27, b"\x40"), *genuine[1:]],
        [genuine[0], tlv(0x9F36, b"\x00\x08"), *genuine[2:]],
        [genuine[1], genuine[0], *genuine[2:]],
        [*genuine, tlv(0xDF01, b"")],
    ):
        state = state_of(issue, Method.CDA)
        assert verify_combined(state, run(state, issue), Tlvs(bent), [b"pdol+cdol1"]) is None
        assert state.tvr == TVR.CDA_FAILED


def test_cda_data_that_are_missing() -> None:
    issue = RsaIssue(STATIC)
    for gone in (0x9F4B, 0x9F27):
        state = state_of(issue, Method.CDA)
        answer = Tlvs([item for item in combined(issue) if item.tag != gone])
        assert verify_combined(state, run(state, issue), answer, [b"pdol+cdol1"]) is None
        assert state.tvr == TVR.CDA_FAILED
    state = state_of(issue, Method.CDA)
    combined_missing(state, "format 80")
    assert (state.tvr, state.tsi) == (TVR.CDA_FAILED, TSI.ODA_PERFORMED)


def test_the_key_for_a_pin() -> None:
    issue = RsaIssue(STATIC)
    state = state_of(issue, Method.SDA)
    assert run(state, issue).chain.pin_key().n == CARD.n
    state.card |= issue.pin_elements()
    assert run(state, issue).chain.pin_key().n == PIN.n
    half = state.card.pop(0x9F2E)  # A key that is not all there is none. EMV 4.4 Book 2, 7.1, step 2.
    assert run(state, issue).chain.pin_key().n == CARD.n
    state.card[0x9F2E] = half
    state.card[0x9F2D] = make.key("other", 1152).sign(bytes(144))
    with pytest.raises(OdaFailed, match="card certificate"):
        run(state, issue).chain.pin_key()
    sm = SmIssue(STATIC)
    with pytest.raises(OdaFailed, match="a PIN is not enciphered with SM2"):
        run(state_of(sm, Method.SDA), sm).chain.pin_key()
