"""Chips of other makers over the line: production data that say nothing, twins, other key sets, numbers and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from personalize.line.lanes import LaneEvent
from personalize.line.outcome import CardOutcome
from personalize.profiles.profile import Profile
from registry.values import Claim
from simulators.card.config import CardConfig, ProductionData
from simulators.card.keyring import AES, DES, Key, KeyRing
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Transport
from terminal.errors import CardGone, NoCard
from terminal.globalplatform import IdentitySource
from terminal.keys import Diversification
from terminal.secret import Secret
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Rack, card_on

pytestmark = pytest.mark.usefixtures("quick")

MEMBERS = 3
VERIFIED, ASIDE, REJECTED, KNOWN = (
    CardOutcome.VERIFIED,
    CardOutcome.ASIDE,
    CardOutcome.REJECTED,
    CardOutcome.KNOWN,
)
SELECT, GET_DATA, UPDATE, AUTHENTICATE = 0xA4, 0xCA, 0x50, 0x82
OPTIONS, READ_RECORD = 0xA8, 0xB2
Answer = Callable[[bytes, bytes], bytes]


class Maker:
    """The chips of a maker: what they answer, and every command they get."""

    def __init__(self, answer: Answer = lambda apdu, answer: answer) -> None:
        self.answer = answer
        self.commands: list[bytes] = []

    def __call__(self, card: SimCard) -> MakersChip:
        return MakersChip(card, self)

    def count(self, ins: int) -> int:
        return sum(apdu[1] == ins for apdu in self.commands)


class MakersChip:
    def __init__(self, card: SimCard, maker: Maker) -> None:
        self._card, self._maker = card, maker
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        self._maker.commands.append(apdu)
        return self._maker.answer(apdu, self._card.exchange(apdu))


def data_object(tag: int, response: bytes) -> Answer:
    """Another response to GET DATA of one tag."""
    header = bytes((GET_DATA, tag >> 8, tag & 0xFF))
    return lambda apdu, answer: response if apdu[1:4] == header else answer


def with_identity(bench: Bench, *sources: IdentitySource) -> Profile:
    line = bench.profile.line.model_copy(update={"identity": sources})
    return bench.profile.model_copy(update={"line": line})


def check_balanced(bench: Bench, received: int) -> None:
    """Both accounts hold, and nothing waits for a chip that was put away."""
    accounts, stock = bench.accounts, bench.registry.stock.accounts()
    assert accounts.balanced
    assert accounts.claimed == accounts.chips_in_reader == 0
    assert (stock.received, stock.balanced) == (received, True)


UNSET = [
    pytest.param(b"\x9f\x7f\x2a" + b"\xff" * 42 + b"\x90\x00", id="all-ff"),
    pytest.param(b"\x9f\x7f\x2a" + bytes(42) + b"\x90\x00", id="all-00"),
    pytest.param(b"\xff" * 42 + b"\x90\x00", id="all-ff-without-tag"),
    pytest.param(bytes.fromhex("9F7F2A47905168FFFF60010100600100000000FFFF") + bytes(24) + b"\x90\x00", id="no-serial"),
    pytest.param(b"\x9f\x7f\x00\x90\x00", id="empty"),
    pytest.param(b"\x90\x00", id="nothing"),
    pytest.param(b"\x6a\x88", id="absent"),
]


@pytest.mark.parametrize("cplc", UNSET)
def test_chips_whose_production_data_say_nothing_are_put_aside_untouched(bench: Bench, cplc: bytes) -> None:
    bench.registry.stock.receive(3, "delivery", "clerk")
    chips, maker = [bench.chip() for _ in range(3)], Maker(data_object(0x9F7F, cplc))
    before = [chip._nvm.pages_written for chip in chips]
    rack = Rack(chips, wrap=maker)
    result = bench.run(rack)
    assert result.counts == {ASIDE: 3}
    assert rack.bins[Disposition.ASIDE] == chips
    assert not rack.bins[Disposition.DONE]
    assert [chip._nvm.pages_written for chip in chips] == before
    assert maker.count(UPDATE) == 0
    assert (bench.accounts.chips_fed, bench.registry.stock.accounts().left) == (0, 3)
    check_balanced(bench, 3)


def test_a_lane_stops_for_a_stock_without_identities(bench: Bench) -> None:
    rack = Rack([bench.chip() for _ in range(3)], wrap=Maker(data_object(0x9F7F, b"\x6a\x88")))
    result = bench.run(rack, max_consecutive_failures=2)
    assert (result.fault, len(rack.chips)) == (True, 1)
    assert "2 failures in a row" in result.message


@pytest.mark.parametrize("source", [IdentitySource.KEY_DATA, IdentitySource.CARD_IMAGE_NUMBER])
@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
def test_chips_without_production_data_are_identified_as_the_profile_says(
    bench: Bench, source: IdentitySource, kind: tuple[int, LinkProtocol]
) -> None:
    chips = [bench.chip((kind[0], LinkProtocol.T1)) for _ in range(3)]
    for number, chip in enumerate(chips, 1):
        chip._nvm.scope("card")["45"] = bytes((0x01, number))
    maker = Maker(data_object(0x9F7F, b"\x6a\x88"))
    job = replace(bench.job(), profile=with_identity(bench, IdentitySource.CPLC, source))
    rack = Rack(chips, wrap=maker)
    assert bench.run(rack, job=job).counts == {VERIFIED: 3}
    serials = {card.chip_serial for card in bench.registry.cards.of_batch(bench.batch)}
    prefix = {IdentitySource.KEY_DATA: "KD-", IdentitySource.CARD_IMAGE_NUMBER: "CIN-"}[source]
    assert len(serials) == 3
    assert all(serial.startswith(prefix) for serial in serials)
    again = Rack(chips[:1], wrap=maker)
    assert bench.run(again, job=job).counts == {KNOWN: 1}
    bench.check_all_issued()


@pytest.mark.parametrize("length", [18, 40, 41, 43, 44])
@pytest.mark.parametrize("header", [True, False], ids=["with-tag", "bare"])
def test_production_data_of_another_length_identify_a_chip_all_the_same(
    bench: Bench, length: int, header: bool
) -> None:
    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:4] != b"\xca\x9f\x7f":
            return answer
        value = (answer[3:-2] + bytes(4))[:length]
        return (b"\x9f\x7f" + bytes((length,)) if header else b"") + value + b"\x90\x00"

    chips = [bench.chip(), bench.chip()]
    assert bench.run(Rack(chips, wrap=Maker(answer))).counts == {VERIFIED: 2}
    serials = [card.chip_serial for card in bench.registry.cards.of_batch(bench.batch)]
    assert serials == [chip.chip_serial for chip in chips]


@pytest.mark.parametrize("unset", [bytes(10), b"\xff" * 10, b"\x00\x00" + b"\xff" * 8], ids=["00", "ff", "both"])
def test_key_data_that_say_nothing_are_no_identity_either(bench: Bench, unset: bytes) -> None:
    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:4] == b"\xca\x9f\x7f":
            return b"\x6a\x88"
        return unset + answer[10:] if apdu[1] == UPDATE and len(answer) > 20 else answer

    chips = [bench.chip(), bench.chip()]
    job = replace(bench.job(), profile=with_identity(bench, *IdentitySource))
    rack = Rack(chips, wrap=Maker(answer))
    assert bench.run(rack, job=job).counts == {ASIDE: 2}
    assert rack.bins[Disposition.ASIDE] == chips


def unset_key_data(place: slice, value: int) -> Answer:
    """Production data that were never set, and bytes of the key data as well."""

    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:4] == b"\xca\x9f\x7f":
            return b"\x6a\x88"
        if apdu[1] != UPDATE or len(answer) <= 20:
            return answer
        data = bytearray(b"MEMBERCARD")
        data[place] = bytes((value,)) * len(data[place])
        return bytes(data) + answer[10:]

    return answer


@pytest.mark.parametrize("value", [0x00, 0xFF], ids=["00", "ff"])
@pytest.mark.parametrize(
    ("kind", "place"),
    [(SCP02, slice(None)), (SCP02, slice(6, 10)), (SCP03, slice(None))],
    ids=["scp02", "scp02-number", "scp03"],
)
def test_chips_that_would_share_their_final_keys_are_rejected_before_the_first_change(
    bench: Bench, kind: tuple[int, LinkProtocol], place: slice, value: int
) -> None:
    """Each has a card image number of its own, and key data by which their final keys would be the same."""
    chips = [bench.chip((kind[0], LinkProtocol.T1)) for _ in range(2)]
    before = [chip.key_versions for chip in chips]
    for number, chip in enumerate(chips, 1):
        chip._nvm.scope("card")["45"] = bytes((0x01, number))
    maker = Maker(unset_key_data(place, value))
    job = replace(bench.job(), profile=with_identity(bench, IdentitySource.CARD_IMAGE_NUMBER))
    assert bench.run(Rack(chips, wrap=maker), job=job).counts == {REJECTED: 2}
    rejects = bench.registry.line.rejects(bench.batch)
    assert {(reject.code, reject.bin) for reject in rejects} == {("key-data-unset", "3 data")}
    assert {reject.chip_serial for reject in rejects} == {"CIN-0101", "CIN-0102"}
    assert not {0xE6, 0xE2, 0xD8, 0xF0, AUTHENTICATE} & {apdu[1] for apdu in maker.commands}
    assert [chip.key_versions for chip in chips] == before


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
def test_keys_that_are_not_derived_need_no_key_data(bench: Bench, kind: tuple[int, LinkProtocol]) -> None:
    chip = bench.chip((kind[0], LinkProtocol.T1))
    chip._nvm.scope("card")["45"] = b"\x01\x09"
    line = bench.profile.line
    undiversified = {"diversification": Diversification.NONE}
    line = line.model_copy(
        update={
            "identity": (IdentitySource.CARD_IMAGE_NUMBER,),
            "scp02": line.scp02.model_copy(update=undiversified),
            "scp03": line.scp03.model_copy(update=undiversified),
        }
    )
    job = replace(bench.job(), profile=bench.profile.model_copy(update={"line": line}))
    assert bench.run(Rack([chip], wrap=Maker(unset_key_data(slice(None), 0))), job=job).counts == {VERIFIED: 1}


def test_blanks_with_the_serial_of_a_card_never_reach_the_good_bin(bench: Bench) -> None:
    """Three chips of one serial: one card is made, and two blanks are put aside as they are."""
    bench.registry.stock.receive(3, "delivery", "clerk")
    same = ProductionData(0x77)
    chips = [VirtualCard.create(None, CardConfig(same, *SCP03[::-1])) for _ in range(3)]
    maker, rack = Maker(), Rack(chips)
    assert bench.run(rack).counts == {VERIFIED: 1, ASIDE: 2}
    assert rack.bins[Disposition.DONE] == chips[:1]
    assert rack.bins[Disposition.ASIDE] == chips[1:]
    assert [chip.key_versions for chip in chips[1:]] == [[0x30], [0x30]]
    again = Rack(chips, wrap=maker)
    assert bench.run(again).counts == {KNOWN: 1, ASIDE: 2}
    assert maker.count(AUTHENTICATE) == 0
    check_balanced(bench, 3)


def test_a_card_of_ours_with_another_number_is_not_the_card_of_its_serial(bench: Bench) -> None:
    """Two finished cards that report one serial: the keys are the issuer's, the number on the second is another."""
    first, second = bench.chip(), bench.chip()
    assert bench.run(Rack([first, second])).counts == {VERIFIED: 2}
    serial = first.config.chip.encode()
    rack = Rack([second], wrap=Maker(data_object(0x9F7F, b"\x9f\x7f\x2a" + serial + b"\x90\x00")))
    assert bench.run(rack).counts == {ASIDE: 1}
    assert rack.bins[Disposition.ASIDE] == [second]


