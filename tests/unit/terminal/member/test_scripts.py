"""Scripts of the office: written with keys in custody, run once and in order, finished after a tear."""

from __future__ import annotations

from datetime import date

import pytest
from pyemv import kd, sm

from terminal.apdu import Command, stack
from terminal.errors import CardGone, CardMalformed, CardRefused, CodecError, KeyMisuse
from terminal.keys import Algorithm, ApplicationKeys, KeyRef, MemoryCustody, PinFormat, Purpose
from terminal.member import elements
from terminal.member.issuing import (
    UPDATABLE,
    ScriptStep,
    block_application,
    change_pin,
    put_data,
    unblock_application,
    unblock_pin,
    write_script,
)
from terminal.member.reading import select
from terminal.member.scripts import CardScript, CardUpdate, UpdateStatus, update
from terminal.member.values import Category, Entitlement, Period
from terminal.secret import Secret
from tests.support.cards.member_issuer import NUMBER
from tests.support.cards.redeeming_card import MASTERS, RedeemingCard, key

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

PURPOSES = {"AC": Purpose.AC, "SMI": Purpose.SMI, "SMC": Purpose.SMC}
NEXT_YEAR = Entitlement("0101", 12, 0, Period.YEAR, date(2027, 1, 1))


@pytest.fixture(scope="module")
def custody() -> MemoryCustody:
    custody = MemoryCustody(simulation=True)
    for name, master in MASTERS.items():
        custody.import_key(PURPOSES[name].value, PURPOSES[name], Algorithm.TDES, Secret(master), by="test")
    custody.generate("pek", Purpose.PIN, Algorithm.TDES, by="test")
    return custody


@pytest.fixture(scope="module")
def keys(custody: MemoryCustody) -> ApplicationKeys:
    ac, smi, smc = (KeyRef(purpose.value) for purpose in PURPOSES.values())
    return custody.application_keys((ac, smi, smc), NUMBER, 1)


def steps() -> list[ScriptStep]:
    return [
        put_data(elements.VALID_THROUGH, date(2036, 12, 31)),
        put_data(elements.ENTITLEMENTS, (NEXT_YEAR,)),
        unblock_pin(),
        block_application(),
        unblock_application(),
    ]


@pytest.fixture
def script(custody: MemoryCustody, keys: ApplicationKeys) -> CardScript:
    return write_script(custody, keys, steps(), atc=0x41, counter=0)


def card_at(scripts: int = 0, atc: int = 0x41) -> RedeemingCard:
    card = RedeemingCard()
    card.scripts, card.atc = scripts, atc
    return card


def run(card: RedeemingCard, script: CardScript) -> CardUpdate:
    sender = stack(card)
    select(sender)
    return update(sender, script)


def mac(header: str, data: str, counter: int) -> str:
    """As another implementation computes it."""
    r = bytes.fromhex("004100") + counter.to_bytes(2, "big") + bytes(3)
    message = bytes.fromhex(header) + b"\x00\x41" + counter.to_bytes(2, "big") + bytes.fromhex(data)
    return sm.generate_command_mac(kd.derive_common_sk(key("SMI"), r), message).hex().upper()


def test_commands_have_the_macs_of_another_implementation(script: CardScript) -> None:
    plain = [
        ("04DADF270B", "361231"),
        ("04DADF2810", "01010C0004270101"),
        ("8424000008", ""),
        ("841E000008", ""),
        ("8418000008", ""),
    ]
    expected = [header + data + mac(header, data, at) for at, (header, data) in enumerate(plain)]
    assert [command.encode().hex().upper() for command in script.commands] == expected


def test_a_new_pin_is_enciphered_as_another_implementation_does(custody: MemoryCustody, keys: ApplicationKeys) -> None:
    pin = custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO0, Secret(b"135790"), NUMBER)
    (command,) = write_script(custody, keys, [change_pin(pin)], atc=0x41, counter=0x0203).commands
    session = kd.derive_common_sk(key("SMC"), bytes.fromhex("0041000203000000"))
    block = sm.encrypt_command_data(session, sm.format_iso9564_2_pin_block("135790"), sm.EncryptionType.EMV)
    assert len(block) == 16
    header = "8424000218"
    assert command.encode().hex().upper() == header + block.hex().upper() + mac(header, block.hex(), 0x0203)


