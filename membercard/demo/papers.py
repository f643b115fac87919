"""The papers that a demo leaves in its directory: PDF files, which need a font with Chinese letters, and workbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from membercard import output
from membercard.language import sentence
from personalize.errors import NoChineseFont


def write_papers(console: Console, papers: Mapping[Path, Callable[[], bytes]]) -> Sequence[Path]:
    """Write each paper that this machine can print; a missing font is named once. The paths of those written."""
    written, lacking = [], ""
    for path, render in papers.items():
        try:
            output.write_file(path, render())
        except NoChineseFont as fault:
            lacking = str(fault)
        else:
            written.append(path)
    if lacking:
        console.print(f"   {sentence(lacking)}", style="dim", markup=False)
    return written