class FailingAt:
    """Contacts that fail at one instruction in each of the first sessions, None for a session that does not."""

    def __init__(self, fault: Callable[[], bytes], *instructions: int | None) -> None:
        self.fault, self.instructions = fault, list(instructions)

    def __call__(self, card: SimCard) -> Transport:
        instruction = self.instructions.pop(0) if self.instructions else None
        return MakersChip(card, Maker(lambda apdu, answer: self.fault() if apdu[1] == instruction else answer))


def pulled() -> bytes:
    raise CardGone("the card was removed")


@pytest.mark.parametrize("torn", [0, 1], ids=["at-once", "torn-before-its-serial"])
def test_a_chip_whose_serial_another_lane_verified_meanwhile_is_no_card(bench: Bench, torn: int) -> None:
    """Two lanes have chips of one serial: the second verifies it, and the first has not left its slot since."""
    chip, verified = bench.chip(), []

    def steal(event: LaneEvent) -> None:
        if event.step == "read back" and not verified:
            claim = bench.registry.line.claim(bench.batch, "lane 9", "other", chip.chip_serial, timedelta(minutes=2))
            assert isinstance(claim, Claim)
            verified.append(bench.registry.line.verified(claim, {}, 1.0))

    rack = Rack([chip], wrap=FailingAt(pulled, None, *[SELECT] * torn))
    assert bench.run(rack, on_event=steal).counts == {CardOutcome.AGAIN: 1 + torn, ASIDE: 1}
    assert rack.bins[Disposition.ASIDE] == [chip]
    assert bench.accounts.balanced


