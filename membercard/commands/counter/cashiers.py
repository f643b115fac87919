"""`membercard cashiers`: the cashiers of this counter, who sign in with a PIN of their own."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from terminal.secret import Secret

if TYPE_CHECKING:
    from reader_service.access.cashiers import CashierStore

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="The name that stands on receipts.", show_default=False)]


def cashier_store() -> CashierStore:
    """The cashiers of this counter."""
    from reader_service.access.cashiers import FILE, CashierStore

    return CashierStore(settings.load().data_dir / FILE)


def typed_pin(question: str) -> Secret:
    """A PIN that is typed without being shown; a line of standard input where that is no terminal."""
    prompt = f"{language.text(question)}: "
    if sys.stdin.isatty():
        return Secret(getpass.getpass(prompt).encode())
    typer.echo(prompt, err=True)
    return Secret(sys.stdin.readline().rstrip("\r\n").encode())


def signed_in(cashier: str | None) -> str:
    """Who is at the counter; one with cashiers on record asks for the PIN."""
    store = cashier_store()
    name = cashier or settings.load().operator
    return store.check(name, typed_pin("PIN of the cashier")).name if store.all() else name


@app.command("list")
def listed(json: output.Json = False) -> None:
    """Show the cashiers of this counter. Without any, receipts name the user who is signed in."""
    cashiers = cashier_store().all()
    if json:
        output.as_json(cashiers)
        return
    if not cashiers:
        output.say("no cashiers yet; the first: membercard cashiers set NAME --manager")
        return
    rows = [
        (one.name, language.text("manager") if one.manager else "", one.set_by, output.local_time(one.set_at))
        for one in cashiers
    ]
    output.show(output.table("Cashiers", ("name", "right", "PIN set by", "time"), rows))


@app.command("set")
def set_pin(
    name: Name,
    manager: Annotated[
        bool | None,
        typer.Option(
            "--manager/--no-manager", help="Whether this cashier sets the PINs of others.", show_default=False
        ),
    ] = None,
) -> None:
    """Set the PIN of a cashier, new or on record: 4 to 8 digits, typed twice. It frees one who has to wait.

    Example: membercard cashiers set 王芳 --manager
    """
    pin = typed_pin("New PIN")
    if typed_pin("New PIN once more") != pin:
        raise typer.BadParameter(language.text("the two PINs differ"))
    cashier = cashier_store().set_pin(name, pin, by=settings.load().operator, manager=manager)
    output.say("{name} has a PIN", name=cashier.name)


@app.command("remove")
def remove(name: Name) -> None:
    """Remove a cashier; redemptions on record keep the name.

    Example: membercard cashiers remove 王芳
    """
    cashier_store().remove(name)
    output.say("{name} is removed", name=name)
