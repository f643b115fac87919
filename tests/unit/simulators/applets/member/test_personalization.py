"""The member application stores its data groupings, checks them, and becomes PERSONALIZED."""

from __future__ import annotations

import pytest

from simulators.applets.member.applet import MemberApplet
from simulators.card.applet import Refuse
from simulators.card.memory import PowerLost, TearAt
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_specimen import MEMBER_AID, Specimen, padded, record, specimen

MANDATORY = (
    0x0101, 0x0102, 0x0103, 0x0201, 0x0202, 0x0203, 0x0301, 0x0501, 0x9102, 0x9104, 0x9200,
    0x8000, 0x9000, 0x8030, 0x9030, 0x8201, 0x8202, 0x8203, 0x8204, 0x8205,
)  # fmt: skip


@pytest.fixture(scope="module")
def card() -> Specimen:
    return specimen()


def blank() -> tuple[BareHost, MemberApplet]:
    host = BareHost()
    return host, MemberApplet(host, MEMBER_AID, b"")


def refusal_of(groups: dict[int, bytes], **options: bool) -> int:
    host, applet = blank()
    with pytest.raises(Refuse) as refused:
        store(applet, groups.items(), **options)
    assert not host.personalized
    return int(refused.value.sw)


def test_a_complete_set_makes_it_personalized(card: Specimen) -> None:
    host, applet = blank()
    store(applet, card.groups.items())
    assert host.personalized
    assert applet.select(0) == bytes.fromhex("6F31 8409") + MEMBER_AID + card.groups[0x9102]


def test_nothing_useful_is_answered_before(card: Specimen) -> None:
    _, applet = blank()
    store(applet, card.groups.items(), last=False)
    with pytest.raises(Refuse, match="6985"):
        applet.select(0)
    for command in ("80A8000002830000", "00B2010C00", "00880000041122334400", "80CA9F3600", "0084000000"):
        assert send(applet, command).sw == 0x6985


@pytest.mark.parametrize("number", MANDATORY, ids=lambda n: f"{n:04X}")
def test_every_mandatory_grouping_is_missed_at_the_end(card: Specimen, number: int) -> None:
    assert refusal_of(card.without(number).groups) == 0x6985


def test_a_card_without_pin_is_fine_and_half_a_pin_is_not(card: Specimen) -> None:
    host, applet = blank()
    store(applet, card.without(0x8010, 0x9010).groups.items())
    assert host.personalized
    assert refusal_of(card.without(0x9010).groups) == 0x6985
    assert refusal_of(card.without(0x8010).groups) == 0x6985


@pytest.mark.parametrize("number", [0x0104, 0x0401, 0x0502, 0x7FFF, 0x8101, 0x9103, 0x020A, 0x0000])
def test_an_unknown_grouping(card: Specimen, number: int) -> None:
    assert refusal_of({number: record(b"")}) == 0x6A88


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (0x0101, b""),
        (0x0101, b"\x70\x05\x5a\x01"),  # truncated
        (0x0101, b"\x61\x02\x5a\x00"),  # another template
        (0x0101, record(b"\x5a\x00") + b"\x00"),  # something after the template
        (0x0101, record(b"\x9f\x46\x81\xfa" + bytes(250))),  # a record over 254 bytes
        (0x0103, record(bytes.fromhex("9F4902 9F37"))),  # a list that ends inside an entry
        (0x0501, record(b"")),  # padding missing
        (0x9102, b"\x70\x00"),
        (0x9102, bytes.fromhex("A504 9F3801 9F")),
        (0x9104, bytes.fromhex("82023100")),
        (0x9104, bytes.fromhex("820131 9404 08010101")),
        (0x9104, bytes.fromhex("82023100 9403 080101")),
        (0x9104, bytes.fromhex("82023100 9404 08010102")),  # more signed than named
        (0x9104, bytes.fromhex("82023100 9404 09010100")),
        (0x9200, b""),
        (0x8000, bytes(47)),
        (0x9000, bytes(10)),
        (0x8030, bytes(32)),
        (0x9030, bytes(9)),
        (0x8010, bytes.fromhex("26246810FFFFFFFF")),  # no padding
        (0x8010, padded(bytes.fromhex("36246810FFFFFFFF"))),  # no format 2 block
        (0x8010, padded(bytes.fromhex("2324681FFFFFFFFF"))),  # three digits
        (0x8010, padded(bytes.fromhex("2624681AFFFFFFFF"))),
        (0x8010, padded(bytes.fromhex("26246810FFFFFFF0"))),
        (0x9010, bytes((4, 3))),
        (0x9010, bytes((0, 0))),
        (0x8201, padded(bytes(8))),
    ],
    ids=lambda v: f"{v:04X}" if isinstance(v, int) else v.hex()[:24],
)
def test_a_malformed_grouping(number: int, value: bytes) -> None:
    assert refusal_of({number: value}) == 0x6A80


