"""Whatever happens to boxes and cards: every card of a batch is in exactly one place, and the counts agree."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry.errors import RegistryConflict
from registry.handover.values import BoxStage, CardPlace, Level
from registry.store import Registry
from registry.values import CardState
from tests.support.registry.registrar import SetClock, approved, claimed, custodian, new_registry, prepare, row
from tests.support.thorough import repeats

CARDS, UNITS = 6, ("后勤处", "教务处")
CARD = st.integers(0, CARDS - 1)
BOX = st.integers(0, 5)


class Packing(RuleBasedStateMachine):
    """Steps of boxes and cards in any order; a step that a rule forbids changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name, "registry.db")
        path.write_bytes(new_registry())
        path.chmod(0o600)
        custody = custodian()
        self.registry = Registry.open(f"sqlite:///{path}", custody, clock=SetClock())
        self.batch = approved(self.registry, [row(number, unit=UNITS[number % 2]) for number in range(1, CARDS + 1)])
        prepare(self.registry, custody, self.batch)
        self.numbers = [
            self.registry.line.verified(claimed(self.registry, self.batch, number), {}, 1.0).card_number
            for number in range(1, CARDS + 1)
        ]

    def teardown(self) -> None:
        self.registry.close()
        self.folder.cleanup()

    def box(self, place: int) -> str:
        boxes = self.registry.boxes.page(limit=500).items
        return boxes[place % len(boxes)].id if boxes else "X20261122-999"

    @rule(capacity=st.integers(1, 4), together=st.integers(0, 3))
    def create(self, capacity: int, together: int) -> None:
        self.attempt(
            lambda: self.registry.boxes.create(self.batch, "李娜", capacity=capacity, together=min(together, capacity))
        )

    @rule(box=BOX)
    def fill_and_close(self, box: int) -> None:
        chosen = self.box(box)
        for number in self.numbers:
            self.attempt(lambda number=number: self.registry.boxes.tick(chosen, number, "李娜"))  # type: ignore[misc]
        self.attempt(lambda: self.registry.boxes.close(chosen, "李娜"))

    @rule(box=BOX, card=CARD)
    def tick(self, box: int, card: int) -> None:
        self.attempt(lambda: self.registry.boxes.tick(self.box(box), self.numbers[card], "李娜"))

    @rule(box=BOX, card=CARD)
    def leave_out(self, box: int, card: int) -> None:
        self.attempt(lambda: self.registry.boxes.leave_out(self.box(box), [self.numbers[card]], "李娜", "x"))

    @rule(box=BOX)
    def discard(self, box: int) -> None:
        self.attempt(lambda: self.registry.boxes.discard(self.box(box), "李娜", "x"))

    @rule(box=BOX, level=st.sampled_from(Level))
    def hand_over(self, box: int, level: Level) -> None:
        self.attempt(lambda: self.registry.boxes.hand_over(self.box(box), level, "周敏", "李娜"))

    @rule(box=BOX, cards=st.sets(CARD, max_size=2), unit=st.sampled_from(["", *UNITS]))
    def receipt(self, box: int, cards: set[int], unit: str) -> None:
        back = [self.numbers[card] for card in cards]
        day = date(2026, 11, 22)
        self.attempt(lambda: self.registry.boxes.receipt(self.box(box), "周敏", day, "李娜", unsigned=back, unit=unit))

    @rule(cards=st.sets(CARD, min_size=1, max_size=3))
    def return_cards(self, cards: set[int]) -> None:
        self.attempt(lambda: self.registry.moves.return_cards([self.numbers[card] for card in cards], "李娜", "x"))

    @rule(card=CARD, state=st.sampled_from(["packed", "delivered", "active", "lost"]))
    def step(self, card: int, state: str) -> None:
        self.attempt(lambda: self.registry.cards.change(self.numbers[card], state, "李娜", "x"))

    @rule(move=st.integers(0, 3))
    def undo(self, move: int) -> None:
        moves = self.registry.moves.page().items
        if move < len(moves):
            undoable, refused = moves[move].undoable, False
            try:
                self.registry.moves.undo(moves[move].id, "王芳")
            except RegistryConflict:
                refused = True
            assert undoable is not refused, "what is offered is possible, and nothing else"

    def attempt(self, step: object) -> None:
        """The program refuses with a sentence, before the database does."""
        try:
            step()  # type: ignore[operator]
        except RegistryConflict as refused:
            if refused.reason == "contradiction":
                raise

    @invariant()
    def every_card_is_in_one_place(self) -> None:
        places = self.registry.boxes.places(self.batch)
        assert sum(places.values()) == CARDS
        inside = [
            (box, card)
            for box in self.registry.boxes.page(limit=500).items
            for card in self.registry.boxes.cards(box.id)
        ]
        keys = [(card.card_number, card.sequence) for _, card in inside]
        assert len(keys) == len(set(keys)), "no card is in two boxes"
        away = [(box, card) for box, card in inside if card.state in (CardState.VERIFIED, CardState.PACKED)]
        assert places[CardPlace.TICKED] == sum(box.stage is BoxStage.OPEN and card.ticked for box, card in away)
        assert places[CardPlace.TO_TICK] == sum(box.stage is BoxStage.OPEN and not card.ticked for box, card in away)
        assert places[CardPlace.UNSIGNED] == sum(card.signed is False for _, card in away)
        for box, card in away:
            assert box.stage is not BoxStage.DISCARDED
            assert box.stage is BoxStage.OPEN or card.state is CardState.PACKED, "a closed box has packed cards"
            assert box.stage is BoxStage.OPEN or card.ticked
            assert box.stage is not BoxStage.RECEIVED or card.signed is not None


Packing.TestCase.settings = settings(
    max_examples=repeats(12, 300), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPacking = Packing.TestCase
