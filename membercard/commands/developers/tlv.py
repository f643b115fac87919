"""`membercard tlv`: card data explained."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from membercard import output
from membercard.commands.developers.gp.input import aid_of, hex_bytes
from membercard.explained import localized
from terminal.emv.data.explain import explain_readable
from terminal.member.elements import dictionary

app = typer.Typer()


@app.callback()
def _group() -> None:
    """Keep `decode` a command of its own beside those to come."""


@app.command("decode")
def decode(
    data: Annotated[str, typer.Argument(help="Data objects in hex, or - to read them from standard input.")],
    aid: Annotated[
        str | None,
        typer.Option(help="Their application, in hex: some tags mean something else in each.", show_default=False),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show personal data too: card numbers, tracks, names, ID numbers.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Print data objects as a tree: names, values, and the meaning of every bit. Personal data are masked.

    Example: membercard tlv decode --aid A000000333010101 9F7906000000001234
    """
    typed = sys.stdin.buffer.read().decode("ascii", "replace") if data == "-" else data
    name = None if aid is None else aid_of(aid)
    raw = hex_bytes(typed)
    if not raw:
        raise typer.BadParameter("there is nothing to decode", param_hint="DATA")
    trees, fault = explain_readable(raw, name, reveal=reveal, dictionary=dictionary())
    if json:
        output.as_json([tree.to_json() for tree in trees])
    else:
        for tree in trees:
            typer.echo("\n".join(localized(tree).lines()))
    if fault is not None:
        raise fault
