"""`membercard box`: boxes of cards, packed, handed over level by level and signed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.issuing.box import handover
from membercard.commands.issuing.box.shared import MOST, BoxId, Reason, lines, show_boxes, show_steps, take_move
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission
from registry.errors import RegistryConflict

if TYPE_CHECKING:
    from registry.handover.values import Box, Tick
    from registry.store import Registry

app = typer.Typer()


@app.command("create")
def create(
    batch: Annotated[str, typer.Argument(help="Batch number, such as B20261122-001.", show_default=False)],
    capacity: Annotated[int, typer.Option(help="The most cards of one box.", min=1)] = 100,
    together: Annotated[
        int, typer.Option(help="Units of at most so many cards share boxes, each behind a divider.", min=0)
    ] = 0,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Create the boxes of a batch, by unit, for all its cards that are in stock.

    Example: membercard box create B20261122-001 --capacity 200 --together 10
    """
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        boxes = registry.boxes.create(batch, person, capacity=capacity, together=together)
    if json:
        output.as_json(boxes)
    else:
        show_boxes(boxes)
        cards = sum(box.cards for box in boxes)
        output.say(
            "{count} boxes with {cards} cards. Fill them with: membercard box tick BOX", count=len(boxes), cards=cards
        )
    identity.note_unproven(person)


@app.command("list")
def list_boxes(
    batch: Annotated[str | None, typer.Option(help="Only boxes of this batch.", show_default=False)] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Only boxes at this stage: open, closed, sent, received, discarded.", show_default=False),
    ] = None,
    json: output.Json = False,
) -> None:
    """List boxes with their stage and how many cards are ticked off."""
    from registry.handover.values import BoxStage

    if stage is not None and stage not in set(BoxStage):
        raise typer.BadParameter("the stage is open, closed, sent, received or discarded")
    with settings.open_registry() as registry:
        boxes = every(lambda cursor: registry.boxes.page(cursor, MOST, batch_id=batch, stage=stage))
    if json:
        output.as_json(boxes)
    elif not boxes:
        output.say("No boxes yet. Create them with: membercard box create BATCH")
    else:
        show_boxes(boxes)


@app.command("show")
def show(box: BoxId, json: output.Json = False) -> None:
    """Show a box: its cards, which of them are missing, and its way so far."""
    with settings.open_registry() as registry:
        shown, cards = registry.boxes.box(box), registry.boxes.cards(box)
        steps = registry.moves.page(None, MOST, box_id=box).items
    if json:
        output.as_json({"box": shown, "cards": cards, "steps": steps})
        return
    show_boxes([shown])
    rows = [
        (
            card.place,
            f"{card.card_number}-{card.sequence}",
            card.name_masked,
            card.unit,
            text(card.state.value),
            "✓" if card.ticked else "",
            {None: "", True: "✓", False: text("unsigned")}[card.signed],
        )
        for card in cards
    ]
    columns = ["line", "card", "name", "unit", "state", "ticked", "signed"]
    output.show(output.table("", columns, rows, right=["line"]))
    if steps:
        show_steps(steps)