@pytest.mark.parametrize("fault", [b"\x6f\x00", b""], ids=["refused", "mute"])
def test_a_known_card_that_cannot_be_read_is_put_aside_and_stays_verified(bench: Bench, fault: bytes) -> None:
    chip = bench.chip()
    bench.run(Rack([chip]))
    rack = Rack([chip], wrap=Maker(lambda apdu, answer: fault or answer[:7] if apdu[1] == UPDATE else answer))
    result = bench.run(rack)
    assert rack.bins[Disposition.ASIDE] == [chip]
    assert not result.fault
    assert bench.accounts.verified == 1


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
@pytest.mark.parametrize("later", [SELECT, GET_DATA], ids=["select", "get-data"])
@pytest.mark.parametrize("fault", [pulled, lambda: b"", lambda: b"\x6f\x00"], ids=["pulled", "mute", "refused"])
def test_a_known_card_that_no_longer_gives_its_serial_is_put_aside_and_the_lane_goes_on(
    bench: Bench, kind: tuple[int, LinkProtocol], later: int, fault: Callable[[], bytes]
) -> None:
    card, blank = bench.chip(kind), bench.chip(kind)
    bench.run(Rack([card]))
    rack = Rack([card, blank], wrap=FailingAt(fault, UPDATE, later, later))
    result = bench.run(rack)
    assert not result.fault, result.message
    assert (rack.bins[Disposition.ASIDE], rack.bins[Disposition.REJECT]) == ([card], [])
    assert rack.bins[Disposition.DONE] == [blank]
    assert (bench.accounts.verified, bench.registry.line.rejects(bench.batch)) == (2, [])


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
@pytest.mark.parametrize("at", [UPDATE, OPTIONS, READ_RECORD], ids=["update", "options", "record"])
@pytest.mark.parametrize("fault", [pulled, lambda: b"", lambda: b"\x90\x00"], ids=["pulled", "mute", "cut"])
def test_a_known_card_whose_proof_is_torn_once_is_known_at_the_next_try(
    bench: Bench, kind: tuple[int, LinkProtocol], at: int, fault: Callable[[], bytes]
) -> None:
    card = bench.chip(kind)
    bench.run(Rack([card]))
    rack = Rack([card], wrap=FailingAt(fault, at))
    assert bench.run(rack).counts == {CardOutcome.AGAIN: 1, KNOWN: 1}
    assert rack.bins[Disposition.DONE] == [card]
    assert (bench.accounts.verified, bench.registry.line.rejects(bench.batch)) == (1, [])


