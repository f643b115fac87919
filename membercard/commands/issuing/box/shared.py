"""What the commands of boxes share: their options, and how boxes and steps are printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission

if TYPE_CHECKING:
    from registry.handover.values import Box, Move
    from registry.store import Registry

MOST = 500
BoxId = Annotated[str, typer.Argument(help="Box number, such as X20261122-001.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]


def take_move(by: str | None, json: bool, change: Callable[[Registry, str], Move]) -> None:
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        move = change(registry, person)
    if json:
        output.as_json(move)
    elif move.undoable:
        output.say(
            "{step}: {count} cards. Undo this with: membercard box undo {move}",
            step=text(move.step),
            count=move.cards,
            move=move.id,
        )
    else:
        output.say("{step}: {count} cards", step=text(move.step), count=move.cards)
    identity.note_unproven(person)


def lines(registry: Registry, box: str, named: Sequence[str]) -> list[str]:
    """Cards of a box, where a number of up to four digits is a line of its delivery list. Raises NotOnRecord."""
    return [registry.boxes.card_of_line(box, int(one)) if one.isdecimal() and len(one) <= 4 else one for one in named]


def show_boxes(boxes: Sequence[Box]) -> None:
    rows = [
        (
            box.id,
            box.batch_id,
            "、".join(box.units),
            text(box.stage.value),
            box.cards,
            box.ticked,
            box.signed,
            box.unsigned,
            text(box.level) if box.level else "",
            box.recipient,
        )
        for box in boxes
    ]
    numbers = ["cards", "ticked", "signed", "unsigned"]
    columns = ["box", "batch", "units", "state", *numbers, "level", "recipient"]
    output.show(output.table("Boxes", columns, rows, right=numbers))


def show_steps(moves: Sequence[Move]) -> None:
    rows = [
        (
            move.id,
            output.local_time(move.at),
            text(move.step),
            move.cards,
            move.unsigned or "",
            move.box_id,
            text(move.level) if move.level else "",
            move.recipient,
            language.person(move.by),
            text("undone") if move.undone_at else text("undoable") if move.undoable else "",
        )
        for move in moves
    ]
    columns = ["number", "time", "step", "cards", "unsigned", "box", "level", "recipient", "by", "state"]
    output.show(output.table("Steps of many cards", columns, rows, right=["number", "cards", "unsigned"]))