@app.command("places")
def places(
    batch: Annotated[str, typer.Argument(help="Batch number, such as B20261122-001.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Count the cards of a batch by place: every card is in exactly one."""
    with settings.open_registry() as registry:
        counts = registry.boxes.places(batch)
    if json:
        output.as_json({place.value: count for place, count in counts.items()})
        return
    title = text("Cards of batch {batch} by place", batch=batch)
    rows = [(text(place.value), count) for place, count in counts.items()]
    output.show(output.table(title, ["place", "cards"], rows, right=["cards"]))


@app.command("tick")
def tick(
    box: BoxId,
    cards: Annotated[
        list[str] | None,
        typer.Argument(
            help="Card numbers or chip serials; without any, they are read line by line, as a scanner types them.",
            show_default=False,
        ),
    ] = None,
    reader: Annotated[
        str,
        typer.Option(
            help="Tick off each card that is put into this reader: pcsc:NAME, pcsc:INDEX, serial:PORT or sim:CARDFILE.",
            show_default=False,
        ),
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the ticks back.")] = False,
    by: By = None,
) -> None:
    """Tick cards off that lie in a box.

    A card that belongs elsewhere is named and refused; the others go on. Exit code 1 where one was refused.

    Example: membercard box tick X20261122-001 6212260000000000012
    """
    refused = 0
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        last: Tick | None = None
        for scan in _scans(cards or [], reader):
            try:
                if undo:
                    card = registry.boxes.untick(box, scan, person)
                    output.say("{card}: missing again", card=f"{card.card_number}-{card.sequence}")
                    continue
                last = registry.boxes.tick(box, scan, person)
            except RegistryConflict as e:
                refused += 1
                typer.echo(f"membercard: {language.refusal(e.reason, e.params, str(e))}", err=True)
                continue
            number = f"{last.card.card_number}-{last.card.sequence}"
            if last.again:
                output.say("{card}: was ticked off before, {left} left", card=number, left=last.left)
            else:
                output.say("{card}: ticked off, {left} left", card=number, left=last.left)
    if last is not None and last.left == 0:
        output.say("{box} is complete. Close it with: membercard box close {box}", box=box)
    identity.note_unproven(person)
    if refused:
        raise typer.Exit(1)


@app.command("leave-out")
def leave_out(
    box: BoxId,
    cards: Annotated[
        list[str], typer.Argument(help="Card numbers, chip serials, or lines of the delivery list.", show_default=False)
    ],
    reason: Reason,
    by: By = None,
) -> None:
    """Take cards out of an open box; they stay in stock for another one."""
    _with_box(
        box, by, lambda registry, person: registry.boxes.leave_out(box, lines(registry, box, cards), person, reason)
    )


@app.command("discard")
def discard(box: BoxId, reason: Reason, by: By = None) -> None:
    """Give up an open box; its cards stay in stock for another one."""
    _with_box(box, by, lambda registry, person: registry.boxes.discard(box, person, reason))


@app.command("close")
def close(box: BoxId, by: By = None, json: output.Json = False) -> None:
    """Close a box whose cards are all ticked off: they are packed, all at once."""
    take_move(by, json, lambda registry, person: registry.boxes.close(box, person))


@app.command("list-sheet")
def list_sheet(
    box: BoxId,
    file: Annotated[
        Path, typer.Argument(help="Where to write it; .xlsx gives a workbook, .pdf a document.", show_default=False)
    ],
    labels: Annotated[bool, typer.Option("--labels", help="Write envelope labels instead of the list.")] = False,
    by: By = None,
) -> None:
    """Write the delivery list or the envelope labels of a box, with names in clear, which is audited.

    Example: membercard box list-sheet X20261122-001 list.pdf
    """
    from personalize.sheets import delivery_list, delivery_workbook
    from personalize.sheets import labels as envelopes

    ending = file.suffix.lower()
    if ending not in (".pdf", ".xlsx"):
        raise typer.BadParameter("the file ends in .pdf or .xlsx")
    if labels and ending != ".pdf":
        raise typer.BadParameter("labels are a .pdf file")
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        content = registry.boxes.sheet(box, person)
    if labels:
        written = envelopes.labels(content)
    elif ending == ".pdf":
        written = delivery_list.delivery_list(content)
    else:
        written = delivery_workbook.delivery_workbook(content)
    output.write_file(file, written)
    output.say("written to {file}; it has names in clear", file=file)
    identity.note_unproven(person)


@app.command("carriers")
def carriers(
    box: BoxId,
    file: Annotated[Path, typer.Argument(help="Where to write it; a .pdf file.", show_default=False)],
    unit: Annotated[str, typer.Option(help="Only this unit, by its whole name.", show_default=False)] = "",
    lines: Annotated[
        str, typer.Option(help="Only these lines of the delivery list, such as 3-7,9.", show_default=False)
    ] = "",
    window: Annotated[str, typer.Option(help="The window envelope: gb (DL and ZL) or din (DIN lang).")] = "gb",
    by: By = None,
) -> None:
    """Write the letters that the cards of a box are glued to, with names in clear, which is audited: one for each card,
    and a sheet before each unit.

    Example: membercard box carriers X20261122-001 letters.pdf --lines 3-7
    """
    from personalize.sheets import carriers as letters
    from personalize.sheets.letters import WINDOWS
    from reader_service.letters import letter_sender

    if file.suffix.lower() != ".pdf":
        raise typer.BadParameter("carriers are a .pdf file")
    if window not in WINDOWS:
        raise typer.BadParameter("the envelope is gb or din")
    try:
        numbers = letters.line_numbers(lines)
    except ValueError:
        raise typer.BadParameter("lines are numbers and ranges, such as 3-7,9") from None
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        content = letters.selected(registry.boxes.sheet(box, person), unit=unit, lines=numbers)
        sender = letter_sender(registry)
    if not content.sections:
        sentence = f"no card of box {box} is among these lines and this unit"
        raise RegistryConflict(sentence, reason="no-letters", box=box)
    output.write_file(file, letters.carriers(content, sender, WINDOWS[window]))
    output.say("written to {file}; it has names in clear", file=file)
    identity.note_unproven(person)


def _with_box(box: str, by: str | None, change: Callable[[Registry, str], Box]) -> None:
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        changed = change(registry, person)
    output.say("{box}: {cards} cards, {stage}", box=box, cards=changed.cards, stage=text(changed.stage.value))
    identity.note_unproven(person)


def _scans(cards: Sequence[str], reader: str) -> Iterator[str]:
    """Cards given on the command line, put into a reader, or typed line by line."""
    if reader:
        from membercard.commands.issuing.box.inserted import inserted_cards

        yield from inserted_cards(reader)
    elif cards:
        yield from cards
    else:
        output.say("Scan card after card; an empty line ends.", err=True)
        while scan := typer.get_text_stream("stdin").readline().strip():
            yield scan


app.registered_commands += handover.app.registered_commands
