"""Batches and blank chips as commands of several rooms take and print them: the batch's number, and both accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from membercard import output
from membercard.language import text
from registry.errors import RegistryConflict
from registry.values import BatchState

if TYPE_CHECKING:
    from registry.values import Batch, BatchAccounts, StockAccounts

BatchId = Annotated[str, typer.Argument(help="Batch number, such as B20261122-001.", show_default=False)]


def under_way(batch: Batch) -> Batch:
    """The batch, if cards can be made of it. Raises RegistryConflict for a draft, a closed or a discarded batch."""
    if batch.state is BatchState.DRAFT:
        raise RegistryConflict(
            f"batch {batch.id} is a draft: a second person approves it first, "
            f"with: membercard batch approve {batch.id} --by NAME",
            reason="batch-draft",
            batch=batch.id,
        )
    if batch.state in (BatchState.CLOSED, BatchState.DISCARDED):
        sentence = f"batch {batch.id} is {batch.state}; no more cards are made of it"
        raise RegistryConflict(sentence, reason="batch-over", batch=batch.id)
    return batch


def print_accounts(a: BatchAccounts) -> None:
    """Print the two equations that must hold at every moment, and whether they do."""
    dossiers = text(
        "dossiers {dossiers} = waiting {waiting} + claimed {claimed} + verified {verified} + remade {remade}",
        **{name: getattr(a, name) for name in ("dossiers", "waiting", "claimed", "verified", "remade")},
    )
    chips = text(
        "chips fed {fed} = verified {verified} + rejected {rejected} + in reader {in_reader}",
        fed=a.chips_fed,
        verified=a.chips_verified,
        rejected=a.chips_rejected,
        in_reader=a.chips_in_reader,
    )
    console = output.console(soft_wrap=True)
    console.print(dossiers)
    console.print(Text.assemble(chips, balance(a.balanced)))


def print_stock(s: StockAccounts) -> None:
    """Print the equation of all blank chips, and a warning where some were never booked; nothing where there is nothing
    to account for."""
    if s.received or s.fed:
        output.console(soft_wrap=True).print(stock_equation(s))
    if s.left < 0:
        typer.echo(unbooked_warning(s), err=True)


def stock_equation(s: StockAccounts) -> Text:
    """The equation of all blank chips that were booked."""
    names = ("received", "verified", "rejected", "in_reader", "spoilt", "left")
    values = {name: getattr(s, name) for name in names}
    if s.spoilt:
        equation = text(
            "blank chips received {received} = verified {verified} + rejected {rejected} + in reader {in_reader} "
            "+ spoilt {spoilt} + left {left}",
            **values,
        )
        return Text.assemble(equation, balance(s.balanced))
    equation = text(
        "blank chips received {received} = verified {verified} + rejected {rejected} + in reader {in_reader} "
        "+ left {left}",
        **values,
    )
    return Text.assemble(equation, balance(s.balanced))


def balance(balanced: bool) -> tuple[str, str]:
    """The mark below accounts, with its style."""
    return (f"   ✓ {text('balanced')}", "green") if balanced else (f"   ✗ {text('NOT BALANCED')}", "bold red")


def unbooked_warning(s: StockAccounts) -> str:
    """A warning about blank chips that were fed and are in no delivery."""
    return text(
        "warning: {unbooked} of the {fed} blank chips fed are in no delivery; count the blanks and book them "
        "with: membercard stock receive COUNT --supplier-batch NUMBER",
        unbooked=-s.left,
        fed=s.fed,
    )


def shortage_warning(s: StockAccounts, wanted: int) -> str:
    """A warning before work that takes more blank chips than are booked."""
    return text(
        "warning: {wanted} cards are to be made and {left} blank chips are booked as left; book deliveries "
        "with: membercard stock receive COUNT --supplier-batch NUMBER",
        wanted=wanted,
        left=max(0, s.left),
    )
