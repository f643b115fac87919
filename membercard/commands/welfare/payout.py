"""`membercard payout`: payment instructions, bank batches under two signatures, and what the banks say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.programme_edition import published_edition

if TYPE_CHECKING:
    from registry.paying.batches import BankBatch
    from registry.paying.instructions import Instruction

app = typer.Typer()

_LEAST_DIGEST = 8

Number = Annotated[int, typer.Argument(help="The number of the bank batch.", min=1, show_default=False)]
One = Annotated[int, typer.Argument(help="The number of the instruction.", min=1, show_default=False)]
Bank = Annotated[str, typer.Argument(help="The code of the bank in the programme.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]


@app.command("list")
def list_instructions(
    state: Annotated[
        str, typer.Option(help="Only those: waiting, batched, paid, failed or withdrawn.", show_default=False)
    ] = "",
    json: output.Json = False,
) -> None:
    """List payment instructions, the newest first: each is for one reason, and paid once at most.

    Example: membercard payout list --state failed
    """
    from registry.paying.instructions import InstructionState

    if state and state not in set(InstructionState):
        raise typer.BadParameter(text("{state} is no state of an instruction; see --help", state=state))
    chosen = InstructionState(state) if state else None
    with settings.open_registry() as registry:
        items = every(lambda cursor: registry.instructions.page(cursor, 500, state=chosen))
        totals = registry.instructions.totals()
    if json:
        output.as_json(items)
        return
    _show_instructions(items)
    for one in totals:
        output.say(
            "{state}: {count} instructions, {amount} yuan",
            state=text(one.state.value),
            count=one.count,
            amount=_yuan(one.amount),
        )


@app.command("draw-up")
def draw_up(bank: Bank, by: By = None, json: output.Json = False) -> None:
    """Put what waits for a bank into a batch, as a draft. Then two people sign it.

    An instruction whose payee has no account in use now waits for a later batch.

    Example: membercard payout draw-up icbc
    """
    from programme.records import payouts
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        draft = payouts.draw_up(registry, published_edition(registry).programme, bank, by=person)
    if json:
        output.as_json(draft)
    else:
        _show_batches([draft.batch])
        if draft.without_account:
            waiting = ", ".join(map(str, draft.without_account))
            output.say("without an account, for a later batch: {instructions}", instructions=waiting)
        if draft.elsewhere:
            output.say("for other banks: {count}", count=draft.elsewhere)
        output.say("digest {digest}", digest=draft.batch.digest)
    identity.note_unproven(person)


@app.command("batches")
def batches(json: output.Json = False) -> None:
    """List the bank batches, the newest first."""
    with settings.open_registry() as registry:
        items = every(lambda cursor: registry.bank_batches.page(cursor, 500))
    output.as_json(items) if json else _show_batches(items)


@app.command("show")
def show(number: Number, json: output.Json = False) -> None:
    """Show a bank batch: its rows with masked accounts, its signatures, and what the bank has said."""
    with settings.open_registry() as registry:
        batch = registry.bank_batches.batch(number)
        rows = every(lambda cursor: registry.bank_batches.rows(number, cursor, 500))
        returns = every(lambda cursor: registry.bank_returns.page(cursor, 500, batch_id=number))
    if json:
        output.as_json({"batch": batch, "rows": rows, "returns": returns})
        return
    _show_batches([batch])
    lines = [
        (row.position, row.instruction, row.account, _yuan(row.amount), row.purpose, text(row.state.value))
        for row in rows
    ]
    heads = ["row", "instruction", "account", "amount", "purpose", "state"]
    output.show(output.table("", heads, lines, right=["amount"]))
    for one in returns:
        output.say(
            "return {source} of {at}: {paid} paid ({paid_amount} yuan), {failed} failed ({failed_amount} yuan)",
            source=one.source,
            at=output.local_time(one.at),
            paid=one.paid,
            paid_amount=_yuan(one.paid_amount),
            failed=one.failed,
            failed_amount=_yuan(one.failed_amount),
        )
    output.say("digest {digest}", digest=batch.digest)


@app.command("sign")
def sign(
    number: Number,
    digest: Annotated[
        str, typer.Option(help="The batch's digest, its first 8 digits at least: what you sign.", show_default=False)
    ],
    by: By = None,
) -> None:
    """Sign a bank batch. The second signature, of another person, releases it: then its file can be made.

    Example: membercard payout sign 3 --digest 1f0c9a2b
    """
    from reader_service.principal import Permission
    from registry.paying.batches import BankBatchState

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        batch = registry.bank_batches.batch(number)
        whole = batch.digest if len(digest) >= _LEAST_DIGEST and batch.digest.startswith(digest.lower()) else digest
        batch = registry.bank_batches.sign(number, whole, by=person)
    if batch.state is BankBatchState.RELEASED:
        output.say("bank batch {number} is signed by two people; now: membercard payout file {number}", number=number)
    else:
        output.say("bank batch {number} is signed; a second person signs it next", number=number)
    identity.note_unproven(person)


@app.command("discard")
def discard(number: Number, reason: Reason, by: By = None) -> None:
    """Give the instructions of a bank batch that was not released back: they wait again."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.bank_batches.discard(number, by=person, reason=reason)
    output.say("bank batch {number} is discarded; its instructions wait again", number=number)
    identity.note_unproven(person)


