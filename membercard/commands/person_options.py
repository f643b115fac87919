"""Options of commands that record who did something, and why."""

from __future__ import annotations

from typing import Annotated

import typer

By = Annotated[
    str | None,
    typer.Option(help="Who does this; you, if not given. With users on record, that user's password is asked for."),
]
ByOrMachine = Annotated[
    str | None,
    typer.Option(help="Who does this, with a password if there are users; a token or the machine, if not given."),
]
