"""`membercard batch`: from a draft to a finished, balanced batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from membercard import language, output, settings
from membercard.commands.accounts import BatchId, print_accounts, print_stock, under_way
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission
from registry.ranges import RangeKind, RangeUse
from registry.values import BatchState

if TYPE_CHECKING:
    from rich.progress import Progress

    from registry.store import Registry
    from registry.values import Batch

app = typer.Typer()


@app.command("list")
def list_batches(json: output.Json = False) -> None:
    """List all batches and where each stands."""
    with settings.open_registry() as registry:
        batches = registry.batches.all()
    if json:
        output.as_json(batches)
        return
    if not batches:
        output.say("No batches yet. Begin with: membercard roster import FILE")
        return
    columns = ["batch", "unit", "state", "rows", "returned", "dossiers", "verified", "imported"]
    rows = [
        (
            b.id,
            b.unit,
            text(b.state.value),
            b.accepted,
            b.rejected,
            b.dossiers,
            b.verified,
            f"{language.person(b.imported_by)}, {output.local_time(b.imported_at)}",
        )
        for b in batches
    ]
    output.show(output.table("Batches", columns, rows, right=["rows", "returned", "dossiers", "verified"]))


@app.command("show")
def show(batch: BatchId, json: output.Json = False) -> None:
    """Show one batch: its accounts, chips that have to come back, chips that were rejected."""
    with settings.open_registry() as registry:
        shown = registry.batches.batch(batch)
        accounts, rejects, bound, doubled = (
            registry.batches.accounts(batch),
            registry.line.rejects(batch),
            registry.line.bound_chips(batch),
            registry.line.doubled_chips(batch),
        )
        stock = registry.stock.accounts()
        uses = _range_uses(registry, batch) if shown.state is BatchState.DRAFT else []
    if json:
        facts = {"batch": shown, "accounts": accounts, "rejects": rejects, "awaited": bound, "stock": stock}
        facts["doubled"] = [chip._asdict() for chip in doubled]
        output.as_json(facts | {"ranges": [use.to_json() for use in uses]})
        return
    output.show(_summary(shown))
    print_accounts(accounts)
    for use in uses:
        if use.nearly_full:
            typer.echo(range_warning(use), err=True)
    print_stock(stock)
    if bound:
        rows = [
            (
                b.chip_serial,
                f"{b.card_number}-{b.sequence:02d}",
                language.sentence(b.lane),
                text("missing" if b.missing else "in a lane"),
            )
            for b in bound
        ]
        output.show(output.table("Chips that still have to come back", ["chip", "card", "lane", ""], rows))
    if doubled:
        named = [(d.chip_serial, f"{d.card_number}-{d.sequence:02d}", output.local_time(d.at), d.by) for d in doubled]
        output.show(
            output.table("Serials that two chips have: keep both apart", ["chip", "card", "since", "lane"], named)
        )
    if rejects:
        refused = [
            (r.chip_serial, r.card_number, text(r.step), language.reason(r.code, r.params, r.reason), text(r.bin))
            for r in rejects
        ]
        output.show(output.table("Rejected chips", ["chip", "card", "step", "reason", "bin"], refused))
    if not accounts.balanced:
        raise typer.Exit(1)


@app.command("approve")
def approve(batch: BatchId, by: By = None) -> None:
    """Approve a draft. A second person does this, never the one who imported it.

    Example: membercard batch approve B20261122-001 --by "Wang Fang"
    """
    from membercard.wiring.profile import profile_in_use
    from personalize import ranges

    profile = profile_in_use()
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_APPROVE, in_person=True)
        for use in ranges.ranges_for(registry, profile, batch):
            if use.nearly_full:
                typer.echo(range_warning(use), err=True)
        done = ranges.approve(registry, profile, batch, person)
    output.say(
        "{id}: {accepted} members approved by {approved_by}. Next: membercard batch prepare {id}",
        id=done.id,
        accepted=done.accepted,
        approved_by=language.person(done.approved_by or ""),
    )
    identity.note_unproven(person)


@app.command("discard")
def discard(
    batch: BatchId,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.")] = "",
    by: By = None,
) -> None:
    """Give up a draft, or an approved batch of which no card was made; its file may then be imported again."""
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.ROSTERS_UPLOAD)
        done = registry.batches.discard(batch, person, reason=reason)
    output.say("{id}: discarded", id=done.id)
    identity.note_unproven(person)


@app.command("prepare")
def prepare(
    batch: BatchId,
    workers: Annotated[int, typer.Option(help="Processes that prepare data; 0: one for each core.", min=0)] = 1,
) -> None:
    """Prepare a card dossier for every approved member. After an interruption, run it again for the rest.

    Example: membercard batch prepare B20261122-001 --workers 0
    """
    from membercard.commands.issuing.line_display import prepare_with_progress  # imports the whole line
    from membercard.wiring.line import open_pool
    from membercard.wiring.profile import profile_in_use

    profile = profile_in_use()
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        under_way(registry.batches.batch(batch))
        with _progress() as progress:
            pool, by = open_pool(keystore, profile), identity.machine()
            count = prepare_with_progress(registry, batch, profile, keystore, pool, progress, workers=workers, by=by)
    output.say(
        "{batch}: {count} dossiers made. Next: membercard perso run {batch} --reader URL", batch=batch, count=count
    )


@app.command("release")
def release(
    batch: BatchId,
    chip: Annotated[str, typer.Argument(help="Serial of a bound chip that will not come back.", show_default=False)],
    reason: Annotated[
        str | None, typer.Option(help="What became of it; if not given, that it is lost.", show_default=False)
    ] = None,
    by: By = None,
) -> None:
    """Release a chip that left its lane and is lost: its card is hotlisted and its dossier made again."""
    why = text("chip lost") if reason is None else reason
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.LANES_RUN)
        registry.line.release_missing(batch, chip, person, reason=why)
    output.say(
        "{chip}: rejected ({reason}). Make its dossier again with: membercard batch prepare {batch}",
        chip=chip,
        reason=why,
        batch=batch,
    )
    identity.note_unproven(person)


@app.command("close")
def close(
    batch: BatchId,
    second: Annotated[
        str,
        typer.Option(
            help="The second person who signs. With users on record, both passwords are asked for.", show_default=False
        ),
    ],
    by: By = None,
) -> None:
    """Close a finished batch: the accounts must balance, two people sign, dossier secrets are destroyed.

    Print its PIN letters before (`mailers pin`): a PIN that was never printed is destroyed with the others.

    Example: membercard batch close B20261122-001 --by "Li Na" --second "Wang Fang"
    """
    with settings.open_registry() as registry:
        first, other = (
            identity.actor(registry, name, Permission.BATCHES_CLOSE, in_person=True) for name in (by, second)
        )
        done = registry.batches.close(batch, first, other)
    output.say("{id}: closed, {verified} cards, dossier secrets destroyed", id=done.id, verified=done.verified)
    identity.note_unproven(first)
    identity.note_unproven(other)


@app.command("report")
def report(
    batch: BatchId,
    html: Annotated[Path | None, typer.Option(help="Where to write the HTML page.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """Report a batch: rows returned, reconciliation, seconds per card.

    Example: membercard batch report B20261122-001 --html report.html
    """
    from personalize.line import report as reporting

    with settings.open_registry() as registry:
        summary = reporting.collect(registry, batch)
    if html:
        output.write_file(html, reporting.render([summary], created_at=settings.load().now()).encode())
        output.say("report written to {html}", html=html, err=json)
    if json:
        output.as_json(summary)
    elif not html:
        output.show(_summary(summary.batch))
        print_accounts(summary.accounts)
        print_stock(summary.stock)
        rows = [
            (language.sentence(lane.lane), lane.cards, f"{lane.median:.3f}", f"{lane.slowest:.3f}")
            for lane in summary.lanes
        ]
        output.show(
            output.table(
                "Lanes", ["lane", "cards", "median s", "slowest s"], rows, right=["cards", "median s", "slowest s"]
            )
        )


def _summary(batch: Batch) -> Table:
    form = text(
        "{source}, {accepted} rows accepted, {rejected} returned",
        source=batch.source,
        accepted=batch.accepted,
        rejected=batch.rejected,
    )
    rows = [
        (text("unit"), batch.unit),
        (text("state"), text(batch.state.value)),
        (text("form"), form),
        (text("imported"), f"{language.person(batch.imported_by)}, {output.local_time(batch.imported_at)}"),
        (
            text("approved by"),
            f"{language.person(batch.approved_by or '') or '–'} {output.local_time(batch.approved_at)}",
        ),
        (text("to prepare"), batch.to_prepare),
        (text("verified"), batch.verified),
    ]
    grid = output.table(batch.id, ["", ""], rows)
    grid.show_header = False
    return grid


def _range_uses(registry: Registry, batch: str) -> list[RangeUse]:
    from membercard.wiring.profile import profile_in_use  # imports the card profile
    from personalize.ranges import ranges_for

    return ranges_for(registry, profile_in_use(), batch)


_RANGES = {RangeKind.MEMBER: "member numbers", RangeKind.CARD: "card numbers", RangeKind.PAN: "account numbers"}


def range_warning(use: RangeUse) -> str:
    """A warning about a range of numbers that is 80 % full or more once the draft is approved."""
    return text(
        "warning: {numbers} under {prefix}: {percent} % in use with this batch, {left:,} of {capacity:,} left before "
        "it and {needed:,} needed",
        numbers=text(_RANGES[use.kind]),
        prefix=use.prefix,
        percent=use.percent,
        left=use.capacity - use.used,
        capacity=use.capacity,
        needed=use.needed,
    )


def _progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=output.console(stderr=True),
    )
