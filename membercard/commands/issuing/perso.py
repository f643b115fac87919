"""`membercard perso`: run a batch over readers, or print what would be done."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from membercard import language, output, settings
from membercard.commands.accounts import BatchId, print_accounts, print_stock, shortage_warning, under_way
from membercard.wiring.readers import readers_or_only
from registry.errors import RegistryConflict

if TYPE_CHECKING:
    from personalize.line.job import BodyMaking
    from personalize.line.lanes import LaneResult
    from personalize.profiles.profile import Profile
    from registry.store import Registry
    from registry.values import Batch, BatchAccounts
    from terminal.keys import MemoryCustody

app = typer.Typer()
ALL_FACES: Final = 10**9
_STATES: Final = {"good": "good", "look": "look", "refused": "cannot start"}
_THINGS: Final = {
    "profile": "profile",
    "clock": "clock",
    "design": "design",
    "faces": "faces",
    "blanks": "blanks",
    "machine": "machine",
    "ribbon": "ribbon",
    "reject-bin": "reject bin",
}
BodyPlace = Annotated[
    Literal["here", "elsewhere"] | None,
    typer.Option(
        help="Where stripe and face of the cards are made: here, by the machine of the lane after the chip; "
        "elsewhere, by somebody else before or after. By default as the settings have it (card_body)."
    ),
]


@app.command("run")
def run(
    batch: BatchId,
    reader: Annotated[
        list[str],
        typer.Option(
            help="Reader or machine URL, one lane each: pcsc:NAME, pcsc:INDEX, serial:PORT, crt571:PORT, evolis:PORT, "
            "sim:CARDFILE, sim:DIR; not needed with exactly one reader.",
            default_factory=list,
            callback=readers_or_only,
            show_default=False,
        ),
    ],
    lanes: Annotated[
        int, typer.Option(help="Lanes on each reader URL; more than one for a sim:DIR feeder.", min=1)
    ] = 1,
    max_consecutive_failures: Annotated[
        int, typer.Option(help="A lane stops after so many rejects in a row.", min=1)
    ] = 5,
    tries: Annotated[int, typer.Option(help="How often a chip may fail before it is rejected.", min=1)] = 3,
    idle: Annotated[float, typer.Option(help="Seconds a lane waits for a next card.", min=0)] = 120.0,
    body: BodyPlace = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only show the checklist of this run: nothing moves, no chip is changed.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Personalize, read back and verify cards until the batch is done.

    It can be stopped at any moment, even by a power cut: run the same command again to continue. Put chips that were
    in the readers back in; each continues where it stopped. Exit code 1 when a lane ended with a fault or cards are
    missing, with --check when a lane would refuse.

    Example: membercard perso run B20261122-001 --reader pcsc:0 --reader pcsc:1
    """
    from membercard.commands.issuing.line_display import run_line  # imports the whole line
    from membercard.wiring.profile import profile_in_use
    from personalize.line.job import BodyMaking
    from personalize.line.lanes import LineSettings

    keystore, profile = settings.open_keystore(), profile_in_use()
    making = BodyMaking(body) if body else None
    chosen = LineSettings(max_consecutive_failures=max_consecutive_failures, tries=tries, idle=idle)
    with settings.open_registry(keystore) as registry:
        registry.restores.refuse_pending()
        _refuse_unprepared(under_way(registry.batches.batch(batch)))
        if check:
            _show_checklist(registry, batch, profile, keystore, reader * lanes, making, json=json)
            return
        _warn_of_shortage(registry, batch)
        began = monotonic()
        results = run_line(registry, batch, profile, keystore, reader * lanes, line_settings=chosen, body=making)
        seconds = monotonic() - began
        accounts, stock = registry.batches.accounts(batch), registry.stock.accounts()
    if json:
        output.as_json({"lanes": results, "seconds": seconds, "accounts": accounts, "stock": stock})
    else:
        _print_results(results, seconds, accounts, batch)
        print_stock(stock)
    if any(r.fault for r in results) or accounts.verified < accounts.members or not accounts.balanced:
        raise typer.Exit(1)


def _refuse_unprepared(batch: Batch) -> None:
    """Raises RegistryConflict."""
    if not batch.dossiers:
        sentence = f"batch {batch.id} has no dossiers yet; make them with: membercard batch prepare {batch.id}"
        raise RegistryConflict(sentence, reason="batch-unprepared", batch=batch.id)


def _warn_of_shortage(registry: Registry, batch: str) -> None:
    if max(0, (left := registry.stock.accounts()).left) < (wanted := registry.batches.accounts(batch).waiting):
        typer.echo(shortage_warning(left, wanted), err=True)


def _show_checklist(
    registry: Registry,
    batch: str,
    profile: Profile,
    keystore: MemoryCustody,
    readers: Sequence[str],
    body: BodyMaking | None,
    *,
    json: bool,
) -> None:
    """Raises typer.Exit where a lane would refuse."""
    from membercard.wiring.line import StationLine
    from membercard.wiring.readers import open_readers
    from personalize.line.checklist import SENTENCES, checked_lane, checklist, facts_of, refused
    from personalize.reasons import RejectCode

    job = StationLine(registry, profile, keystore, settings.load().station).job(batch, body)
    with open_readers(readers) as opened:
        lines = checklist(facts_of(job, most_faces=ALL_FACES), [checked_lane(one, one.name) for one in opened])
    if json:
        output.as_json({"lines": lines, "refused": refused(lines) is not None})
    else:
        rows = []
        for line in lines:
            if line.code in SENTENCES:
                said = language.text(SENTENCES[line.code], **line.params)
            elif line.code == RejectCode.FACE:  # it names the cards
                said = language.sentence(line.sentence)
            else:
                said = language.reason(line.code, line.params, line.sentence)
            rows.append((language.text(_STATES[line.state.value]), language.text(_THINGS[line.thing.value]), said))
        output.show(output.table("Checklist", ["state", "item", "what to do"], rows))
    if refused(lines):
        raise typer.Exit(1)


def _print_results(results: Sequence[LaneResult], seconds: float, accounts: BatchAccounts, batch: str) -> None:
    from membercard.commands.issuing.line_display import rate
    from personalize.line.outcome import CardOutcome

    counted = (CardOutcome.VERIFIED, CardOutcome.REJECTED, CardOutcome.AGAIN, CardOutcome.ASIDE)
    rows = [
        (
            language.sentence(r.lane),
            *(r.counts.get(outcome, 0) for outcome in counted),
            language.reason(r.code, r.params, r.message),
        )
        for r in results
    ]
    output.show(output.table("Lanes", ["lane", "verified", "rejected", "fell out", "aside", "ended"], rows))
    output.say("{rate:.0f} cards an hour", rate=rate(results, seconds))
    print_accounts(accounts)
    if accounts.claimed:
        output.say(
            "{claimed} cards wait for their chips: feed those again, or see membercard batch show {batch}",
            claimed=accounts.claimed,
            batch=batch,
        )
