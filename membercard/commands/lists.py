"""`membercard lists`: the signed lists that counters carry."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from membercard import output, settings
from membercard.wiring.counter_lists import LIST_KEY, key_file
from membercard.wiring.line import profile_in_use
from personalize.lists import signed_lists

app = typer.Typer()


@app.command("publish")
def publish(
    directory: Annotated[Path, typer.Argument(help="Where to write the files.", show_default=False)],
) -> None:
    """Write the files that counters need offline: signed trust list, signed hotlist, and the key to verify them.

    Example: membercard lists publish /srv/counters
    """
    keystore, at = settings.open_keystore(), datetime.now(UTC)
    with settings.open_registry(keystore) as registry:
        written = signed_lists(keystore, registry, profile_in_use(), at)
    written[LIST_KEY] = key_file(keystore)
    for name, content in written.items():
        output.write_file(directory / name, content)
        typer.echo(f"{directory / name}")
