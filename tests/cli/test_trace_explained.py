"""`membercard card trace --explain` over a card of this house."""

from __future__ import annotations

from tests.support.cli import IssuerDirectory


def test_an_explained_trace_names_what_went_by_and_nobody(house: IssuerDirectory) -> None:
    out = house.cli.ok("card", "trace", "--reader", house.card, "--explain").out
    for told in ("AFL", "Card Risk Management Data Object List 1", "member name", "China (156, CN)", "DDA supported"):
        assert told in out
    for row in house.cli.ok("card", "read", "--reader", house.card, "--json").json["elements"]:
        if row["tag"] in ("5A", "DF24", "DF21"):
            assert row["value"] not in out
    exchanges = house.cli.ok("card", "trace", "--reader", house.card, "--explain", "--json").json["exchanges"]
    assert all(turn["response_data"] is None for turn in exchanges)
    assert any(turn["explained"] for turn in exchanges)
