"""GENERATE AC of the member application: answers with cryptogram and signature, every reason of an AAC, the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from terminal.apdu import Command
from tests.support.cards.applet_host import BareHost
from tests.support.cards.member_specimen import Specimen, record, specimen
from tests.support.cards.member_till import (
    AAC,
    CDA,
    PUT,
    TC,
    USUAL,
    VALIDITY,
    VERIFY,
    WRONG_PIN,
    BareCard,
    redeeming,
    request,
    script,
)

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.fixture(scope="module")
def card() -> Specimen:
    return redeeming(specimen())


def writes(host: BareHost) -> list[int]:
    """Counts the pages of each write from now on."""
    seen: list[int] = []
    host.nvm.tear = seen.append
    return seen


@pytest.mark.parametrize("bits", [1024, 1152, 1408])
def test_a_tc_with_a_combined_signature(bits: int) -> None:
    one = BareCard(redeeming(specimen(bits)))
    answer = one.till.redeem()
    assert (answer.cid, answer.atc, answer.cvr, answer.count) == (0x40, 1, "400000", "010C261101")
    assert answer.issuer_data[:3] == bytes.fromhex("070100"), "key index and version as personalized"
    assert answer.issuer_data[7] == 0
    assert len(answer.signature) == bits // 8
    assert one.till.data(0xDF28)[:16] == "01010C0102261101"
    assert one.till.data(0x9F36) == "0001"
    assert one.till.data(0xDF2F) == "261122"


@pytest.mark.parametrize(("kind", "cid", "cvr"), [(TC, 0x40, "400000"), (AAC, 0x00, "000020")])
def test_answers_without_a_signature(card: Specimen, kind: int, cid: int, cvr: str) -> None:
    answer = BareCard(card).till.redeem(kind)
    assert (answer.cid, answer.cvr) == (cid, cvr)
    assert len(answer.ac) == 8


def test_values_of_the_personalized_issuer_data(card: Specimen) -> None:
    own = card.having(0x9200, bytes.fromhex("0723000300000004"))
    assert BareCard(own).till.redeem().issuer_data[:8] == bytes.fromhex("0723000340000004")
    short = BareCard(card.having(0x9200, b"\x07\x05")).till.redeem()
    assert short.issuer_data[:8] == bytes.fromhex("0705000340000000")


def test_the_work_is_metered(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    one.host.operations.clear()
    one.till.generate()
    assert one.host.operations == {"des": 13, "sha": 3, "rsa": 1}
    one.till.begin()
    one.host.operations.clear()
    one.till.generate(TC, t9F37="00000002")
    assert one.host.operations == {"des": 13}


def test_a_tc_is_one_write_and_everything_else_none(card: Specimen) -> None:
    one = BareCard(card)
    pages = writes(one.host)
    one.till.redeem()
    assert len(pages) == 1
    assert 2 <= pages[0] <= 8
    one.till.redeem(), one.till.redeem(TC), one.till.redeem(AAC), one.till.redeem(tDF32="FF")
    assert len(pages) == 1


# -- every reason -----------------------------------------------------------------------------------------------------


def after_one(one: BareCard) -> None:
    one.till.redeem()


def wrong_pin(times: int) -> Callable[[BareCard], None]:
    def enter(one: BareCard) -> None:
        one.till.begin()
        assert [one.send(WRONG_PIN) for _ in range(times)][-1] == 0x63C0 | 3 - times

    return enter


def nothing(one: BareCard) -> None: ...


def remember(name: str, value: str) -> Callable[[BareCard], None]:
    def write(one: BareCard) -> None:
        one.host.memory[name] = bytes.fromhex(value)

    return write


@pytest.mark.parametrize(
    ("before", "values", "cvr", "count", "atc"),
    [
        (nothing, {"tDF31": "9999"}, "008000", "0000000000", 0),
        (nothing, {"tDF32": "0D"}, "004000", "000C261101", 0),
        (nothing, {"tDF32": "FF"}, "004000", "000C261101", 0),
        (after_one, {"tDF32": "0C"}, "004000", "010C261101", 1),
        (nothing, {"tDF31": "0501"}, "002000", "0003260101", 0),
        (after_one, {"t9A": "261121", "t9F37": "00000001"}, "001000", "010C261101", 1),
        (nothing, {"t9A": "261131"}, "000800", "000C261101", 0),
        (nothing, {"t9A": "000000"}, "000800", "000C261101", 0),
        (nothing, {"t9A": "FFFFFF"}, "000800", "000C261101", 0),
        (nothing, {"tDF32": "00"}, "000400", "000C261101", 0),
        (remember("atc", "FFFF"), {}, "000200", "000C261101", 0xFFFF),
        (remember("0102", record(VALIDITY[:-3] + bytes(3)).hex()), {}, "000100", "000C261101", 0),
        (nothing, {"t9A": "261031"}, "000040", "000C261101", 0),
        (nothing, {"t9A": "991231"}, "000040", "000C261101", 0),
        (remember("blocked", "01"), {}, "040000", "000C261101", 0),
        (after_one, {"t9A": "261031", "tDF32": "0C"}, "005040", "010C261101", 1),
        (remember("blocked", "01"), {"t9A": "260230", "tDF31": "0000", "tDF32": "00"}, "048C00", "0000000000", 0),
        # In a new period the old count is no obstacle, and a refused redemption does not begin one.
        (nothing, {"t9A": "261201", "tDF32": "0D"}, "004000", "000C261101", 0),
        (after_one, {"t9A": "261201", "tDF32": "0D"}, "004000", "010C261101", 1),
    ],
)
def test_a_reason_of_an_aac(
    card: Specimen, before: Callable[[BareCard], None], values: dict[str, str], cvr: str, count: str, atc: int
) -> None:
    one = BareCard(card)
    before(one)
    state = one.host.state
    for kind in (CDA, TC):
        answer = one.till.redeem(kind, **values)
        assert (answer.cid, answer.cvr, answer.count, answer.atc) == (0x00, cvr, count, atc)
        assert not answer.signature
    declined = one.till.redeem(AAC, **values)
    assert int(declined.cvr, 16) == int(cvr, 16) | 0x20, "the terminal's refusal is one reason more"
    assert one.host.state == state, "an AAC changes nothing"


@pytest.mark.parametrize(
    ("commands", "values", "cvr"),
    [
        ([VERIFY], {}, "600000"),
        ([VERIFY], {"tDF31": "0501"}, "600000"),
        ([WRONG_PIN], {}, "500000"),
        ([WRONG_PIN] * 2, {}, "500000"),
        ([WRONG_PIN] * 3, {}, "580000"),
        ([WRONG_PIN] * 3 + [VERIFY], {}, "580000"),
        ([WRONG_PIN, VERIFY], {}, "600000"),
        ([VERIFY, WRONG_PIN], {}, "700000"),
        ([VERIFY, WRONG_PIN], {"tDF31": "0501"}, "700000"),
        ([WRONG_PIN], {"tDF31": "0501"}, "102000"),
        (["0020008008" + "00" * 8], {}, "400000"),
        ([], {"t9A": "261130"}, "400000"),
        ([], {"t9A": "261201"}, "400080"),
        ([], {"t9A": "270228"}, "400080"),
        ([], {"tDF31": "0401", "t9A": "491231"}, "400000"),
        ([], {"tDF32": "0C"}, "400000"),
    ],
)
def test_results_in_a_cvr(card: Specimen, commands: list[str], values: dict[str, str], cvr: str) -> None:
    one = BareCard(card)
    one.till.begin()
    for command in commands:
        one.send(command)
    assert one.till.verified(one.till.generate(**values)).cvr == cvr


def test_a_pin_counts_until_the_next_select(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    one.send(VERIFY)
    assert one.till.verified(one.till.generate(tDF31="0501")).cvr == "600000"
    one.till.options()
    assert one.till.verified(one.till.generate(tDF31="0501", t9F37="00000002")).cvr == "600000"
    assert one.till.redeem(tDF31="0501", t9F37="00000003").cvr == "002000"
    one.till.begin()
    one.send(VERIFY)
    one.restart()
    assert one.till.redeem(tDF31="0501", t9F37="00000003").cvr == "002000"


def test_no_pin_on_the_card(card: Specimen) -> None:
    one = BareCard(card.without(0x8010, 0x9010))
    assert one.till.redeem(tDF31="0501").cvr == "002000", "no try bit without a PIN"
    assert one.till.redeem().cvr == "400000"


def test_script_results_in_a_cvr(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    stale = script(one.till.keys, "0000", "0009", PUT + "DF27", bytes.fromhex("321231"))
    assert one.exchange(stale).sw == 0x6988
    assert one.till.redeem().cvr == "410000"
    assert one.till.redeem(t9F37="00000002").cvr == "410000", "until a command is executed"
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    assert one.till.redeem(tDF32="FF").cvr == "024001"
    assert one.till.redeem(t9F37="00000003").cvr == "420001"
    assert one.till.redeem(t9F37="00000004").cvr == "400001", "one was executed before the last TC"
    for _ in range(16):
        assert one.till.run(PUT + "DF27", "321231") == 0x9000
    assert one.till.data(0xDF2E) == "0011"
    assert one.till.redeem(t9F37="00000005").cvr == "420001", "modulo 16"


def test_counting_in_a_period_and_into_the_next(card: Specimen) -> None:
    till = BareCard(card).till
    seen = [
        till.redeem(tDF31="0301", t9A=day, t9F37=f"{n:08X}", tDF32=quantity)
        for n, (day, quantity) in enumerate(
            [("261122", "01"), ("261122", "01"), ("261122", "01"), ("261123", "02"), ("261123", "01"), ("270101", "01")]
        )
    ]
    assert [(a.cid, a.cvr, a.count) for a in seen] == [
        (0x40, "400000", "0102261122"),
        (0x40, "400000", "0202261122"),
        (0x00, "004000", "0202261122"),
        (0x40, "400080", "0202261123"),
        (0x00, "004000", "0202261123"),
        (0x40, "400080", "0102270101"),
    ]
    assert till.data(0xDF28).startswith("01010C0002261101" + "0201040003261001" + "0301020101270101")


def test_once_is_once(card: Specimen) -> None:
    till = BareCard(card).till
    assert till.redeem(tDF31="0401").cid == 0x40
    assert till.redeem(tDF31="0401", t9A="491231", t9F37="00000002").cvr == "004000"


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_no_other_p1_or_p2(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    for p1 in {*range(256)} - {AAC, TC, CDA}:
        assert one.exchange(Command(0x80, 0xAE, p1, 0, request(), 256)).sw == 0x6A86
    for p2 in range(1, 256):
        assert one.exchange(Command(0x80, 0xAE, CDA, p2, request(), 256)).sw == 0x6A86
    assert one.till.verified(one.till.generate()).atc == 1, "a refused command uses nothing up"


@pytest.mark.parametrize("length", [0, 1, 51, 53, 104, 255])
def test_data_of_another_length(card: Specimen, length: int) -> None:
    one = BareCard(card)
    one.till.begin()
    assert one.exchange(Command(0x80, 0xAE, CDA, 0, request().ljust(length, b"\x00")[:length], 256)).sw == 0x6700
    assert one.till.verified(one.till.generate()).atc == 1


def test_the_order_of_commands(card: Specimen) -> None:
    one = BareCard(card)
    till = one.till
    assert till.generate().sw == 0x6985, "before SELECT"
    till.exchange(Command(0x00, 0xA4, 4, 0, one.applet.aid, 256))
    assert till.generate().sw == 0x6985, "before GET PROCESSING OPTIONS"
    till.options()
    assert till.verified(till.generate()).atc == 1
    for kind in (CDA, TC, AAC):
        assert till.generate(kind).sw == 0x6985, "a second one"
    till.exchange(Command(0x00, 0xA4, 4, 0, one.applet.aid, 256))
    assert till.generate().sw == 0x6985, "SELECT begins anew"
    till.options()
    assert till.verified(till.generate(AAC)).cid == 0
    assert till.generate().sw == 0x6985, "an AAC ends it too"
    till.options()
    assert till.verified(till.generate(t9F37="00000002")).atc == 2
    one.restart()
    assert till.generate().sw == 0x6985


def test_contactless(card: Specimen) -> None:
    one = BareCard(card, contactless=True)
    one.till.begin()
    state = one.host.state
    for kind in (CDA, TC, AAC):
        assert one.till.generate(kind).sw == 0x6985
    assert one.till.record(4, 1).sw == 0x6982
    assert [one.send(f"80CA{tag}00") for tag in ("DF28", "DF2E", "DF2F", "DF33")] == [0x6A88] * 4
    assert one.till.data(0xDF2D) == "261101"
    assert one.host.state == state


@pytest.mark.parametrize("missing", ["9F3704", "9A03", "DF3102", "DF3201"])
def test_a_list_without_what_a_redemption_needs(card: Specimen, missing: str) -> None:
    content = bytes.fromhex("".join(sorted({"9F3704", "9A03", "DF3102", "DF3201", "9C01"} - {missing})))
    lists = record(b"\x8c" + bytes((len(content),)) + content + bytes.fromhex("9F49039F3704"))
    one = BareCard(card.having(0x0103, lists))
    one.till.begin()
    for kind in (CDA, TC, AAC):
        assert one.exchange(Command(0x80, 0xAE, kind, 0, bytes(12), 256)).sw == 0x6985


def test_a_card_that_promises_no_combined_signature(card: Specimen) -> None:
    one = BareCard(card.having(0x9104, card.groups[0x9104].replace(b"\x82\x02\x31\x00", b"\x82\x02\x30\x00")))
    one.till.begin()
    assert one.till.generate().sw == 0x6985
    assert one.till.generate(TC).sw == 0x9000


def test_entitlements_out_of_form_are_none(card: Specimen) -> None:
    one = BareCard(card.having(0x0301, record(bytes.fromhex("DF2808 0101 0C 00 02 269901"))))
    assert one.till.redeem().cvr == "008000"
    assert BareCard(card.having(0x0301, record(b""))).till.redeem().cvr == "008000"


# -- the same request again -------------------------------------------------------------------------------------------


def test_the_same_request_gives_the_same_answer_under_a_fresh_signature(card: Specimen) -> None:
    one = BareCard(card)
    first = one.till.redeem()
    state = one.host.state
    for _ in range(3):
        again = one.till.redeem()
        assert (again.cid, again.atc, again.issuer_data) == (first.cid, first.atc, first.issuer_data)
        assert one.till.cryptogram_in(again) == one.till.cryptogram_in(first)
        assert again.signature != first.signature
        one.restart()
    plain = one.till.redeem(TC)
    assert (plain.ac, plain.issuer_data) == (one.till.cryptogram_in(first), first.issuer_data)
    assert one.host.state == state


def test_the_same_request_is_answered_in_whatever_state(card: Specimen) -> None:
    """It was answered before: nothing is counted, so nothing can be an obstacle."""
    one = BareCard(card)
    first = one.till.redeem()
    one.till.redeem(tDF32="FF"), one.till.redeem(AAC)
    assert one.till.run("841E0000") == 0x9000
    assert one.till.run(PUT + "DF2D", "000000") == 0x9000
    assert one.till.run(PUT + "DF28", "0999010002261101") == 0x9000
    again = one.till.redeem()
    assert (again.cid, again.atc, again.issuer_data) == (first.cid, first.atc, first.issuer_data)
    assert one.till.redeem(t9F37="00000002").cvr == "068103"
    assert one.till.redeem(AAC).cvr == "068123", "the terminal's refusal is no repetition"


@pytest.mark.parametrize("tag", [*USUAL])
def test_another_value_is_another_request(card: Specimen, tag: str) -> None:
    one = BareCard(card)
    one.till.redeem()
    other = {"9A": "261123", "DF31": "0201", "DF32": "02", "9C": "01"}.get(tag, f"{1:0{len(USUAL[tag])}d}")
    assert one.till.redeem(**{f"t{tag}": other}).atc == 2


def test_only_the_last_tc_is_repeated(card: Specimen) -> None:
    till = BareCard(card).till
    till.redeem()
    till.redeem(t9F37="00000002")
    assert till.redeem().atc == 3, "an older request is a new redemption"


# -- the log ----------------------------------------------------------------------------------------------------------


def test_the_log(card: Specimen) -> None:
    one = BareCard(card)
    till = one.till
    till.begin()
    assert till.log() == []
    assert till.data(0x9F4F) == "9F36029A039F21039F160FDF3102DF32019F27019F37049F26089F100E"
    answers = []
    for n in range(1, 13):
        till.begin()
        answers.append(till.verified(till.generate(TC, t9F37=f"{n:08X}", t9F21=f"1030{n:02d}")))
        till.redeem(AAC)
        newest = till.record(4, 1).data.hex().upper()
        assert newest == (
            f"{n:04X}2611221030{n:02d}{USUAL['9F16'].upper()}0101014000{n:06X}"
            f"{answers[-1].ac.hex().upper()}{answers[-1].issuer_data.hex().upper()}"
        )
        assert len(till.log()) == min(n, 10)
    assert [int.from_bytes(entry[:2], "big") for entry in till.log()] == [*range(12, 2, -1)]
    assert [till.record(4, number).sw for number in (11, 12, 255)] == [0x6A83] * 3
    one.restart()
    till.begin()
    assert len(till.log()) == 10


def test_the_log_of_a_card_that_asks_for_less(card: Specimen) -> None:
    content = bytes.fromhex("9F3704 9A03 DF3102 DF3201")
    lists = record(b"\x8c" + bytes((len(content),)) + content + bytes.fromhex("9F49039F3704"))
    one = BareCard(card.having(0x0103, lists))
    one.till.begin()
    data = bytes.fromhex("A1B2C3D4 261122 0101 01")
    assert one.exchange(Command(0x80, 0xAE, TC, 0, data, 256)).sw.ok
    assert one.till.record(4, 1).data.hex()[:62] == "0001261122000000" + "00" * 15 + "0101" + "01" + "40" + "a1b2c3d4"


# -- reading goes on --------------------------------------------------------------------------------------------------


def test_records_are_read_as_they_are_now(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    before = one.till.record(3, 1).data
    one.till.generate()
    after = one.till.record(3, 1).data
    assert before != after == one.host.memory["0301"]
    assert after[5 + 3] == 1
    assert one.till.record(1, 1).data == card.groups[0x0101]


def test_a_blocked_application_is_still_read(card: Specimen) -> None:
    one = BareCard(card)
    one.till.begin()
    assert one.till.run("841E0000") == 0x9000
    selected = one.till.exchange(Command(0x00, 0xA4, 4, 0, one.applet.aid, 256))
    assert selected.sw == 0x6283
    assert selected.data[:1] == b"\x6f"
    one.till.options()
    assert one.till.record(1, 1).sw.ok
    assert one.exchange(Command(0x00, 0x88, 0, 0, bytes(4), 256)).sw.ok
    assert one.send(VERIFY) == 0x9000
    assert one.till.verified(one.till.generate()).cvr == "260001"
    one.restart()
    assert one.till.exchange(Command(0x00, 0xA4, 4, 0, one.applet.aid, 256)).sw == 0x6283
    assert one.till.run("84180000") == 0x9000
    assert one.till.redeem().cvr == "420002"
