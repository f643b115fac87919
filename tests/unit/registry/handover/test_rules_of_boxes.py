"""Rules of boxes and moves that the database holds by itself, whatever the program does."""

from __future__ import annotations

from sqlalchemy import text

from registry.errors import RegistryConflict
from registry.handover.values import Level
from registry.store import Registry
from registry.values import CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import carded, claimed, ready

OPEN, CLOSED, SENT = "X20261122-001", "X20261122-002", "X20261122-003"
_INSERT = "INSERT INTO box_cards (box_id, card_number, sequence, unit_id, place) "
_MOVE = "INSERT INTO moves (step, at, by, reason, box_id, level, recipient, day, event_id, cards, unsigned) "
_LIKE = " FROM moves WHERE step = 'hand-over'"
FORBIDDEN = {
    "a card in two boxes": (
        ":boxed SELECT :open, card_number, sequence, unit_id, 9 FROM box_cards WHERE box_id = :closed"
    ),
    "a card put into a closed box": (
        ":boxed SELECT :closed, card_number, sequence, unit_id, 9 FROM box_cards WHERE box_id = :open"
    ),
    "a card of another batch": (
        ":boxed SELECT :open, c.card_number, c.sequence, m.unit_id, 9 FROM cards c JOIN members m ON "
        "m.id = c.member_id JOIN dossiers d ON d.id = c.dossier_id WHERE d.batch_id = 'B20261122-002'"
    ),
    "a box closed with a card missing": "UPDATE boxes SET stage = 'closed' WHERE id = :open",
    "a box that skips a stage": "UPDATE boxes SET stage = 'received' WHERE id = :closed",
    "a box given up with cards in it": "UPDATE boxes SET stage = 'discarded' WHERE id = :open",
    "a box forgotten": "DELETE FROM boxes WHERE id = :open",
    "a stage": "UPDATE boxes SET stage = 'lost' WHERE id = :open",
    "a tick taken back in a closed box": (
        "UPDATE box_cards SET ticked_at = NULL, ticked_by = NULL WHERE box_id = :closed"
    ),
    "a tick of nobody": "UPDATE box_cards SET ticked_at = CURRENT_TIMESTAMP WHERE box_id = :open",
    "a card signed for without a receipt": "UPDATE box_cards SET signed = true WHERE box_id = :sent",
    "a card of a box forgotten": "DELETE FROM box_cards WHERE box_id = :open",
    "a hand-over upwards": _MOVE + "SELECT 'hand-over', at, 'a', '', :sent, 'city', 'b', NULL, 0, 1, 0" + _LIKE,
    "a hand-over to oneself": _MOVE + "SELECT 'hand-over', at, 'a', '', :sent, 'unit', 'a', NULL, 0, 1, 0" + _LIKE,
    "a hand-over to nobody": _MOVE + "SELECT 'hand-over', at, 'a', '', :sent, 'unit', NULL, NULL, 0, 1, 0" + _LIKE,
    "a receipt without a day": _MOVE + "SELECT 'receipt', at, 'a', '', :sent, NULL, 'b', NULL, 0, 1, 0" + _LIKE,
    "more unsigned than cards": _MOVE
    + "SELECT 'receipt', at, 'a', '', :sent, NULL, 'b', '2026-11-22', 0, 1, 2"
    + _LIKE,
    "a move rewritten": "UPDATE moves SET recipient = 'c' WHERE step = 'hand-over'",
    "a move forgotten": "DELETE FROM moves",
    "a move undone twice": "UPDATE moves SET undone_by = 'c', undone_at = CURRENT_TIMESTAMP WHERE step = 'pack'",
    "a card of a move rewritten": "UPDATE move_cards SET before = 'active'",
    "a card of a move forgotten": "DELETE FROM move_cards",
}


def test_the_database_refuses(registry: Registry, custody: MemoryCustody) -> None:
    cards = carded(registry, custody, 3)
    for box in registry.boxes.create(cards[0].batch_id, "李娜", capacity=1):
        if box.id != OPEN:
            (card,) = registry.boxes.cards(box.id)
            registry.boxes.tick(box.id, card.card_number, "李娜")
            registry.boxes.close(box.id, "李娜")
    registry.boxes.hand_over(SENT, Level.DISTRICT, "赵静", "李娜")
    other = registry.line.verified(claimed(registry, ready(registry, custody, 1, "d2", 4), 4), {}, 1.0)
    packed = registry.moves.take("pack", CardState.PACKED, [other.card_number], "李娜", "")
    registry.moves.undo(packed.id, "李娜")

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                named = {":open": OPEN, ":closed": CLOSED, ":sent": SENT}
                for name, box in named.items():
                    statement = statement.replace(name, f"'{box}'")
                conn.execute(text(statement.replace(":boxed", _INSERT)))
        except RegistryConflict as error:
            return "contradicts" in str(error)
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []
