"""The same line on PostgreSQL: the registry's other database, with lanes that claim side by side."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from personalize.line.outcome import CardOutcome
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.registry.postgres import Cluster

CARDS, LANES = 12, 4


@pytest.mark.postgres
def test_a_batch_runs_to_the_end(cluster: Cluster, tmp_path: Path) -> None:
    with issuer.registry(cluster.database()) as store:
        batch = issuer.prepared(store, CARDS, tmp_path)
        list(make_stock(tmp_path / "stock", CARDS, CardConfig(chip=blank())))
        readers = [open_reader(f"sim:{tmp_path / 'stock'}") for _ in range(LANES)]
        remake = partial(issuer.prepare, store, batch, tmp_path)
        results = PersonalizationLine(issuer.job(store, batch), remake=remake).run(readers)
        accounts = store.batches.accounts(batch)
        cards = store.cards.of_batch(batch)
    assert not [result.message for result in results if result.fault]
    assert sum(result.counts.get(CardOutcome.VERIFIED, 0) for result in results) == CARDS
    assert accounts.balanced
    assert (accounts.verified, accounts.chips_fed) == (CARDS, CARDS)
    assert len({card.card_number for card in cards}) == len({card.chip_serial for card in cards}) == CARDS