@pytest.mark.parametrize("checks", [0x9000, 0x9030])
def test_keys_that_do_not_have_their_check_values(card: Specimen, checks: int) -> None:
    wrong = bytearray(card.groups[checks])
    wrong[-1] ^= 1
    assert refusal_of(card.having(checks, bytes(wrong)).groups) == 0x9485


def test_check_values_that_come_before_their_keys(card: Specimen) -> None:
    """The order of groupings is the personalizer's: at the end all are checked again."""
    first = {0x9000: card.groups[0x9000]}
    host, applet = blank()
    store(applet, {**first, **card.without(0x9000).groups}.items())
    assert host.personalized
    wrong = {0x9000: bytes(9)}
    assert refusal_of({**wrong, **card.without(0x9000).groups}) == 0x9485


@pytest.mark.parametrize("number", [0x8201, 0x8202, 0x8203, 0x8204, 0x8205], ids=lambda n: f"{n:04X}")
def test_components_of_no_key(card: Specimen, number: int) -> None:
    component = bytearray(card.groups[number])
    component[40] ^= 1
    assert refusal_of(card.having(number, bytes(component)).groups) == 0x6A80


def test_a_file_locator_that_names_a_record_not_there(card: Specimen) -> None:
    options = bytes.fromhex("82023100 9404 10010400")
    assert refusal_of(card.having(0x9104, options).groups) == 0x6985


def test_everything_can_be_sent_again_until_the_end(card: Specimen) -> None:
    host, applet = blank()
    store(applet, [(0x0102, record(b"\xdf\x27\x03\x20\x01\x01")), *card.groups.items()])
    assert host.memory["0102"] == card.groups[0x0102]
    with pytest.raises(Refuse, match="6985"):
        applet.begin_personalization()
    with pytest.raises(Refuse, match="6985"):
        applet.store_data(iter([(0x0102, card.groups[0x0102])]), last=False)


def test_a_new_run_forgets_the_unfinished_one(card: Specimen) -> None:
    host, applet = blank()
    store(applet, card.groups.items(), last=False)
    with pytest.raises(Refuse, match="6985"):
        store(applet, [(0x0101, card.groups[0x0101])])
    assert len(host.memory) == len(card.groups), "refused as a whole: the old run stands"
    with host.memory.transaction():
        applet.begin_personalization()
    assert dict(host.memory) == {}


def test_a_tear_at_every_page_leaves_old_or_new(card: Specimen) -> None:
    """Whole commands only: after a tear the memory is what it was before one of the STORE DATA commands, or after."""
    states: list[dict[str, bytes]] = [{}]
    host, applet = blank()
    groups = list(card.groups.items())
    for size in range(4, len(groups) + 4, 4):
        begun = BareHost()
        partial = MemberApplet(begun, MEMBER_AID, b"")
        store(partial, groups[:size], group_size=4, last=size >= len(groups))
        states.append(begun.state)
    store(applet, groups, group_size=4)
    for page in range(host.nvm.pages_written):
        for after in (False, True):
            host, applet = blank()
            host.nvm.tear = TearAt(page, after=after)
            with pytest.raises(PowerLost):
                store(applet, groups, group_size=4)
            host.restart()
            assert host.state in states, (page, after)
            again = MemberApplet(host, MEMBER_AID, b"")
            if not host.personalized:
                store(again, groups, group_size=4)
            assert host.state == states[-1]
            assert again.select(0)