def test_a_known_card_that_dies_in_the_slot_is_put_aside_and_stays_verified(bench: Bench) -> None:
    class Dies(Rack):
        connects = 0

        def connect(self) -> Transport:
            self.connects += 1
            if self.connects > 1 and self.chips[0] is card:
                raise NoCard("the card does not answer to reset")
            return super().connect()

    card, blank = bench.chip(), bench.chip()
    bench.run(Rack([card]))
    rack = Dies([card, blank], ["tear-apdu:2"])
    result = bench.run(rack)
    assert (result.fault, result.counts) == (False, {CardOutcome.AGAIN: 1, ASIDE: 1, VERIFIED: 1})
    assert rack.bins[Disposition.ASIDE] == [card]
    assert (bench.accounts.verified, bench.registry.line.rejects(bench.batch)) == (2, [])


def add_keys(chip: VirtualCard, version: int, kind: int, identifiers: tuple[int, ...], size: int = 16) -> None:
    keys = [Key(number, kind, bytes(range(0x90, 0x90 + size))) for number in identifiers]
    KeyRing(chip._nvm.scope("isd"), 10).put(version, keys)


BESIDE = [
    pytest.param([(v, DES, (1,)) for v in (0x70, 0x71, 0x72, 0x73)], id="tokens-receipts-dap"),
    pytest.param([(0x70, 0xA1, (1, 2)), (0x73, AES, (1,))], id="rsa-and-aes"),
    pytest.param([(0x01, DES, (1, 2, 3)), (0x40, DES, (1, 2, 3)), (0x42, AES, (1, 2, 3))], id="other-channels"),
    pytest.param([(0x22, DES, (1, 2, 3)), (0x73, DES, (1,))], id="scp02-range"),
]


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
@pytest.mark.parametrize("sets", BESIDE)
def test_key_sets_beside_those_of_the_channel_stay_and_reject_no_chip(
    bench: Bench, kind: tuple[int, LinkProtocol], sets: list[tuple[int, int, tuple[int, ...]]]
) -> None:
    chip = bench.chip(kind)
    stock = chip.key_versions[0]
    for version, key_kind, identifiers in sets:
        add_keys(chip, version, key_kind, identifiers)
    assert bench.run(Rack([chip])).counts == {VERIFIED: 1}
    final = 0x20 if kind is SCP02 else 0x31
    assert set(chip.key_versions) == {version for version, _, _ in sets} | {final}
    assert stock not in chip.key_versions
    assert bench.run(Rack([chip])).counts == {KNOWN: 1}


