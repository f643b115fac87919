"""`membercard demo`: from two Excel forms to chip cards that members use, on virtual readers, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Where the demo puts everything; replaced if a demo made it.")] = Path(
        "demo-out"
    ),
    lanes: Annotated[int, typer.Option(help="Personalization lanes.", min=1, max=16)] = 4,
) -> None:
    """Watch the main job: forms checked, faults listed, approved by a second person, chips personalized and read back,
    cards handed over, activated, verified, paid with and used for benefits, and the merchant's statement.

    Everything is embedded: SQLite, a software keystore, virtual cards. Nothing outside --out is changed. The demo is
    dated from the month that is over until today, so that a statement of that month can be drawn up.
    """
    from membercard.commands.start.demo_run import run  # imports nearly everything

    run(out, lanes)
