"""`membercard merchant`: merchants with outlets and terminals, import from a sheet, changes that wait for a second
person, and tokens of their counters."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from membercard import language, output, settings
from membercard.commands.administration import changes
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import Language, text
from membercard.wiring import identity

app = typer.Typer()
app.add_typer(changes.app)

Number = Annotated[str, typer.Argument(help="The merchant identifier (tag 9F16).", show_default=False)]


@app.command("list")
def show_all(
    named: Annotated[str, typer.Option(help="Only merchants with this text in number or name.")] = "",
    json: output.Json = False,
) -> None:
    """List merchants, with contract and benefits.

    Example: membercard merchant list --named park
    """
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.merchants.page(cursor, 500, text=named))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no merchant is on record")
        return
    rows = [
        (
            one.number,
            one.name,
            f"{one.contract_from} – {one.contract_until}",
            " ".join(one.benefits),
            len(one.outlets),
            sum(len(outlet.terminals) for outlet in one.outlets),
            text("in use" if one.ended_at is None else "contract ended"),
        )
        for one in listed
    ]
    heads = ["merchant", "merchant name", "contract", "benefits", "outlets", "terminals", "state"]
    output.show(output.table("Merchants", heads, rows))


@app.command("show")
def show(number: Number, json: output.Json = False) -> None:
    """Show a merchant: contract, benefits, account with its last four characters, outlets and their terminals."""
    with settings.open_registry() as registry:
        merchant = registry.merchants.merchant(number)
    if json:
        output.as_json(merchant)
        return
    facts = [
        ("merchant", merchant.number),
        ("merchant name", " ".join((merchant.name, merchant.name_en)).strip()),
        ("contract", f"{merchant.contract_from} – {merchant.contract_until}"),
        ("benefits", " ".join(merchant.benefits)),
        ("account", merchant.account or "–"),
        ("state", text("in use") if merchant.ended_at is None else output.local_time(merchant.ended_at)),
        ("to be approved", " ".join(map(str, merchant.waiting)) or "–"),
    ]
    table = output.table("", ["", ""], [])
    table.show_header = False
    for label, value in facts:
        table.add([Text(text(label), "dim"), Text(value)])
    output.show(table)
    rows = [
        (
            outlet.id,
            outlet.name,
            outlet.address,
            " ".join(outlet.terminals),
            "" if outlet.closed_at is None else output.local_time(outlet.closed_at),
        )
        for outlet in merchant.outlets
    ]
    output.show(output.table("Outlets", ["outlet number", "outlet", "address", "terminals", "closed"], rows))


@app.command("import")
def import_sheet(
    file: Annotated[Path, typer.Argument(help="A sheet: .xlsx, .xls or .csv.", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Only find what is wrong; nothing is stored.")] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Import merchants from a sheet with one row for each outlet: all of them, or none where a row has a finding.

    Its columns are merchant number, name, contract from, contract until and benefits; name_en, account, outlet, address
    and terminals may be added. The titles may be Chinese. The exit code is 1 where there are findings.

    Example: membercard merchant import merchants.xlsx --check
    """
    from personalize.intake import Limits
    from reader_service.principal import Permission
    from reader_service.services.programme.merchant_sheet import read_merchants

    merchants, findings = read_merchants(file, Limits())
    stored = bool(merchants) and not findings and not check
    person, waiting = "", list[int]()
    if stored:
        with settings.open_registry() as registry:
            person = identity.actor(registry, by, Permission.MERCHANTS_CHANGE)
            views = registry.merchants.put(*merchants, by=person)
            waiting = [number for view in views for number in view.waiting]
    if json:
        output.as_json({"stored": stored, "merchants": len(merchants), "findings": findings, "waiting": waiting})
    elif findings:
        chinese = language.current() is Language.CHINESE
        rows = [(one.row, one.reason_zh if chinese else one.reason_en) for one in findings]
        output.show(output.table("Findings", ["row", "finding"], rows))
    elif stored:
        output.say("{count} merchants recorded", count=len(merchants))
        if waiting:
            output.say("{count} changes wait for a second person: membercard merchant changes", count=len(waiting))
    else:
        output.say("{count} merchants without a finding; nothing was stored", count=len(merchants))
    identity.note_unproven(person)
    if findings:
        raise typer.Exit(1)


@app.command("token")
def token(
    outlet: Annotated[int, typer.Argument(help="The number of the outlet, as show prints it.", min=1)],
    label: Annotated[str, typer.Option(help="What the token is for, such as a till.", show_default=False)],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is valid.")] = 180,
    by: By = None,
) -> None:
    """Issue a token for the counters of an outlet: it uploads their journals, and nothing of others. It is shown once.

    Example: membercard merchant token 3 --label "till 1" --by root
    """
    from reader_service.access.authenticator import key_of, new_token
    from reader_service.principal import Permission, Role

    secret = new_token()
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.USERS, in_person=True)
        until = settings.load().now() + timedelta(days=days)
        made = registry.tokens.make(label, key_of(secret), [Role.COUNTER.value], until=until, by=person, outlet=outlet)
    output.say(
        "token {number} of outlet {outlet}, valid until {until}; it is shown this once:",
        number=made.id,
        outlet=outlet,
        until=output.local_time(made.until),
    )
    typer.echo(secret)
    identity.note_unproven(person)
