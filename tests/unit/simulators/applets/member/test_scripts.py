"""Script commands of the issuer to the member application: what they change, and every refusal."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu import Command
from terminal.tlv import decode
from tests.support.cards.member_specimen import IDENTITY, PIN_BLOCK, Specimen, record, specimen
from tests.support.cards.member_specimen import VALIDITY as EARLIER_VALIDITY
from tests.support.cards.member_till import (
    BLOCK,
    CHANGE_PIN,
    PUT,
    RESET_TRIES,
    UNBLOCK,
    VERIFY,
    WRONG_PIN,
    BareCard,
    redeeming,
    script,
)
from tests.support.thorough import repeats

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

NEW_PIN, NEW_VERIFY = bytes.fromhex("241357FFFFFFFFFF"), "0020008008241357FFFFFFFFFF"


@pytest.fixture(scope="module")
def card() -> Specimen:
    return redeeming(specimen(1024))


def selected(card: Specimen, *, contactless: bool = False) -> BareCard:
    one = BareCard(card, contactless=contactless)
    one.till.begin()
    return one


@pytest.mark.parametrize(
    ("tag", "value", "sfi", "number"),
    [
        ("DF26", "04", 1, 2),
        ("DF27", "321231", 1, 2),
        ("DF29", "281122", 1, 2),
        ("DF2D", "261123", 1, 2),
        ("DF2D", "000000", 1, 2),
        ("DF28", "01010C0002270101", 3, 1),
        ("DF28", "01010C0002270101" + "0777FFFF85500101", 3, 1),
        ("DF28", "", 3, 1),
        ("DF28", "".join(f"{n:04d}010001261101" for n in range(30)), 3, 1),
    ],
)
def test_put_data(card: Specimen, tag: str, value: str, sfi: int, number: int) -> None:
    one = selected(card)
    before = decode(one.till.record(sfi, number).data)[0].children
    assert one.till.run(PUT + tag, value) == 0x9000
    after = decode(one.till.record(sfi, number).data)[0].children
    assert [item.tag for item in after] == [item.tag for item in before]
    assert {item.tag: item.value for item in after} == {item.tag: item.value for item in before} | {
        int(tag, 16): bytes.fromhex(value)
    }
    one.restart()
    one.till.begin()
    assert decode(one.till.record(sfi, number).data)[0].children == after
    assert one.till.data(0xDF2E) == "0001"
    if tag != "DF26":
        assert one.till.data(int(tag, 16)) == value


def test_new_entitlements_are_redeemed(card: Specimen) -> None:
    one = selected(card)
    assert one.till.redeem(tDF31="0202").cvr == "008000"
    assert one.till.run(PUT + "DF28", "0202010001261122") == 0x9000
    assert one.till.redeem(tDF31="0202").cvr == "420001"
    assert one.till.redeem(tDF31="0202", t9F37="00000002").cvr == "004001"
    assert one.till.redeem(tDF31="0101", t9F37="00000002").cvr == "008001"


def test_activation(card: Specimen) -> None:
    one = selected(card)
    assert one.till.run(PUT + "DF2D", "000000") == 0x9000
    assert one.till.redeem().cvr == "020101"
    assert one.till.run(PUT + "DF2D", "261122") == 0x9000
    assert one.till.redeem().cvr == "420002"


def test_a_proof_covers_the_changed_records(card: Specimen) -> None:
    """INTERNAL AUTHENTICATE signs what the records have now."""
    one = selected(card)
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    signature = one.exchange(Command(0x00, 0x88, 0, 0, bytes(4), 256)).data[-128:]
    plain = pow(int.from_bytes(signature, "big"), 3, card.public.n).to_bytes(128, "big")
    contents = b"".join(decode(one.host.memory[name])[0].value for name in ("0102", "0301"))
    assert plain[13:45] == hashlib.sha256(contents).digest()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("DF26", ""),
        ("DF26", "0000"),
        ("DF27", ""),
        ("DF27", "3212"),
        ("DF27", "32123100"),
        ("DF27", "321331"),
        ("DF27", "000000"),
        ("DF27", "2A0101"),
        ("DF29", "260229"),
        ("DF29", "000000"),
        ("DF2D", "00000000"),
        ("DF2D", "260431"),
        ("DF28", "01010C00022701"),
        ("DF28", "01010C0002270132"),
        ("DF28", "01010C0000270101"),
        ("DF28", "01010C0002270101" * 2),
        ("DF2F", ""),
        ("DF2F", "26112200"),
        ("DF2F", "260431"),
    ],
)
def test_a_value_out_of_form(card: Specimen, tag: str, value: str) -> None:
    one = selected(card)
    state = one.host.state
    assert one.till.run(PUT + tag, value) == 0x6A80
    assert one.host.state == state, "nothing is changed or counted"


@pytest.mark.parametrize(
    "tag", ["005A", "DF21", "DF24", "DF2A", "DF2B", "DF2E", "DF33", "9F36", "9F17", "9F61", "DF30"]
)
def test_no_other_tag(card: Specimen, tag: str) -> None:
    one = selected(card)
    assert one.till.run(PUT + tag, "261122") == 0x6A88
    assert one.till.data(0xDF2E) == "0000"


def test_a_tag_that_the_card_does_not_have_or_has_signed(card: Specimen) -> None:
    """Cards of the first years have the category in record 1.1, which is signed, and no day of activation."""
    earlier = card.having(0x0101, record(IDENTITY)).having(0x0102, record(EARLIER_VALIDITY))
    one = selected(earlier)
    assert one.till.run(PUT + "DF26", "04") == 0x6A88
    assert one.till.run(PUT + "DF2D", "261122") == 0x6A88
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    twice = selected(card.having(0x0101, record(IDENTITY)))
    assert twice.till.run(PUT + "DF26", "04") == 0x6A88, "a signed record has it too"
    unsigned = bytes.fromhex("08010300 10010300 18010100")
    elsewhere = earlier.having(0x9104, b"\x82\x02\x31\x00\x94" + bytes((len(unsigned),)) + unsigned)
    assert selected(elsewhere).till.run(PUT + "DF26", "04") == 0x6A88, "neither record 1.2 nor 3.1 has it"
    all_signed = bytes.fromhex("08010303 10010300 18010101")
    options = b"\x82\x02\x31\x00\x94" + bytes((len(all_signed),)) + all_signed
    one = selected(card.having(0x9104, options))
    assert [one.till.run(PUT + tag, "") for tag in ("DF27", "DF28", "DF29", "DF2D")] == [0x6A88] * 4
    assert one.till.redeem().cvr == "008000", "what is signed cannot count"


def test_block_and_unblock(card: Specimen) -> None:
    one = selected(card)
    for counter, (command, status, cvr) in enumerate(
        [(BLOCK, 0x6283, 0x060000), (BLOCK, 0x6283, 0x060000), (UNBLOCK, 0x9000, 0x020020), (UNBLOCK, 0x9000, 0x020020)]
    ):
        assert one.till.run(command) == 0x9000
        assert one.applet.select_status == status
        kind = 0x50 if cvr == 0x060000 else 0x00
        assert int(one.till.redeem(kind).cvr, 16) == cvr | counter + 1
    assert one.till.redeem().cvr == "420004"


def test_the_last_date_of_a_counter_with_a_wrong_clock_is_set_back(card: Specimen) -> None:
    """docs/redemption.md, The last date."""
    one = selected(card)
    assert one.till.redeem(t9A="490101").cvr == "400080"
    assert one.till.redeem(t9F37="00000002").cvr == "001040"
    assert (one.till.data(0xDF2F), one.till.data(0xDF33)) == ("490101", "000000")
    assert one.till.run(PUT + "DF2F", "261121") == 0x9000
    one.restart()
    one.till.begin()
    assert (one.till.data(0xDF2F), one.till.data(0xDF33), one.till.data(0xDF2E)) == ("261121", "490101", "0001")
    assert len(one.till.log()) == 1
    assert one.till.redeem(t9F37="00000003").cvr == "020041", "its period began with the wrong date"
    assert one.till.run(PUT + "DF28", "01010C0002261101") == 0x9000
    assert one.till.redeem(t9F37="00000003").cvr == "420002"
    assert one.till.data(0xDF2F) == "261122"


def test_the_latest_date_that_was_set_back_stays(card: Specimen) -> None:
    one = selected(card)
    assert one.till.run(PUT + "DF2F", "280101") == 0x9000
    assert one.till.data(0xDF33) == "000000", "a later date sets nothing back"
    for value, latest in (("000000", "280101"), ("270101", "280101"), ("991231", "280101"), ("490101", "280101")):
        assert one.till.run(PUT + "DF2F", value) == 0x9000
        assert (one.till.data(0xDF2F), one.till.data(0xDF33)) == (value, latest)
    assert one.till.run(PUT + "DF2F", "261122") == 0x9000
    assert one.till.data(0xDF33) == "490101"


def test_a_new_pin(card: Specimen) -> None:
    one = selected(card)
    assert [one.send(WRONG_PIN) for _ in range(4)] == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    assert one.till.run(CHANGE_PIN, pin=NEW_PIN) == 0x9000
    assert one.till.data(0x9F17) == "03"
    assert [one.send(command) for command in (VERIFY, NEW_VERIFY)] == [0x63C2, 0x9000]


def test_tries_are_reset(card: Specimen) -> None:
    one = selected(card)
    assert [one.send(WRONG_PIN) for _ in range(3)][-1] == 0x63C0
    assert one.till.run(RESET_TRIES) == 0x9000
    assert one.till.data(0x9F17) == "03"
    assert one.send(VERIFY) == 0x9000


@pytest.mark.parametrize(
    "pin",
    [
        bytes.fromhex("341357FFFFFFFFFF"),
        bytes.fromhex("231357FFFFFFFFFF"),
        bytes.fromhex("2413570FFFFFFFFF"),
        bytes.fromhex("241357FFFFFFFFFF00"),
        NEW_PIN[:-1],
        b"",
        bytes(16),
    ],
)
def test_no_pin_block(card: Specimen, pin: bytes) -> None:
    one = selected(card)
    assert one.till.run(CHANGE_PIN, pin=pin) == 0x6A80
    assert one.host.memory["8010"] == PIN_BLOCK


def test_pin_commands_out_of_form(card: Specimen) -> None:
    one = selected(card)
    assert one.till.run(CHANGE_PIN, NEW_PIN.hex()) == 0x6A80, "a plain block"
    assert one.till.run(CHANGE_PIN, bytes(16).hex()) == 0x6A80, "not enciphered under this key"
    assert one.till.run(RESET_TRIES, "00") == 0x6A80
    assert one.till.run("84240001", pin=NEW_PIN) == 0x6A86
    assert one.till.run("84240100") == 0x6A86
    for command in (BLOCK, UNBLOCK):
        assert one.till.run(command, "00") == 0x6A80
        assert one.till.run(command[:4] + "0100") == one.till.run(command[:4] + "0001") == 0x6A86
    assert one.till.data(0xDF2E) == "0000"


def test_a_card_without_a_pin(card: Specimen) -> None:
    one = selected(card.without(0x8010, 0x9010))
    assert one.till.run(RESET_TRIES) == 0x6985
    assert one.till.run(CHANGE_PIN, pin=NEW_PIN) == 0x6985


def test_a_command_runs_once_in_its_order(card: Specimen) -> None:
    one = selected(card)
    keys = one.till.keys
    first, second, third = (
        script(keys, "0000", f"{n:04X}", PUT + "DF27", bytes.fromhex(f"3{n}1231")) for n in (0, 1, 2)
    )
    assert one.exchange(second).sw == 0x6988, "its turn comes after the first"
    assert one.exchange(first).sw == 0x9000
    assert one.exchange(first).sw == 0x6988
    assert one.exchange(second).sw == 0x9000
    assert one.till.data(0xDF27) == "311231"
    one.till.redeem()
    assert one.exchange(third).sw == 0x6988, "a redemption in between makes it void"
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    assert one.till.data(0xDF2E) == "0003"


def test_a_refused_command_may_come_again_in_form(card: Specimen) -> None:
    one = selected(card)
    assert one.till.run(PUT + "DF27", "321331") == 0x6A80
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    assert one.till.data(0xDF2E) == "0001"


@pytest.mark.parametrize("length", [0, 1, 7])
def test_no_mac(card: Specimen, length: int) -> None:
    one = selected(card)
    state = one.host.state
    for head in (PUT + "DF27", BLOCK, UNBLOCK, RESET_TRIES):
        assert one.exchange(Command(*bytes.fromhex(head), bytes(length))).sw == 0x6987
    assert one.host.state == state


def test_every_changed_bit_is_a_wrong_mac(card: Specimen) -> None:
    one = selected(card)
    good = one.till.script(PUT + "DF27", "321231")
    state = one.host.state
    for bit in range(8 * len(good.data)):
        data = bytearray(good.data)
        data[bit // 8] ^= 0x80 >> bit % 8
        assert one.exchange(Command(0x04, 0xDA, 0xDF, 0x27, bytes(data))).sw == 0x6988
    for p1, p2 in ((0xDF, 0x29), (0xDF, 0x2D), (0xDE, 0x27)):
        assert one.exchange(Command(0x04, 0xDA, p1, p2, good.data)).sw == 0x6988
    assert one.exchange(Command(0x04, 0xDA, 0xDF, 0x27, good.data + b"\x00")).sw == 0x6988
    assert one.host.state == state | {"script mac failed": b"\x01"}
    assert one.exchange(good).sw == 0x9000


def test_other_keys_and_counters(card: Specimen) -> None:
    one = selected(card)
    one.till.redeem()
    value, keys = bytes.fromhex("321231"), one.till.keys
    for other, atc, counter in (
        (keys[16:] + keys[:16], "0001", "0000"),
        (keys, "0000", "0000"),
        (keys, "0002", "0000"),
        (keys, "0001", "0001"),
    ):
        assert one.exchange(script(other, atc, counter, PUT + "DF27", value)).sw == 0x6988
    assert one.exchange(script(keys, "0001", "0000", PUT + "DF27", value)).sw == 0x9000


def test_the_last_script_counter(card: Specimen) -> None:
    one = selected(card)
    one.host.memory["scripts"] = b"\xff\xfe"
    assert one.till.run(PUT + "DF27", "321231") == 0x9000
    assert one.till.data(0xDF2E) == "FFFF"
    state = one.host.state
    for head in (PUT + "DF27", BLOCK, UNBLOCK, RESET_TRIES):
        assert one.till.run(head, "321231") == 0x6985
    assert one.host.state == state
    assert one.till.redeem().cvr == "42000F"


def test_contactless(card: Specimen) -> None:
    one = selected(card, contactless=True)
    for head in (PUT + "DF27", BLOCK, UNBLOCK, RESET_TRIES):
        assert one.exchange(script(one.till.keys, "0000", "0000", head)).sw == 0x6985
    assert "script mac failed" not in one.host.state


def test_scripts_need_no_options(card: Specimen) -> None:
    """Any time after SELECT."""
    one = BareCard(card)
    one.till.exchange(Command(0x00, 0xA4, 4, 0, one.applet.aid, 256))
    assert one.till.run(PUT + "DF27", "321231") == 0x9000


def test_each_command_is_one_write(card: Specimen) -> None:
    one = selected(card)
    pages: list[int] = []
    one.host.nvm.tear = pages.append
    one.host.operations.clear()
    for n, (head, data, pin) in enumerate(
        [
            (PUT + "DF28", "0202010001261122", None),
            (PUT + "DF2D", "261122", None),
            (BLOCK, "", None),
            (UNBLOCK, "", None),
            (CHANGE_PIN, "", NEW_PIN),
            (RESET_TRIES, "", None),
        ],
        1,
    ):
        assert one.till.run(head, data, pin) == 0x9000
        assert len(pages) == n
    assert one.host.operations["des"] >= 6 * 6


def test_a_command_of_more_than_255_bytes(card: Specimen) -> None:
    one = selected(card)
    assert one.exchange(Command(0x04, 0xDA, 0xDF, 0x28, bytes(256))).sw == 0x6700


@given(
    head=st.sampled_from([(0x04, 0xDA), (0x84, 0x1E), (0x84, 0x18), (0x84, 0x24)]),
    p1=st.sampled_from([0, 0xDF]) | st.integers(0, 255),
    p2=st.sampled_from([0, 2, 0x26, 0x27, 0x28, 0x29, 0x2D]) | st.integers(0, 255),
    data=st.binary(max_size=60),
)
@settings(max_examples=repeats(60, 3000), deadline=None)
def test_genuine_commands_with_any_data_never_crash(head: tuple[int, int], p1: int, p2: int, data: bytes) -> None:
    """Executed and counted, or refused with one of the status words of the page, and the card goes on."""
    one = selected(ANY)
    state = one.host.state
    status = one.till.run(bytes((*head, p1, p2)).hex(), data.hex())
    assert status in (0x9000, 0x6A80, 0x6A86, 0x6A88)
    assert one.till.data(0xDF2E) == ("0001" if status == 0x9000 else "0000")
    if status != 0x9000:
        assert one.host.state == state
    assert one.till.run(UNBLOCK) == 0x9000


ANY = redeeming(specimen(1024))
