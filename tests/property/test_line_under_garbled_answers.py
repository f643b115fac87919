"""Whatever a chip or a bad contact answers, a lane judges the chip and goes on: no answer ends it or loses a card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.readers.reader import SimCard
from terminal.apdu import Disposition, LinkProtocol, Transport
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Rack, card_on, fast_directory
from tests.support.thorough import repeats

ROOM = 10
"""Dossiers of an example: one for each chip, and one for each serial that a garbled answer may give."""


class Garbler:
    """A contact that changes what passes: at each place of ``plan`` the answer (or the command) is another one."""

    def __init__(self, plan: dict[int, tuple[str, int, bytes]]) -> None:
        self.plan, self.passed = plan, 0

    def on(self, card: SimCard) -> Transport:
        return _Garbled(card, self)


class _Garbled:
    def __init__(self, card: SimCard, garbler: Garbler) -> None:
        self._card, self._garbler = card, garbler
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        how, at, value = self._garbler.plan.get(self._garbler.passed, ("", 0, b""))
        self._garbler.passed += 1
        if how == "command":
            return self._card.exchange(_flipped(apdu, at))
        answer = self._card.exchange(apdu)
        match how:
            case "flip":
                return _flipped(answer, at)
            case "cut":
                return answer[: at % len(answer)] + answer[-2:]
            case "replace":
                return value + answer[-2:]
            case "status":
                return answer[:-2] + (value + b"\x69\x85")[:2]
        return answer


def _flipped(data: bytes, bit: int) -> bytes:
    at = bit % (8 * len(data))
    return data[: at // 8] + bytes((data[at // 8] ^ 1 << at % 8,)) + data[at // 8 + 1 :]


plans = st.dictionaries(
    st.integers(0, 80),
    st.tuples(
        st.sampled_from(("flip", "cut", "replace", "status", "command")), st.integers(0, 4096), st.binary(max_size=40)
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, ROOM)


@pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02-t0", "scp03-t1"])
@settings(max_examples=repeats(20, 600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans)
def test_a_garbled_session(
    prepared: Bench, kind: tuple[int, LinkProtocol], plan: dict[int, tuple[str, int, bytes]]
) -> None:
    with prepared.copied() as bench:
        chips = [bench.chip(kind), bench.chip(kind)]
        rack = Rack(chips, wrap=Garbler(plan).on)
        result = bench.run(rack, max_consecutive_failures=9)
        assert not result.fault, result.message
        assert bench.accounts.balanced
        assert not rack.chips, "every chip was put somewhere"
        for issued in rack.bins[Disposition.DONE]:
            number, sequence = card_on(issued)
            card = bench.registry.cards.card(number)
            assert (card.sequence, card.chip_serial) == (sequence, issued.chip_serial)
        rejects = {reject.chip_serial for reject in bench.registry.line.rejects(bench.batch)}
        issued_serials = {card.chip_serial for card in bench.registry.cards.of_batch(bench.batch)}
        assert not rejects & issued_serials
