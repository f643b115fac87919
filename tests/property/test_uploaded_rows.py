"""Whatever a counter uploads is booked, a finding, or refused as no row of a journal: nothing else comes of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import RegistryConflict
from registry.programme.work import Upload
from registry.store import Registry
from terminal.errors import CodecError
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import JournalRow, RowKind
from tests.support.registry.redeemed import CountingChip, chips_of, counted, masters, park, prove_with, two_cards
from tests.support.registry.registrar import SetClock, custodian

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

NAMES = (
    "intent",
    "card",
    "sequence",
    "counter",
    "evidence",
    "redemption",
    "by",
    "reason",
    "bytes",
    "places",
    "through",
)
VALUES = st.one_of(st.integers(-1, 10**30), st.text(max_size=20), st.sampled_from(["", "00", "zz", "\x00", "1" * 18]))
TIMES = st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC))


class Ledger:
    """A registry with two cards and a park of two outlets."""

    def __init__(self, directory: Path, keys: MemoryCustody) -> None:
        custody = custodian()
        self.registry = Registry.open(f"sqlite:///{directory}/registry.db", custody, clock=SetClock())
        self.chips: list[CountingChip] = list(chips_of(keys, two_cards(self.registry, custody)))
        self.outlets, self.prove = park(self.registry), prove_with(keys)


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory), masters())
        yield ledger
        ledger.registry.close()


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[RowKind, datetime, dict[str, Any]]]:
    data = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
    return draw(st.lists(st.tuples(st.sampled_from(RowKind), TIMES, data), min_size=1, max_size=6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows(), st.integers(1, 2**53 - 1), st.sampled_from(["a" * 32, "b" * 32, "c" * 32]), st.integers(0, 1), st.booleans()
)
def test_no_upload_raises_anything_but_its_refusal(
    ledger: Ledger,
    sent: list[tuple[RowKind, datetime, dict[str, Any]]],
    first: int,
    journal: str,
    outlet: int,
    genuine: bool,
) -> None:
    if genuine:  # a real redemption with some of its values replaced
        sent = [(kind, at, {**counted(ledger.chips[0].redeem()), **data}) for kind, at, data in sent[:2]]
    try:
        taken = tuple(JournalRow(first + place, at, kind, data) for place, (kind, at, data) in enumerate(sent))
    except CodecError:
        return
    upload = Upload(journal, bytes(32), taken)
    refusal = ""
    try:
        result = ledger.registry.booking.book(ledger.outlets[outlet], upload, ledger.prove, by="till")
    except RegistryConflict as refused:
        refusal = refused.reason
    assert refusal in ("", "upload-rows", "journal-outlet")
    if not refusal:
        assert result.through == taken[-1].number
        again = ledger.registry.booking.book(ledger.outlets[outlet], upload, ledger.prove, by="till")
        assert (again.booked, again.reversed) == (0, 0)
