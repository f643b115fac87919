"""Whole histories of a batch: chips fall out, die, are swapped and given up, stations die; it always ends well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import RegistryConflict
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, Transport
from terminal.errors import NoCard
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Killed, Rack, fast_directory
from tests.support.thorough import repeats

MEMBERS, CHIPS = 3, 6

faults = st.lists(
    st.builds(
        "{}:{}{}".format,
        st.sampled_from(("tear-apdu", "mute", "corrupt")),
        st.integers(0, 60),
        st.just(""),
    ),
    unique_by=lambda fault: fault.partition(":")[2],
    max_size=5,
)
presentation = st.tuples(
    st.lists(st.integers(0, CHIPS - 1), min_size=1, max_size=3, unique=True),  # these chips, in this order
    faults,
    st.one_of(st.none(), st.integers(0, 120)),  # the station dies at this exchange
    st.sets(st.integers(0, CHIPS - 1), max_size=1),  # these give no answer to reset from now on
    st.booleans(),  # afterwards the operator gives up every chip that is still awaited
)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, MEMBERS)


class Slot(Rack):
    """A rack with dead chips, under a station that dies at its ``dies_at``-th exchange."""

    dead: set[VirtualCard]
    dies_at: int | None
    exchanges = 0

    def connect(self) -> Transport:
        if self.chips and self.chips[0] in self.dead:
            raise NoCard("the card does not answer to reset")
        card = super().connect()
        assert isinstance(card, SimCard)
        exchange = card.exchange

        def counted(apdu: bytes) -> bytes:
            self.exchanges += 1
            if self.exchanges - 1 == self.dies_at:
                raise Killed
            return exchange(apdu)

        card.exchange = counted  # type: ignore[method-assign]
        return card


@settings(max_examples=repeats(10, 400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(presentation, min_size=1, max_size=6), scp02=st.booleans())
def test_any_history_ends_with_one_card_for_each_member(
    prepared: Bench, history: list[tuple[list[int], list[str], int | None, set[int], bool]], scp02: bool
) -> None:
    kind = SCP02 if scp02 else SCP03
    with prepared.copied() as bench:
        chips = [bench.chip(kind) for _ in range(CHIPS)]
        dead: set[VirtualCard] = set()
        for order, struck, dies_at, dying, give_up in history:
            dead |= {chips[n] for n in dying}
            slot = Slot([chips[n] for n in order], struck)
            slot.dead, slot.dies_at = dead, dies_at
            with suppress(Killed):
                result = bench.run(slot, job=bench.job(lease=timedelta(0)), idle=1)
                assert not result.fault, result.message
            slot.close()
            assert bench.accounts.balanced
            if give_up:
                _give_up_all(bench)
            assert bench.accounts.balanced
            _check_bins(bench, slot)
        _bring_back(bench, [chip for chip in chips if chip not in dead])
        _give_up_all(bench)
        bench.finish(kind)
        bench.check_all_issued()


def _give_up_all(bench: Bench) -> None:
    for bound in bench.registry.line.bound_chips(bench.batch):
        with suppress(RegistryConflict):
            bench.registry.line.release_missing(bench.batch, bound.chip_serial, "operator", reason="chip lost")


def _bring_back(bench: Bench, chips: list[VirtualCard]) -> None:
    """Chips that still have a dossier go on with it."""
    awaited = {bound.chip_serial: bound.card_number for bound in bench.registry.line.bound_chips(bench.batch)}
    for chip in chips:
        if chip.chip_serial in awaited:
            bench.run(Rack([chip]))
    for card in bench.registry.cards.of_batch(bench.batch):
        assert awaited.get(card.chip_serial, card.card_number) == card.card_number


def _check_bins(bench: Bench, slot: Slot) -> None:
    """What lies in a bin is on record there."""
    verified = {card.chip_serial for card in bench.registry.cards.of_batch(bench.batch)}
    rejected = {reject.chip_serial for reject in bench.registry.line.rejects(bench.batch)}
    assert {chip.chip_serial for chip in slot.bins[Disposition.DONE]} <= verified
    for chip in slot.bins[Disposition.REJECT]:
        assert chip.chip_serial in rejected or any(serial.startswith("UNREAD-") for serial in rejected)
