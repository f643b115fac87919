"""`python -m benchmarks [NAME …]`: run the benchmarks and print their table; --write FILE also writes Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.table import Row

BENCHMARKS = ("start", "tlv", "card", "channel", "kernel", "intake", "line", "payment", "service")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], choices=[*BENCHMARKS, []], help="which; all if none is named")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the table as Markdown")
    wanted = parser.parse_args()
    rows = []
    for name in wanted.names or BENCHMARKS:
        print(f"running {name} …", file=sys.stderr)
        rows += import_module(f"benchmarks.bench_{name}").run()
    show(rows)
    if wanted.write:
        wanted.write.write_text(markdown(rows), encoding="utf-8")
    return 0 if all(row.ok for row in rows) else 1


def machine() -> str:
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {system}"


def show(rows: list[Row]) -> None:
    table = Table(title=machine(), title_justify="left")
    for column in ("what", "measured", "ratio", "target", ""):
        table.add_column(column, justify="right" if column == "ratio" else "left")
    for row in rows:
        table.add_row(row.what, row.measured, f"{row.ratio:.3g}", row.target, "✓" if row.ok else "✗")
    Console().print(table)


def markdown(rows: list[Row]) -> str:
    lines = ["| what | measured | ratio | target | |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.measured} | {r.ratio:.3g} | {r.target} | {'✓' if r.ok else '✗'} |" for r in rows]
    return "\n".join(lines) + f"\n\nMeasured on: {machine()}.\n"


if __name__ == "__main__":
    sys.exit(main())