def test_stock_keys_that_stay_beside_the_final_ones_are_detected(bench: Bench) -> None:
    """A chip that adds where it should replace, though it lists nothing unusual by number."""
    chip = bench.chip()
    stock = KeyRing(chip._nvm.scope("isd"), 10).keys(0x30)

    def answer(apdu: bytes, response: bytes) -> bytes:
        if apdu[1] == 0xD8:
            KeyRing(chip._nvm.scope("isd"), 10).put(0x30, stock)
        return response

    assert bench.run(Rack([chip], wrap=Maker(answer))).counts == {REJECTED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert reject.code == "read-back-keys"
    assert "the stock keys still open 30" in reject.reason


def test_an_answer_that_is_cut_does_not_say_that_the_stock_keys_open_nothing(bench: Bench) -> None:
    """The stock keys stay, and the first answer of the read-back about their key set is garbled."""
    chip, seen = bench.chip(), []
    stock = KeyRing(chip._nvm.scope("isd"), 10).keys(0x30)

    def answer(apdu: bytes, response: bytes) -> bytes:
        if apdu[1] == 0xD8:
            KeyRing(chip._nvm.scope("isd"), 10).put(0x30, stock)
        if apdu[1:3] == bytes((UPDATE, 0x30)) and 0x31 in chip.key_versions:
            seen.append(apdu)
            return b"\x90\x00" if len(seen) == 1 else response
        return response

    assert bench.run(Rack([chip], wrap=Maker(answer))).counts == {CardOutcome.AGAIN: 1, REJECTED: 1}
    assert bench.registry.line.rejects(bench.batch)[0].code == "read-back-keys"


@pytest.mark.parametrize("identifiers", [(1,), (1, 2, 3)], ids=["dap", "channel"])
@pytest.mark.parametrize(("kind", "version", "key_kind"), [(SCP03, 0x20, DES), (SCP02, 0x31, AES)], ids=str)
def test_a_key_set_with_the_number_of_the_final_keys_of_another_protocol_is_in_nobodys_way(
    bench: Bench, kind: tuple[int, LinkProtocol], version: int, key_kind: int, identifiers: tuple[int, ...]
) -> None:
    chip = bench.chip(kind)
    add_keys(chip, version, key_kind, identifiers)
    assert bench.run(Rack([chip])).counts == {VERIFIED: 1}
    assert set(chip.key_versions) == {version, 0x31 if kind is SCP03 else 0x20}
    assert bench.run(Rack([chip])).counts == {KNOWN: 1}


def test_a_key_of_another_use_with_the_number_of_the_final_keys_is_seen_before_the_first_change(bench: Bench) -> None:
    chip = bench.chip()
    add_keys(chip, 0x31, AES, (1,))
    assert bench.run(Rack([chip])).counts == {REJECTED: 1}
    assert bench.registry.line.rejects(bench.batch)[0].code == "key-version-taken"
    assert set(chip.key_versions) == {0x30, 0x31}


def test_two_sets_of_stock_keys_are_seen_before_the_first_change(bench: Bench) -> None:
    chip, maker = bench.chip(), Maker()
    ring = KeyRing(chip._nvm.scope("isd"), 10)
    ring.put(0x33, ring.keys(0x30))
    assert bench.run(Rack([chip], wrap=maker)).counts == {REJECTED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert reject.code == "stock-keys-twice"
    assert "30, 33" in reject.reason
    assert not {0xE6, 0xE2, 0xD8, 0xF0, AUTHENTICATE} & {apdu[1] for apdu in maker.commands}


def test_a_foreign_key_set_with_the_number_of_the_final_keys_is_seen_before_the_first_change(bench: Bench) -> None:
    chip, maker = bench.chip(), Maker()
    add_keys(chip, 0x31, AES, (1, 2, 3))
    assert bench.run(Rack([chip], wrap=maker)).counts == {REJECTED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert reject.code == "key-version-taken"
    assert not {0xE6, 0xE2, 0xD8, 0xF0} & {apdu[1] for apdu in maker.commands}
    assert set(chip.key_versions) == {0x30, 0x31}


@pytest.mark.parametrize(("kind", "version"), [(SCP02, 0x20), (SCP03, 0x31), (SCP02, 0x31), (SCP03, 0x20)], ids=str)
def test_factory_keys_under_the_number_of_the_final_keys_are_recognized_by_what_they_prove(
    bench: Bench, kind: tuple[int, LinkProtocol], version: int
) -> None:
    chips, maker = [bench.chip(kind, key_version=version) for _ in range(3)], Maker()
    assert bench.run(Rack(chips, wrap=maker)).counts == {VERIFIED: 3}
    assert {card_on(chip)[1] for chip in chips} == {1}
    final = 0x20 if kind is SCP02 else 0x31
    assert [chip.key_versions for chip in chips] == [[final]] * 3
    assert maker.count(AUTHENTICATE) == 9, "one for the line and two for the read-back of each chip"
    assert bench.run(Rack(chips)).counts == {KNOWN: 3}
    bench.check_all_issued()


def test_keys_of_nobody_under_the_number_of_the_final_keys_spend_no_try(bench: Bench) -> None:
    chip, maker = bench.chip(SCP02, key_version=0x20, kmc=Secret(bytes(range(0x61, 0x71)))), Maker()
    assert bench.run(Rack([chip], wrap=maker)).counts == {REJECTED: 1}
    assert maker.count(AUTHENTICATE) == 0
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.bin, reject.code) == ("2 keys", "not-genuine")


@pytest.mark.parametrize("i", [0x05, 0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75])
def test_the_scp02_option_of_the_card_data_reaches_the_channel(bench: Bench, i: int) -> None:
    assert bench.run(Rack([bench.chip(SCP02, i=i)])).counts == {VERIFIED: 1}


@pytest.mark.parametrize("i", [0x05, 0x25, 0x55])
def test_the_scp02_option_is_read_from_the_card_data_where_the_fci_has_none(bench: Bench, i: int) -> None:
    fci = bytes.fromhex("6F108408A000000151000000A5049F6501FF9000")
    maker = Maker(lambda apdu, answer: fci if apdu[:5] == b"\x00\xa4\x04\x00\x00" else answer)
    chip = bench.chip((2, LinkProtocol.T1), i=i)
    assert bench.run(Rack([chip], wrap=maker)).counts == {VERIFIED: 1}


def kinds_of_keys(old: int, new: int) -> Answer:
    """Key information that names another key type than the chip has."""

    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:4] != b"\xca\x00\xe0":
            return answer
        return answer.replace(bytes((old, 0x10)), bytes((new, 0x10)))

    return answer


@pytest.mark.parametrize(
    ("scp", "answer"),
    [
        pytest.param(2, kinds_of_keys(0x80, 0x88), id="scp02-that-names-aes"),
        pytest.param(3, kinds_of_keys(0x88, 0x80), id="scp03-that-names-des"),
        pytest.param(2, data_object(0xE0, b"\x6a\x88"), id="scp02-without-key-information"),
        pytest.param(3, data_object(0xE0, b"\x6a\x88"), id="scp03-without-key-information"),
        pytest.param(2, data_object(0xE0, b"\x90\x00"), id="scp02-with-empty-key-information"),
        pytest.param(3, data_object(0xE0, b"\x90\x00"), id="scp03-with-empty-key-information"),
        pytest.param(3, data_object(0xE0, b"\xe0\x00\x90\x00"), id="scp03-with-an-empty-template-of-keys"),
        pytest.param(3, data_object(0x66, b"\x6a\x88"), id="scp03-without-card-data"),
        pytest.param(3, data_object(0x66, b"\x90\x00"), id="scp03-with-empty-card-data"),
    ],
)
def test_the_protocol_is_that_of_the_answer_to_initialize_update(bench: Bench, scp: int, answer: Answer) -> None:
    chips = [bench.chip((scp, LinkProtocol.T1)) for _ in range(2)]
    assert bench.run(Rack(chips, wrap=Maker(answer))).counts == {VERIFIED: 2}
    assert {tuple(chip.key_versions) for chip in chips} == {(0x20,) if scp == 2 else (0x31,)}
    assert bench.run(Rack(chips, wrap=Maker(answer))).counts == {KNOWN: 2}


def test_r_mac_in_the_profile_is_left_out_for_scp02(bench: Bench) -> None:
    line = bench.profile.line.model_copy(update={"secure_channel": "c-mac c-enc r-mac r-enc"})
    job = replace(bench.job(), profile=bench.profile.model_copy(update={"line": line}))
    assert bench.run(Rack([bench.chip(SCP02), bench.chip(SCP03)]), job=job).counts == {VERIFIED: 2}


def test_key_information_that_is_lost_once_is_read_again(bench: Bench) -> None:
    """A torn answer does not hide a key set with the number of the final keys."""
    chip, torn = bench.chip(), []
    add_keys(chip, 0x31, DES, (1,))

    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:4] != b"\xca\x00\xe0" or torn:
            return answer
        torn.append(answer)
        return b"\x90\x00"

    assert bench.run(Rack([chip], wrap=Maker(answer))).counts == {REJECTED: 1}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert reject.code == "key-version-taken"