def test_a_script_runs_in_its_order(script: CardScript) -> None:
    card = card_at()
    assert run(card, script) == CardUpdate(UpdateStatus.DONE, 0, 5, 5, 0x41, 5)
    assert card.changes == [
        ("04DADF27", bytes.fromhex("361231")),
        ("04DADF28", bytes.fromhex("01010C0004270101")),
        ("84240000", b""),
        ("841E0000", b""),
        ("84180000", b""),
    ]


def test_a_script_runs_once(script: CardScript) -> None:
    card = card_at()
    run(card, script)
    sent = len(card.log)
    assert run(card, script) == CardUpdate(UpdateStatus.DONE, 5, 0, 5, 0x41, 5)
    assert [turn[:4] for turn in card.log[sent:]] == ["00A4", "80CA", "80CA"]


def test_a_script_that_ran_is_done_whatever_was_redeemed_since(script: CardScript) -> None:
    assert run(card_at(scripts=5, atc=0x50), script) == CardUpdate(UpdateStatus.DONE, 5, 0, 5, 0x50, 5)


@pytest.mark.parametrize("place", range(3, 9))
@pytest.mark.parametrize("counted", [False, True])
def test_a_torn_script_is_finished_at_the_next_insertion(script: CardScript, place: int, counted: bool) -> None:
    card = card_at()
    if counted:
        card.lost = {place}
    else:
        card.vanish_at = place
    with pytest.raises(CardGone):
        run(card, script)
    card.lost, card.vanish_at = set(), None
    before = card.scripts
    assert before == min(place - 3 + counted, 5)
    assert run(card, script) == CardUpdate(UpdateStatus.DONE, before, 5 - before, 5, 0x41, 5)
    assert [change for change, _ in card.changes] == ["04DADF27", "04DADF28", "84240000", "841E0000", "84180000"]


@pytest.mark.parametrize(
    ("scripts", "atc", "before"),
    [(0, 0x42, 0), (3, 0x42, 3), (6, 0x41, 0)],
)
def test_a_script_for_another_state_is_void_and_nothing_is_sent(
    script: CardScript, scripts: int, atc: int, before: int
) -> None:
    card = card_at(scripts, atc)
    outcome = run(card, script)
    assert outcome == CardUpdate(UpdateStatus.VOID, before, 0, 5, atc, scripts)
    assert outcome.left == 5 - before
    assert (card.scripts, len(card.log)) == (scripts, 3)


def test_a_script_behind_another_that_has_not_run_is_void(custody: MemoryCustody, keys: ApplicationKeys) -> None:
    later = write_script(custody, keys, [unblock_pin()], atc=0x41, counter=1)
    assert run(card_at(), later).status is UpdateStatus.VOID


def test_a_script_of_another_card_is_refused_at_its_first_command(custody: MemoryCustody) -> None:
    ac, smi, smc = (KeyRef(purpose.value) for purpose in PURPOSES.values())
    other = custody.application_keys((ac, smi, smc), NUMBER, 2)
    card = card_at()
    outcome = run(card, write_script(custody, other, steps(), atc=0x41, counter=0))
    assert outcome == CardUpdate(UpdateStatus.REFUSED, 0, 0, 5, 0x41, 0, outcome.refusal)
    assert (outcome.refusal, outcome.left) == (0x6988, 5)
    assert card.changes == []


def test_the_commands_behind_a_refused_one_are_not_sent(script: CardScript) -> None:
    card = card_at()
    card.answers["04DADF28"] = bytes.fromhex("6A88")
    outcome = run(card, script)
    assert outcome == CardUpdate(UpdateStatus.REFUSED, 0, 1, 5, 0x41, 1, outcome.refusal)
    assert outcome.refusal == 0x6A88


