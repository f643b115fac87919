"""`membercard card trace --explain` over a card of this issuer."""

from __future__ import annotations

from tests.support.cli import IssuerDirectory


def test_an_explained_trace_names_what_went_by_and_nobody(home: IssuerDirectory) -> None:
    out = home.cli.ok("card", "trace", "--reader", home.card, "--explain").out
    for text in ("AFL", "Card Risk Management Data Object List 1", "member name", "China (156, CN)", "DDA supported"):
        assert text in out
    for row in home.cli.ok("card", "read", "--reader", home.card, "--json").json["elements"]:
        if row["tag"] in ("5A", "DF24", "DF21"):
            assert row["value"] not in out
    exchanges = home.cli.ok("card", "trace", "--reader", home.card, "--explain", "--json").json["exchanges"]
    assert all(turn["response_data"] is None for turn in exchanges)
    assert any(turn["explained"] for turn in exchanges)