@pytest.mark.parametrize("i", [0x00, 0x10, 0x20, 0x30, 0x60, 0x70])
@pytest.mark.parametrize("level", ["c-mac c-enc r-mac", "c-mac c-enc r-mac r-enc"])
def test_protection_of_responses_that_a_chip_does_not_have_is_left_out(bench: Bench, i: int, level: str) -> None:
    """The profile asks for more than R-MAC (20) and R-ENCRYPTION (60) in the option of some chips."""
    line = bench.profile.line.model_copy(update={"secure_channel": level})
    job = replace(bench.job(), profile=bench.profile.model_copy(update={"line": line}))
    maker = Maker()
    assert bench.run(Rack([bench.chip(SCP03, i=i)], wrap=maker), job=job).counts == {VERIFIED: 1}
    opened = next(apdu[2] for apdu in maker.commands if apdu[1] == AUTHENTICATE)
    wanted = 0x33 if level.endswith("r-enc") else 0x13
    assert opened == wanted & (0x33 if i & 0x60 == 0x60 else 0x13 if i & 0x20 else 0x03)


def test_a_list_that_is_cut_is_completed_by_name(bench: Bench) -> None:
    """GET STATUS that ends within an entry with 9000: what the dossier needs is asked for by its AID."""
    other = bytes.fromhex("E3 0E 4F 07 A0000000620101 9F70 01 01")
    lists: list[bytes] = []

    def answer(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1:3] != b"\xf2\x20" or answer[-2:] != b"\x90\x00":
            return answer
        lists.append(answer)
        return other + answer[:12] + b"\x90\x00" if len(lists) == 1 else answer

    assert bench.run(Rack([bench.chip()], wrap=Maker(answer))).counts == {VERIFIED: 1}
    assert len(lists) == 2
