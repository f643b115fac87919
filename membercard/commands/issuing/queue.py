"""`membercard queue`: in which order approved batches are worked on, and when each is due."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import output, settings
from membercard.commands.accounts import BatchId
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from registry.batches.priority import BatchPriority

if TYPE_CHECKING:
    from registry.batches.queue import QueuePlace

app = typer.Typer()


@app.command("list")
def show(json: output.Json = False) -> None:
    """List the approved batches, the next one first, with priority and due day."""
    today = settings.load().now().date()
    with settings.open_registry() as registry:
        places = registry.queue.order()
        batches = {place.batch_id: registry.batches.batch(place.batch_id) for place in places}
    if json:
        output.as_json([{"place": place, "batch": batches[place.batch_id]} for place in places])
        return
    if not places:
        output.say("no approved batch waits for its cards")
        return
    rows = [
        (
            place.batch_id,
            batches[place.batch_id].unit,
            text(_PRIORITIES[place.priority]),
            _day(place, late=place.late(today) and batches[place.batch_id].state.value != "done"),
            text(batches[place.batch_id].state.value),
            f"{batches[place.batch_id].verified}/{batches[place.batch_id].accepted}",
        )
        for place in places
    ]
    columns = ["batch", "unit", "priority", "due", "state", "cards"]
    output.show(output.table("Queue", columns, rows))


@app.command("place")
def place(
    batch: BatchId,
    priority: Annotated[BatchPriority, typer.Option(help="How urgent it is.")] = BatchPriority.NORMAL,
    due: Annotated[
        datetime | None,
        typer.Option(help="The day when it is due; that of its unit's plan, if not given.", formats=["%Y-%m-%d"]),
    ] = None,
    by: By = None,
) -> None:
    """Give a batch a priority and a due day.

    Example: membercard queue place B20261122-001 --priority urgent --due 2026-12-01
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.BATCHES_PREPARE)
        day = None if due is None else due.date()
        placed = registry.queue.place(batch, priority=priority, due=day, by=person)
    _say(placed)
    identity.note_unproven(person)


@app.command("up")
def up(batch: BatchId, by: By = None) -> None:
    """Move a batch one place up among those of its priority; `queue down` undoes it."""
    _move(batch, by, up=True)


@app.command("down")
def down(batch: BatchId, by: By = None) -> None:
    """Move a batch one place down among those of its priority; `queue up` undoes it."""
    _move(batch, by, up=False)


_PRIORITIES = {
    BatchPriority.URGENT: "urgent",
    BatchPriority.NORMAL: "normal priority",
    BatchPriority.LOW: "low priority",
}


def _move(batch: str, by: str | None, *, up: bool) -> None:
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.BATCHES_PREPARE)
        moved = registry.queue.move(batch, up=up, by=person)
    _say(moved)
    identity.note_unproven(person)


def _say(placed: QueuePlace) -> None:
    output.say(
        "{batch}: {priority}, due {day}",
        batch=placed.batch_id,
        priority=text(_PRIORITIES[placed.priority]),
        day=_day(placed, late=False) or "–",
    )


def _day(place: QueuePlace, *, late: bool) -> str:
    day = "" if place.due is None else f"{place.due}"
    return text("{day}, late", day=day) if late else day
