"""One chip at a time: what a presentation still does, for every row of the table of states, and what it writes down."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from personalize.errors import DossierError
from personalize.line.execute import process
from personalize.line.outcome import CardOutcome, CardReport
from personalize.profiles.profile import default_profile
from registry.values import Claim, JournalEvent
from simulators.card.content import ApplicationLifeCycle, CardLifeCycle, Instance, LoadFile
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.cards.card_bench import MEMBER_AID, SCP02, SCP03, Bench, Killed, card_on, fast_directory
from tests.support.registry.wrapped import replaced

MEMBERS = 4
LEASE = timedelta(minutes=2)
INSTALL, STORE_DATA, PUT_KEY, SET_STATUS, DELETE = 0xE6, 0xE2, 0xD8, 0xF0, 0xE4
AUTHENTICATE, UPDATE = 0x82, 0x50
CHANGES = (INSTALL, STORE_DATA, PUT_KEY, SET_STATUS, DELETE)


class Watched:
    """A transport that writes down INS, P1 and P2, and whose host dies at the ``nth`` command of one INS, if asked."""

    def __init__(self, chip: VirtualCard, dies_at: tuple[int, int] = (0, 0), *, after: bool = False) -> None:
        self._card = SimCard(chip, chip.config.protocol)
        self._dies_at, self._after = dies_at, after
        self.atr, self.protocol, self.extended_length = self._card.atr, self._card.protocol, self._card.extended_length
        self.reset, self.close = self._card.reset, self._card.close
        self.headers: list[tuple[int, int, int]] = []

    def exchange(self, apdu: bytes) -> bytes:
        self.headers.append((apdu[1], apdu[2], apdu[3]))
        if self.count(apdu[1]) == self._dies_at[1] and apdu[1] == self._dies_at[0]:
            if self._after:
                self._card.exchange(apdu)
            raise Killed
        return self._card.exchange(apdu)

    def count(self, ins: int) -> int:
        return sum(header[0] == ins for header in self.headers)

    @property
    def changes(self) -> list[tuple[int, int]]:
        """Commands that change the chip, by INS and P1; STORE DATA once, however many blocks it takes."""
        seen = [(ins, p1) for ins, p1, _ in self.headers if ins in CHANGES and ins != STORE_DATA]
        if first := self.first(STORE_DATA):
            seen.insert(sum(h[0] in CHANGES for h in self.headers[: self.headers.index(first)]), (STORE_DATA, 0))
        return seen

    def first(self, ins: int) -> tuple[int, int, int] | None:
        return next((header for header in self.headers if header[0] == ins), None)


def present(bench: Bench, chip: VirtualCard, **options: object) -> tuple[CardReport, Watched]:
    """One presentation by a process of its own."""
    card = Watched(chip)
    report = process(card, bench.job(), "lane 1", lambda serial: False, **options)  # type: ignore[arg-type]
    card.close()
    return report, card


def die(bench: Bench, chip: VirtualCard, ins: int, nth: int, *, after: bool) -> None:
    card = Watched(chip, (ins, nth), after=after)
    with pytest.raises(Killed):
        process(card, bench.job(), "lane 1", lambda serial: False)
    card.close()


MAKE, CHOOSE = (INSTALL, 0x0C), (INSTALL, 0x20)
STORE, ROTATE, SECURE = (STORE_DATA, 0), (PUT_KEY, 0), (SET_STATUS, 0x80)
ALL = [MAKE, CHOOSE, STORE, ROTATE, SECURE, SECURE]

ROWS = [
    # the station dies at                        and the next presentation changes
    pytest.param((UPDATE, 1), False, ALL, id="1-bound"),
    pytest.param((AUTHENTICATE, 1), False, ALL, id="2-before-authentication"),
    pytest.param((AUTHENTICATE, 1), True, ALL, id="2-authenticated"),
    pytest.param((INSTALL, 1), False, ALL, id="3-before-the-installation"),
    pytest.param((INSTALL, 1), True, ALL[1:], id="3-installed"),
    pytest.param((INSTALL, 2), True, ALL[1:], id="4-chosen-for-personalization"),
    pytest.param((STORE_DATA, 1), True, ALL[1:], id="4-first-block"),
    pytest.param((STORE_DATA, 4), True, ALL[1:], id="4-some-blocks"),
    pytest.param((STORE_DATA, -1), False, ALL[1:], id="5-before-the-last-block"),
    pytest.param((STORE_DATA, -1), True, ALL[3:], id="5-last-block"),
    pytest.param((PUT_KEY, 1), False, ALL[3:], id="6-before-the-rotation"),
    pytest.param((PUT_KEY, 1), True, ALL[4:], id="6-rotated"),
    pytest.param((SET_STATUS, 1), True, ALL[5:], id="7-initialized"),
    pytest.param((SET_STATUS, 2), False, ALL[5:], id="7-before-secured"),
    pytest.param((SET_STATUS, 2), True, [], id="7-secured"),
    pytest.param((UPDATE, 2), True, [], id="8-in-the-read-back"),
]


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
@pytest.mark.parametrize(("moment", "after", "left"), ROWS)
def test_each_row_of_the_table(
    bench: Bench, kind: tuple[int, LinkProtocol], moment: tuple[int, int], after: bool, left: list[tuple[int, int]]
) -> None:
    """A returning chip is given what it still lacks, and nothing twice; all blocks again from the first."""
    ins, nth = moment
    chip = bench.chip(kind)
    die(bench, chip, ins, nth if nth > 0 else _blocks(bench, kind), after=after)
    (bound,) = [b for b in bench.registry.line.bound_chips(bench.batch) if b.chip_serial == chip.chip_serial]
    report, card = present(bench, chip)
    assert report.outcome is CardOutcome.VERIFIED
    assert report.card_number == bound.card_number
    assert [change if change[0] != PUT_KEY else ROTATE for change in card.changes] == left
    if store := card.first(STORE_DATA):
        assert store[2] == 0, "block 0 starts over"
    assert card_on(chip) == (report.card_number, 1)


def _blocks(bench: Bench, kind: tuple[int, LinkProtocol]) -> int:
    _, card = present(bench, bench.chip(kind))
    return card.count(STORE_DATA)


def test_a_complete_chip_without_a_record_is_read_back_and_recorded(bench: Bench) -> None:
    """Row 9: the station dies before `verified` is written, then again after it."""
    chip = bench.chip()

    def before_verified(*arguments: object) -> None:
        raise Killed

    def after_verified(*arguments: object) -> None:
        bench.registry.line.verified(*arguments)  # type: ignore[arg-type]
        raise Killed

    for verified in (before_verified, after_verified):
        job = bench.job(replaced(bench.registry, verified=verified))
        with pytest.raises(Killed):
            process(Watched(chip), job, "lane 1", lambda serial: False)
    card = bench.registry.cards.of_batch(bench.batch)[0]
    report, watched = present(bench, chip)
    assert (report.outcome, watched.changes) == (CardOutcome.KNOWN, [])
    assert card.card_number in report.reason


def test_the_key_set_that_the_chip_names_opens_it(bench: Bench) -> None:
    """Row 6: after PUT KEY the final version is asked for by number; before, whatever stock keys there are."""
    chip = bench.chip()
    die(bench, chip, PUT_KEY, 1, after=True)
    _, card = present(bench, chip)
    assert card.first(UPDATE) == (UPDATE, 0x31, 0)
    assert chip.key_versions == [0x31]


@pytest.mark.parametrize(
    "state", [ApplicationLifeCycle.INSTALLED, 0x87, 0x8F], ids=["not-selectable", "locked", "locked-done"]
)
def test_an_instance_in_any_other_state_is_installed_again(bench: Bench, state: int) -> None:
    chip = bench.chip()
    die(bench, chip, INSTALL, 1, after=True)
    chip.registry.set_state(bytes.fromhex(MEMBER_AID), state)
    report, card = present(bench, chip)
    assert report.outcome is CardOutcome.VERIFIED
    assert card.changes[:2] == [(DELETE, 0), MAKE]


def test_another_code_under_our_name_is_deleted_and_gets_no_secret(bench: Bench) -> None:
    chip, package, module = bench.chip(), bytes.fromhex("F0BAD0BAD0"), bytes.fromhex("F0BAD0BAD001")
    registry = chip.registry
    registry.add(LoadFile(package, (module,)))
    isd = bytes.fromhex("A000000151000000")
    registry.add(
        Instance(bytes.fromhex(MEMBER_AID), package, module, isd, 0, b"", int(ApplicationLifeCycle.SELECTABLE))
    )
    report, card = present(bench, chip)
    assert report.outcome is CardOutcome.VERIFIED
    assert card.changes[:2] == [(DELETE, 0), MAKE]


@pytest.mark.parametrize("state", [CardLifeCycle.CARD_LOCKED, CardLifeCycle.TERMINATED])
def test_a_chip_in_no_state_of_the_table_is_a_reject(bench: Bench, state: CardLifeCycle) -> None:
    chip = bench.chip()
    chip._nvm.scope("card")["state"] = bytes((state,))
    card = Watched(chip)
    report = process(card, bench.job(), "lane 1", lambda serial: True)
    assert report.outcome is CardOutcome.REJECTED
    assert card.changes == []
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.chip_serial, reject.bin, reject.reason) == (report.chip_serial, report.bin, report.reason)


def test_final_keys_on_an_empty_chip_are_no_state_of_this_line(bench: Bench) -> None:
    chip = bench.chip()
    die(bench, chip, PUT_KEY, 1, after=True)
    registry = chip.registry
    instance = registry.instance(bytes.fromhex(MEMBER_AID))
    assert instance is not None
    registry.remove(instance)
    report, card = present(bench, chip)
    assert (report.outcome, report.bin) == (CardOutcome.REJECTED, "3 data")
    assert "not in a state this line leaves" in report.reason
    assert card.changes == []
    assert bench.accounts.remade == 1


def test_the_journal_is_written_before_and_after_each_step(bench: Bench) -> None:
    chip = bench.chip()
    report, card = present(bench, chip)
    blocks = card.count(STORE_DATA)
    intent, done = JournalEvent.INTENT, JournalEvent.DONE
    written = [(entry.step, entry.event, entry.block) for entry in bench.registry.line.journal_of(bench.batch)]
    stored = [("store", done, block) for block in range(blocks)]
    stored.insert(blocks - 1, ("store", intent, None))  # before the last one, which turns the instance PERSONALIZED
    around = {step: [(step, intent, None), (step, done, None)] for step in report.steps if step != "identify"}
    around["store"][1:1] = stored
    assert written == [entry for step in report.steps if step != "identify" for entry in around[step]]
    assert list(report.steps) == ["identify", "authenticate", "install", "store", "keys", "secure", "read back"]


def test_a_report_counts_what_went_over_the_link(bench: Bench) -> None:
    report, card = present(bench, bench.chip())
    assert report.commands == len(card.headers)
    result = bench.registry.cards.card(report.card_number).result
    assert (result["commands"], result["bytes"]) == (report.commands, report.bytes_sent)
    assert (result["verdict"], result["proven"]) == ("ACTIVE", "offline dynamic")


def test_a_dossier_that_is_another_cards_stops_the_lane_before_the_chip_is_touched(bench: Bench) -> None:
    """Sealed blobs swapped in the database: the seal holds for one card number and sequence only."""
    chip = bench.chip()

    def swapped_claim(*arguments: object) -> Claim:
        claim = bench.registry.line.claim(*arguments)  # type: ignore[arg-type]
        other = bench.registry.line.claim(bench.batch, "lane 2", "station", "60010000000000010000", LEASE)
        assert isinstance(claim, Claim)
        assert isinstance(other, Claim)
        return replace(claim, sealed=other.sealed)

    card = Watched(chip)
    job = bench.job(replaced(bench.registry, claim=swapped_claim))
    with pytest.raises(DossierError, match="another card's"):
        process(card, job, "lane 1", lambda serial: False)
    assert card.count(UPDATE) == 0


def test_cards_prepared_before_breakfast_are_valid_at_once(bench: Bench) -> None:
    """At 6 in the morning in Beijing it is yesterday in UTC; the day on the card is Beijing's, and so is the line's."""
    beijing = timezone(timedelta(hours=8))
    job = replace(bench.job(), now=lambda: datetime(2026, 11, 22, 6, tzinfo=beijing))
    report = process(Watched(bench.chip()), job, "lane 1", lambda serial: False)
    assert report.outcome is CardOutcome.VERIFIED, report.reason


def test_a_garbled_serial_is_detected_when_the_chip_is_read_back(bench: Bench) -> None:
    """The first reading named a chip that is not there; what was bound to it is given up, and never verified."""
    chip = bench.chip()

    class Misread(Watched):
        def exchange(self, apdu: bytes) -> bytes:
            answer = super().exchange(apdu)
            if apdu[1:4] == b"\xca\x9f\x7f" and len(self.headers) < 4:
                return answer[:16] + bytes((answer[16] ^ 0x01,)) + answer[17:]
            return answer

    report = process(Misread(chip), bench.job(), "lane 1", lambda serial: False)
    assert (report.outcome, report.bin) == (CardOutcome.REJECTED, "3 data")
    assert "another serial" in report.reason
    again, _ = present(bench, chip)
    assert (again.outcome, again.bin) == (CardOutcome.REJECTED, "3 data"), "it carries a card that is on the hotlist"
    bench.finish()
    bench.check_all_issued()


def test_a_dossier_that_does_not_open_is_held_against_no_chip(bench: Bench) -> None:
    def claim_of_another_backup(*arguments: object) -> Claim:
        claim = bench.registry.line.claim(*arguments)  # type: ignore[arg-type]
        assert isinstance(claim, Claim)
        return replace(claim, sealed=replace(claim.sealed, blob=bytes(len(claim.sealed.blob))))

    chip = bench.chip()
    job = bench.job(replaced(bench.registry, claim=claim_of_another_backup))
    with pytest.raises(DossierError, match="are registry and keystore a pair"):
        process(Watched(chip), job, "lane 1", lambda serial: True)
    assert bench.accounts.chips_rejected == 0
    assert present(bench, chip)[0].outcome is CardOutcome.VERIFIED


def test_two_chips_of_one_serial_do_not_take_the_dossier_from_each_other_for_ever(bench: Bench) -> None:
    chip = bench.chip()

    def taken_over(step: str, card_number: str) -> None:
        if step == "keys":
            bench.registry.line.claim(bench.batch, "lane 2", "station", chip.chip_serial, LEASE)

    outcomes = [
        process(Watched(chip), bench.job(), "lane 1", lambda serial, last=last: last, taken_over).outcome  # type: ignore[misc]
        for last in (False, True)
    ]
    assert outcomes == [CardOutcome.AGAIN, CardOutcome.ASIDE]
    assert bench.accounts.claimed == 1
    again, _ = present(bench, chip)
    assert (again.outcome, again.code) == (CardOutcome.ASIDE, "doubled")
    assert [doubled.chip_serial for doubled in bench.registry.line.doubled_chips(bench.batch)] == [chip.chip_serial]


def test_an_instance_may_have_a_name_of_its_own() -> None:
    shipped = default_profile()
    own = shipped.model_copy(update={"member": shipped.member.model_copy(update={"aid": "F04D454D4245520199"})})
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=own)
        chip = bench.chip()
        outcomes = [present(bench, chip)[0].outcome for _ in range(2)]
        bench.registry.close()
    assert outcomes == [CardOutcome.VERIFIED, CardOutcome.KNOWN]
