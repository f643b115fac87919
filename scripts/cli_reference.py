"""Writes docs/cli.md from the commands: `python scripts/cli_reference.py [FILE]`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from membercard.cli import EXIT_CODES, app

HEAD = f"""# Commands

Made from the program's own help by `scripts/cli_reference.py`; a test holds the two together.

{EXIT_CODES}

Reader URLs: `pcsc:NAME`, `pcsc:INDEX` (see [PC/SC](pcsc.md)), `serial:PORT` (see [machines](machines.md)),
`sim:CARDFILE`, `sim:DIR` (a feeder over a stock of blanks). Virtual readers take options: `sim:DIR?timing=real` makes
every exchange as slow as on a real chip, `?fault=mute:12` and the like make faults.

Settings come from flags before the command, from the environment (`MEMBERCARD_DATA_DIR`, `MEMBERCARD_DATABASE_URL`,
`MEMBERCARD_KEYSTORE`, `MEMBERCARD_PASSPHRASE`, `MEMBERCARD_PASSPHRASE_FILE`, `MEMBERCARD_PROFILE`,
`MEMBERCARD_SIMULATION`, `MEMBERCARD_STATION`, `MEMBERCARD_OPERATOR`, `MEMBERCARD_LEASE_SECONDS`: how long a chip is in
a lane's hands before it can be given up as lost; `MEMBERCARD_TIME_ZONE`: the IANA zone that dates cards, batches,
pages and files, Asia/Shanghai if not set; `MEMBERCARD_DOSSIER_DAYS`: how old card data may be when a chip gets them;
`MEMBERCARD_HOTLIST_DAYS`: how old a hotlist may be that a counter relies on), or from a TOML file (`--config`,
`MEMBERCARD_CONFIG`, or `membercard.toml` in the data directory) with the same names in lower case and without the
prefix: flag before environment before file.

Help, output, prompts and errors are in Chinese or English: `--lang` before the command, else `MEMBERCARD_LANG` (`zh`,
`en`), else the locale (`LC_ALL`, `LC_MESSAGES`, `LANG`). JSON output and exit codes are the same in both. Tables fit
the terminal; one that is too wide becomes a list of fields.
"""


def reference() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    context = root.make_context("membercard", [], resilient_parsing=True)
    parts = [HEAD, *_options("membercard", root, context)]
    for name in root.list_commands(context):
        parts += _command(f"membercard {name}", root.get_command(context, name), context)
    return "\n".join(parts).rstrip() + "\n"


def _command(name: str, command: Any, parent: Any) -> Iterator[str]:
    context = command.make_context(name.split()[-1], [], parent=parent, resilient_parsing=True)
    if hasattr(command, "list_commands"):
        yield f"\n## {name}\n\n{_prose(command.help)}"
        for child in command.list_commands(context):
            yield from _command(f"{name} {child}", command.get_command(context, child), context)
        return
    level = "##" if name.count(" ") == 1 else "###"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n{level} {name}\n\n`{name} {usage}`\n\n{_prose(command.help)}"
    yield from _options(name, command, context)


def _options(name: str, command: Any, context: Any) -> Iterator[str]:
    rows = [record for record in (p.get_help_record(context) for p in command.get_params(context)) if record]
    if rows:
        yield "\n| option | |\n| --- | --- |"
        for option, text in rows:
            yield f"| `{option.replace('|', '/')}` | {' '.join(text.split()).replace('|', '/')} |"


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/cli.md")
    target.write_text(reference(), encoding="utf-8")
