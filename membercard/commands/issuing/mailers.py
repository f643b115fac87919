"""`membercard mailers`: letters with the PINs of cards, each printed once by two people."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Annotated, Final

import typer

from membercard import language, output, settings
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission

if TYPE_CHECKING:
    from registry.handover.mailers import PinKind, PinMailer
    from registry.store import Registry

app = typer.Typer()
_COLUMNS: Final = ["number", "card", "PIN", "unit", "state", "time", "by", "second person", "printer", "reason"]
_NAMES: Final = {"member": "member PIN", "payment": "bank PIN"}
BatchId = Annotated[str, typer.Argument(help="Batch number, such as B20261122-001.", show_default=False)]
Second = Annotated[str, typer.Option(help="The second person, with their own password.", show_default=False)]


@app.command("pin")
def pin(
    batch: BatchId,
    to: Annotated[
        str,
        typer.Option(
            help="The printer: lp:QUEUE, tcp:HOST:PORT, or - for a pipe or a printer's device.", show_default=False
        ),
    ],
    by: Annotated[str, typer.Option(help="Who prints, with their own password.", show_default=False)],
    second: Second,
    form: Annotated[str, typer.Option(help="scratch (under a label) or sealed (pressure-sealed paper).")] = "scratch",
    window: Annotated[str, typer.Option(help="The window envelope: gb (DL and ZL) or din (DIN lang).")] = "gb",
    unit: Annotated[str, typer.Option(help="Only this unit, by its whole name.", show_default=False)] = "",
    card: Annotated[list[str] | None, typer.Option(help="Only this card; may be repeated.", show_default=False)] = None,
    kind: Annotated[
        str, typer.Option(help="Only this PIN: member or payment; both, if not given.", show_default=False)
    ] = "",
    most: Annotated[int, typer.Option(help="At most so many letters now; 0 for all.", min=0)] = 0,
) -> None:
    """Print the letters with the PINs of a batch's cards: each once, by two people, never into a file.

    A letter whose printing broke off is never printed again. Print before the batch is closed, which destroys the PINs.

    Example: membercard mailers pin B20261122-001 --to lp:letters --by li.na --second wang.fang
    """
    from personalize.mailers.letters import LetterForm
    from personalize.mailers.printers import letter_printer
    from personalize.mailers.printing import LetterLayout, MailerOrder, print_letters
    from personalize.sheets.letters import WINDOWS
    from reader_service.letters import letter_sender
    from registry.handover.mailers import PinKind

    try:
        printer = letter_printer(to)
    except ValueError:
        raise typer.BadParameter("a printer is lp:QUEUE, tcp:HOST:PORT or - for a pipe") from None
    if form not in set(LetterForm):
        raise typer.BadParameter("the form is scratch or sealed")
    if window not in WINDOWS:
        raise typer.BadParameter("the envelope is gb or din")
    kinds = frozenset((_kind(kind),)) if kind else frozenset(PinKind)
    if to == "-":
        printer.ready()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would have the PINs
    custody = settings.open_keystore()
    with settings.open_registry(custody) as registry:
        person, other = _two_people(registry, by, second)
        order = MailerOrder(batch, person, other, unit, frozenset(card or ()), kinds, most)
        layout = LetterLayout(letter_sender(registry), LetterForm(form), WINDOWS[window])
        done = print_letters(registry, custody, order, layout, printer, _progress)
    output.say("{count} PIN letters printed, {left} left", count=len(done.printed), left=done.left, err=True)
    if not (done.printed or done.left or done.others):
        output.say("no card of these has a PIN whose letter was never begun", err=True)
    if done.others:
        output.say("{count} were begun by others meanwhile", count=done.others, err=True)
    identity.note_unproven(person)
    identity.note_unproven(other)


@app.command("list")
def list_mailers(
    batch: BatchId,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only those that nobody knows of.")] = False,
    json: output.Json = False,
) -> None:
    """List the PIN letters of a batch: printed, spoilt, or unknown, whose printing broke off.

    Of an unknown letter, destroy what the printer has; then settle it with `mailers spoilt`.
    """
    from registry.handover.mailers import MailerState

    with settings.open_registry() as registry:
        letters = registry.pin_mailers.of_batch(batch)
    chosen = [letter for letter in letters if not unknown or letter.state is MailerState.UNKNOWN]
    if json:
        output.as_json(chosen)
        return
    if not chosen:
        output.say("No PIN letters.")
        return
    output.show(output.table("PIN letters", _COLUMNS, [_row(letter) for letter in chosen], right=["number"]))
    count = sum(letter.state is MailerState.UNKNOWN for letter in chosen)
    if count:
        output.say("{count} are unknown: destroy what the printer has, then: membercard mailers spoilt", count=count)


@app.command("spoilt")
def spoilt(
    card: Annotated[str, typer.Argument(help="Card number.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    second: Second,
    kind: Annotated[str, typer.Option(help="Whose PIN: member or payment.")] = "member",
    keep_card: Annotated[
        bool, typer.Option("--keep-card", help="The letter was destroyed unread: the member chooses a PIN at a window.")
    ] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Record that a PIN letter was destroyed, or that nobody has it: two people do.

    The card ends as damaged and a draft batch for a new one waits for approval; with --keep-card it stays.

    Example: membercard mailers spoilt 6212260000000000012 --reason "paper jam" --by li.na --second wang.fang
    """
    with settings.open_registry() as registry:
        person, other = _two_people(registry, by, second)
        letter, draft = registry.pin_mailers.spoil(
            card, _kind(kind), by=person, second=other, reason=reason, new_card=not keep_card
        )
    if json:
        output.as_json({"letter": letter, "batch": draft or None})
    elif draft:
        output.say(
            "the letter of card {card} is settled. A second person approves its new card with: membercard batch "
            "approve {batch}",
            card=card,
            batch=draft,
        )
    else:
        output.say("the letter of card {card} is settled; its member chooses a PIN at a window", card=card)
    identity.note_unproven(person)
    identity.note_unproven(other)


def _progress(count: int) -> None:
    output.say("{count} printed", count=count, err=True)


def _two_people(registry: Registry, by: str | None, second: str) -> tuple[str, str]:
    """Both in person: one who may see names in clear, and one who may close batches."""
    person = identity.actor(registry, by, Permission.MEMBERS_UNMASK, in_person=True)
    return person, identity.actor(registry, second, Permission.BATCHES_CLOSE, in_person=True)


def _kind(name: str) -> PinKind:
    from registry.handover.mailers import PinKind

    if name not in set(PinKind):
        raise typer.BadParameter("the PIN is that of member or payment")
    return PinKind(name)


def _row(letter: PinMailer) -> tuple[object, ...]:
    return (
        letter.id,
        f"{letter.card_number}-{letter.sequence}",
        text(_NAMES[letter.kind.value]),
        letter.unit,
        text(letter.state.value),
        output.local_time(letter.begun_at),
        language.person(letter.by),
        language.person(letter.second),
        letter.printer,
        letter.reason,
    )
