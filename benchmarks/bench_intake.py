"""Checking a form of 25,000 rows against reading it with python-calamine, and its copy against checking it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from python_calamine import CalamineWorkbook

from benchmarks.roster_form import write_form
from benchmarks.table import Row, alternate
from personalize.intake import check
from personalize.intake.annotate import annotate

PEOPLE = 25_000
AT_MOST = 6.0
COPY_AT_MOST = 3.0


def run(form: Path | None = None) -> list[Row]:
    """``form``: another form than the generated one; ``python -m benchmarks.bench_intake FORM`` sets it."""
    with tempfile.TemporaryDirectory() as folder:
        path = form or write_form(Path(folder) / "roster-25k.xlsx", PEOPLE)
        report = check(path)
        if form is None and len(report.accepted) != PEOPLE:
            raise ValueError(f"the generated form has faults: {report.counts}")

        def read() -> object:
            return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()

        ours, theirs, ratio = alternate(lambda: check(path), read, calls=1, rounds=9)
        out = Path(folder) / "annotated.xlsx"
        copying, checking, times = alternate(lambda: annotate(report, out), lambda: check(path), calls=1, rounds=5)
    what = f"roster check of {len(report.rows):,} rows against reading them with python-calamine"
    per_row = ours / len(report.rows) * 1e6
    measured = f"{ours * 1e3:.0f} ms ({per_row:.0f} µs a row) against {theirs * 1e3:.0f} ms"
    copied = f"annotated copy of {len(report.rows):,} rows against checking them"
    took = f"{copying * 1e3:.0f} ms against {checking * 1e3:.0f} ms"
    return [
        Row(what, measured, ratio, f"≤ {AT_MOST:g}", ratio <= AT_MOST),
        Row(copied, took, times, f"≤ {COPY_AT_MOST:g}", times <= COPY_AT_MOST),
    ]


if __name__ == "__main__":
    import sys

    for row in run(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(f"{row.what}: {row.measured}, ratio {row.ratio:.2f} (target {row.target})")
