"""`python -m benchmarks [NAME …]`: run the benchmarks and print their tables. --write FILE also writes each table into
its section of a Markdown page and leaves the other sections as they are."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.page import with_section
from benchmarks.table import Row

BENCHMARKS = (
    "start",
    "tlv",
    "card",
    "channel",
    "serial",
    "crt571",
    "machines",
    "kernel",
    "intake",
    "line",
    "lanes",
    "face",
    "payment",
    "redemption",
    "booking",
    "payouts",
    "covers",
    "rush",
    "ecard",
    "programme",
    "service",
)


def main() -> int:
    """0 where every target is met; 1 where one is not, or a benchmark ended with a fault: its old figures stay."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], choices=[*BENCHMARKS, []], help="which; all if none is named")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the tables, each as it is measured")
    parser.add_argument("--listen", type=float, metavar="SECONDS", help="how long the listeners of `service` listen")
    wanted = parser.parse_args()
    met = True
    for name in wanted.names or BENCHMARKS:
        print(f"running {name} …", file=sys.stderr)
        try:
            rows = _benchmark(name, wanted.listen)()
        except Exception:  # the figures of the others are not lost for a fault of one
            traceback.print_exc()
            met = False
            continue
        show(name, rows)
        met = met and all(row.ok for row in rows)
        if wanted.write:
            measured = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}."
            text = wanted.write.read_text(encoding="utf-8") if wanted.write.exists() else "# Figures\n"
            wanted.write.write_text(with_section(text, name, rows, measured, BENCHMARKS), encoding="utf-8")
    return 0 if met else 1


def _benchmark(name: str, listen: float | None) -> Callable[[], Sequence[Row]]:
    run = import_module(f"benchmarks.bench_{name}").run
    return run if listen is None or name != "service" else lambda: run(listen)


def machine() -> str:
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {system}"


def show(name: str, rows: Sequence[Row]) -> None:
    table = Table(title=f"{name} · {machine()}", title_justify="left")
    for column in ("what", "measured", "ratio", "target", ""):
        table.add_column(column, justify="right" if column == "ratio" else "left")
    for row in rows:
        table.add_row(row.what, row.measured, f"{row.ratio:.3g}", row.target, "✓" if row.ok else "✗")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