@pytest.mark.parametrize("warning", ["6200", "6300", "6A80"])
def test_an_unknown_status_word_is_never_success(script: CardScript, warning: str) -> None:
    card = card_at()
    card.answers["04DADF27"] = bytes.fromhex(warning)
    assert run(card, script).status is UpdateStatus.REFUSED


def test_a_card_that_says_success_and_counts_nothing_is_a_fault(script: CardScript) -> None:
    card = card_at()
    card.answers["04DADF28"] = bytes.fromhex("9000")
    for header in ("84240000", "841E0000", "84180000"):
        card.answers[header] = bytes.fromhex("9000")
    with pytest.raises(CardMalformed, match="5 commands succeeded, and the card counted 1"):
        run(card, script)


@pytest.mark.parametrize(("tag", "answer"), [("9F36", "6A88"), ("DF2E", "6985")])
def test_a_card_without_counters_takes_no_script(script: CardScript, tag: str, answer: str) -> None:
    card = card_at()
    card.answers[f"80CA{tag}"] = bytes.fromhex(answer)
    with pytest.raises(CardRefused, match=tag):
        run(card, script)


def test_a_script_is_read_again_as_it_was_written(script: CardScript) -> None:
    data = script.encode()
    assert data[:14].hex().upper() == "0172609F36020041DF2E02000086"
    assert CardScript.decode(data) == script
    for bad in (b"", b"\x02" + data[1:], data + b"\x00", data[:1], data[:1] + b"\x00" + data[1:], data[:-1]):
        with pytest.raises(CodecError):
            CardScript.decode(bad)
    for cut in range(1, len(data)):
        with pytest.raises(CodecError):
            CardScript.decode(data[:cut])


@pytest.mark.parametrize(
    ("atc", "counter", "commands"),
    [
        (0x10000, 0, (Command(0x84, 0x1E, data=bytes(8)),)),
        (-1, 0, (Command(0x84, 0x1E, data=bytes(8)),)),
        (0, 0xFFFF, (Command(0x84, 0x1E, data=bytes(8)),)),
        (0, -1, (Command(0x84, 0x1E, data=bytes(8)),)),
        (0, 0, ()),
        (0, 0, (Command(0x84, 0x1E, data=bytes(7)),)),
        (0, 0, (Command(0x80, 0xAE, 0x50, data=bytes(52)),)),
        (0, 0, (Command(0x00, 0xDA, 0xDF, 0x27, bytes(11)),)),
    ],
)
def test_what_is_no_script(atc: int, counter: int, commands: tuple[Command, ...]) -> None:
    with pytest.raises(CodecError):
        CardScript(atc, counter, commands)


def test_only_what_a_script_may_set_is_set(custody: MemoryCustody, keys: ApplicationKeys) -> None:
    assert [str(element.tag) for element in UPDATABLE] == ["DF26", "DF27", "DF28", "DF29", "DF2D", "DF2F"]
    assert put_data(elements.CATEGORY, Category.RETIRED).data == b"\x01"
    assert put_data(elements.ACTIVATED_ON, date(2026, 11, 22)).data == bytes.fromhex("261122")
    assert put_data(elements.COVER_ENDS, date(2027, 11, 22)).data == bytes.fromhex("271122")
    with pytest.raises(CodecError, match="DF24"):
        put_data(elements.MEMBER_NAME, "张伟")
    with pytest.raises(CodecError, match="DF27"):
        put_data(elements.VALID_THROUGH, date(2050, 1, 1))
    with pytest.raises(CodecError, match="two bytes"):
        write_script(custody, keys, steps(), atc=0x41, counter=0xFFFB)
    assert write_script(custody, keys, steps(), atc=0x41, counter=0xFFFA).counter == 0xFFFA


def test_a_pin_under_a_key_of_another_use_is_refused(custody: MemoryCustody, keys: ApplicationKeys) -> None:
    pin = custody.encrypt_pin(KeyRef("pek"), PinFormat.ISO0, Secret(b"1234"), NUMBER)
    wrong = type(pin)(KeyRef(Purpose.SMI.value), pin.format, pin.block, pin.pan)
    with pytest.raises(KeyMisuse):
        write_script(custody, keys, [change_pin(wrong)], atc=0, counter=0)
