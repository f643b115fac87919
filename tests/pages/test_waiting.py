"""A second person chooses changes of cards in the browser and consents to them at once."""

from __future__ import annotations

from playwright.sync_api import expect

from registry.members.wanted import UpdateKind, UpdateState
from registry.values import CardState
from tests.support.service.pages import Served, Sessions


def test_all_changes_of_cards_are_chosen_and_consented_to(at: Served, sessions: Sessions) -> None:
    registry = at.service.registry
    issued = (card for batch in registry.batches.all() for card in registry.cards.of_batch(batch.id))
    numbers = [card.card_number for card in issued if card.state is CardState.ACTIVE][:2]
    wanted = {UpdateKind.PIN_UNBLOCK: b""}
    ordered = [registry.updates.want(one, wanted, by="registrar", reason="forgotten")[0].id for one in numbers]
    page, _ = sessions.open_page("reviewer", "en", path="/waiting")
    page.get_by_label("Choose all").check()
    expect(page.locator("input[name=change]:checked")).to_have_count(2)
    page.get_by_label(f"Change {ordered[1]}", exact=True).uncheck()
    page.get_by_role("button", name="Consent to the chosen ones").click()
    expect(page.get_by_text("Consented. Changes that run at the next insertion of their card: 1.")).to_be_visible()
    assert [registry.updates.change(one).state for one in ordered] == [UpdateState.PENDING, UpdateState.PROPOSED]
    for one in ordered:
        registry.updates.withdraw(one, by="registrar", reason="test")