@app.command("file")
def file(
    number: Number,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where the file goes; BANK-NUMBER, if left out.", show_default=False),
    ] = None,
    by: By = None,
) -> None:
    """Write the file of a released bank batch, for the bank: accounts in clear, with counts, sums, a hash and a MAC.

    It is the same file each time, and the audit keeps who wrote it.

    Example: membercard payout file 3
    """
    from programme.records import payouts
    from reader_service.principal import Permission

    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        programme, zone = published_edition(registry).programme, settings.load().zone
        pieces = payouts.payment_file(registry, keystore, programme, number, zone=zone, by=person)
        path = out or Path(payouts.file_name(registry, number))
        output.write_file(path, b"".join(pieces))
    output.say("written: {path}", path=path)
    identity.note_unproven(person)


@app.command("return")
def take_return(
    bank: Bank,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The bank's return.", show_default=False)],
    by: By = None,
    json: output.Json = False,
) -> None:
    """Book what a bank says of a batch. A file that is cut, altered, of another bank or with other rows books nothing;
    the same file again changes nothing.

    Example: membercard payout return icbc icbc-3-return.txt
    """
    from programme.records import payouts
    from reader_service.principal import Permission

    content = path.read_bytes()
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        programme = published_edition(registry).programme
        taken = payouts.take_return(registry, keystore, programme, bank, content, path.name, by=person)
    booked = taken.booked
    if json:
        output.as_json(taken)
    elif taken.again:
        output.say("this return was booked on {at} already; nothing was changed", at=output.local_time(booked.at))
    else:
        output.say(
            "bank batch {number}: {paid} paid ({paid_amount} yuan), {failed} failed ({failed_amount} yuan)",
            number=booked.batch_id,
            paid=booked.paid,
            paid_amount=_yuan(booked.paid_amount),
            failed=booked.failed,
            failed_amount=_yuan(booked.failed_amount),
        )
        if booked.failed:
            output.say("pay them again with: membercard payout reissue NUMBER --reason …")
        if booked.contradictions:
            again = booked.contradictions
            output.say("{count} rows contradict an earlier return; see: membercard payout contradictions", count=again)
    identity.note_unproven(person)


@app.command("reissue")
def reissue(number: One, reason: Reason, by: By = None) -> None:
    """Pay again what the bank could not pay, to the account that the payee has then. Each failure once."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        new = registry.instructions.reissue(number, by=person, reason=reason)
    output.say("instruction {new} waits for a batch; it repeats {number}", new=new.id, number=number)
    identity.note_unproven(person)


@app.command("withdraw")
def withdraw(number: One, reason: Reason, by: By = None) -> None:
    """Take back an instruction that is in no bank batch. It is not ordered again."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.instructions.withdraw(number, by=person, reason=reason)
    output.say("instruction {number} is withdrawn", number=number)
    identity.note_unproven(person)


@app.command("contradictions")
def contradictions(json: output.Json = False) -> None:
    """List what a bank has said two things of, and nobody has settled. Nothing of it is paid again."""
    with settings.open_registry() as registry:
        items = registry.bank_returns.contradictions()
    if json:
        output.as_json(items)
        return
    rows = [
        (one.return_id, one.instruction, text(one.was.value), text(one.now.value), one.on.isoformat()) for one in items
    ]
    output.show(output.table("Contradictions", ["return", "instruction", "before", "now", "bank's day"], rows))


@app.command("settle")
def settle(
    number: One,
    of_return: Annotated[int, typer.Option("--return", min=1, help="The number of the return.", show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Note what was found out about a contradiction. The instruction stays what it was."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        registry.bank_returns.settle(of_return, number, by=person, reason=reason)
    output.say("the contradiction about instruction {number} is settled", number=number)
    identity.note_unproven(person)


def _show_instructions(items: list[Instruction]) -> None:
    rows = [
        (
            one.id,
            text(one.kind.value),
            one.reference,
            one.attempt,
            _yuan(one.amount),
            one.purpose,
            text(one.state.value),
            one.outcome_on.isoformat() if one.outcome_on else "",
            one.fault or "",
        )
        for one in items
    ]
    heads = ["number", "kind", "reference", "attempt", "amount", "purpose", "state", "bank's day", "bank's reason"]
    output.show(output.table("Payment instructions", heads, rows, right=["amount"]))


def _show_batches(items: list[BankBatch]) -> None:
    rows = [
        (
            one.id,
            one.bank,
            one.rows,
            _yuan(one.amount),
            text(one.state.value),
            language.person(one.by),
            language.person(one.signed_by or ""),
            language.person(one.released_by or ""),
            one.digest[:_LEAST_DIGEST],
        )
        for one in items
    ]
    heads = [
        "number",
        "bank",
        "rows",
        "amount",
        "state",
        "drawn up by",
        "first signature",
        "second signature",
        "digest",
    ]
    output.show(output.table("Bank batches", heads, rows, right=["amount"]))


def _yuan(fen: int) -> str:
    from personalize.sheets.statement import yuan

    return yuan(fen)
