"""Every kind of blank stock the line knows: both secure channels, every way to diversify the stock keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from personalize.line.outcome import CardOutcome
from personalize.profiles.profile import Profile, parse_profile
from simulators.card.config import CardConfig, KeyDiversification
from simulators.readers.stock import blank, make_stock
from terminal.apdu import LinkProtocol, open_reader
from tests.support import issuer

KINDS = [
    (2, KeyDiversification.NONE),
    (2, KeyDiversification.VISA2),
    (2, KeyDiversification.EMV_CPS),
    (3, KeyDiversification.NONE),
    (3, KeyDiversification.KDF3),
]
"""VISA2 and EMV CPS derive 3DES keys, KDF3 AES keys; custody refuses the others."""


def profile_for(scp: int, method: KeyDiversification) -> Profile:
    """The shipped profile, with the stock's diversification as a supplier's own."""
    master = "kmc" if scp == 2 else "kmc-aes"
    supplier = (
        f"line: {{stock: {{suppliers: [{{key_data: '00', master: {master}, diversification: {method.value}}}]}}}}"
    )
    text = f'profile: stock\nscheme: "130000"\ncard_number: {{prefix: "91561300"}}\n{supplier}'
    return parse_profile(text, "stock.yaml")


@pytest.mark.parametrize(("scp", "method"), KINDS)
def test_a_card_of_this_stock_is_issued(tmp_path: Path, scp: int, method: KeyDiversification) -> None:
    profile = profile_for(scp, method)
    with issuer.registry(f"sqlite:///{tmp_path / 'r.db'}") as store:
        batch = issuer.prepared(store, 1, tmp_path, profile=profile)
        protocol = LinkProtocol.T0 if scp == 2 else LinkProtocol.T1
        list(
            make_stock(
                tmp_path / "stock", 1, CardConfig(chip=blank(), scp=scp, diversification=method, protocol=protocol)
            )
        )
        job = issuer.job(store, batch, profile)
        remake = partial(issuer.prepare, store, batch, tmp_path, profile)
        (result,) = PersonalizationLine(job, remake=remake).run([open_reader(f"sim:{tmp_path / 'stock'}")])
    assert result.counts.get(CardOutcome.VERIFIED) == 1, result
