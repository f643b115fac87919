"""`membercard restore`: after a database was restored from a backup, before work goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membercard import output

app = typer.Typer()


@app.callback()
def _group() -> None:
    """A group even while it has one command."""


Noted = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER:HASH", help="The end of the audit, noted elsewhere (audit verify).", show_default=False
    ),
]
Records = Annotated[
    list[Path] | None,
    typer.Option(help="registry-record.json of another station; may be given again.", show_default=False),
]
Hotlists = Annotated[
    list[Path] | None,
    typer.Option(help="A signed hotlist, as new as there is one; may be given again.", show_default=False),
]
Readers = Annotated[
    list[str] | None,
    typer.Option(
        help="Read the cards issued since: sim:CARDFILE, sim:DIR with all its cards, or pcsc:NAME with one card "
        "after the other; may be given again.",
        show_default=False,
    ),
]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the next card in a reader.", min=0)]
Restored = Annotated[bool, typer.Option("--restored", help="It was restored, though nothing on this machine shows it.")]
By = Annotated[
    str | None,
    typer.Option(help="Who runs this check, who proves it if there are users; the machine's operator if not given."),
]


@app.command("check")
def check(
    noted: Noted = None,
    record: Records = None,
    hotlist: Hotlists = None,
    reader: Readers = None,
    wait: Wait = 10.0,
    restored: Restored = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Compare a restored registry with what was seen since its backup, and let the work go on.

    A registry that is older than the record beside it gives no number out and starts no lane until this was run. The
    check moves every counter past the numbers that may have been used, refuses the cards that may be in anybody's
    hands, takes cards reported lost since from the newest signed hotlist, and ends all sessions and tokens. Dossiers
    that wait, and may be on chips since, are made again with the next sequence; those whose chip is at hand (--reader)
    are kept, and the chip is finished by the line. Run it with every record, hotlist and card that you can get.

    Exit code 0: done, or nothing was restored; 1: something is left to do by hand.

    Example: membercard restore check --reader sim:stock/issued --noted 1204:9f2c...
    """
    from membercard.commands.administration import restore_check  # imports the registry and all of the card's side

    seen = restore_check.SeenSince(noted, record or [], hotlist or [], reader or [], wait)
    restore_check.compare(seen, restored=restored, by=by, json=json)
