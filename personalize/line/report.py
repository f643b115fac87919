"""The batch report: one self-contained HTML page with rejects, reconciliation, times and a plot of seconds per card."""

from __future__ import annotations

import base64
import io
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from registry.line.doubled import DoubledChip
from registry.line.machines import MachineAccount
from registry.store import Registry
from registry.values import Batch, BatchAccounts, Card, Reject, RosterLine, StockAccounts, Timing
from terminal.localtime import offset
from terminal.visible import visible

_COLOURS = ("#1f6feb", "#bf3989", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#cf222e", "#57606a")
_MARKERS = (("o", "●"), ("s", "■"), ("D", "◆"), ("^", "▲"), ("v", "▼"), ("P", "✚"), ("*", "★"), ("X", "✖"))
"""Markers of the plot, and the same as characters."""


@dataclass(frozen=True, slots=True)
class LaneSummary:
    """Cards of one lane in a batch. Seconds are per card; ``colour`` and ``sign`` are those of its dots in the plot."""

    lane: str
    cards: int
    median: float
    slowest: float
    colour: str
    sign: str


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Everything the report shows of one batch. Personal data are masked."""

    batch: Batch
    accounts: BatchAccounts
    stock: StockAccounts
    refused_rows: Sequence[RosterLine]
    mended_rows: Sequence[RosterLine]
    rejects: Sequence[Reject]
    doubled: Sequence[DoubledChip]
    cards: Sequence[Card]
    timings: Sequence[Timing]
    machines: Sequence[MachineAccount] = ()

    @property
    def lanes(self) -> list[LaneSummary]:
        by_lane: dict[str, list[float]] = {}
        for timing in self.timings:
            by_lane.setdefault(timing.lane, []).append(timing.seconds)
        return [
            LaneSummary(
                lane,
                len(seconds),
                statistics.median(seconds),
                max(seconds),
                _COLOURS[number % len(_COLOURS)],
                _MARKERS[number % len(_MARKERS)][1],
            )
            for number, (lane, seconds) in enumerate(sorted(by_lane.items()))
        ]

    @property
    def codes(self) -> list[tuple[str, int]]:
        return Counter(code for row in self.refused_rows for code in row.codes).most_common()

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        return Counter(str(card.result.get("verdict", "?")) for card in self.cards).most_common()


def collect(registry: Registry, batch_id: str) -> BatchReport:
    """Read one batch's report from the registry."""
    rows = registry.rosters.rows(batch_id)
    return BatchReport(
        batch=registry.batches.batch(batch_id),
        accounts=registry.batches.accounts(batch_id),
        stock=registry.stock.accounts(),
        refused_rows=[row for row in rows if not row.accepted],
        mended_rows=[row for row in rows if row.accepted and row.codes],
        rejects=registry.line.rejects(batch_id),
        doubled=registry.line.doubled_chips(batch_id),
        cards=registry.cards.of_batch(batch_id),
        timings=registry.line.timings(batch_id),
        machines=registry.machine_cards.accounts(batch_id),
    )


def render(reports: Sequence[BatchReport], *, created_at: datetime, faces: Sequence[bytes] = ()) -> str:
    """The HTML page for one batch or several. ``faces``: JPEG pictures of printed cards, which show persons."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    template = environment.from_string((files("personalize.line") / "report.html.j2").read_text("utf-8"))
    plots = [Markup(_plot(report.timings)) if report.timings else None for report in reports]  # noqa: S704 - our own SVG
    return template.render(
        reports=list(zip(reports, plots, strict=True)),
        created_at=created_at,
        offset=offset,
        faces=[base64.b64encode(face).decode() for face in faces],
    )


def _shown(value: object) -> object:
    return visible(value, keep="\n\t") if type(value) is str else value


def _plot(timings: Sequence[Timing]) -> str:
    """Seconds per card in order of completion, one colour and marker for each lane, as inline SVG.

    No text from people is in it, as Matplotlib would take some for formulas: the table below is the legend.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # slow to import; only reports need it
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes, spread = figure.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    start = min(t.at.timestamp() - t.seconds for t in timings)
    for number, lane in enumerate(sorted({t.lane for t in timings})):
        own = [t for t in timings if t.lane == lane]
        axes.scatter(
            [t.at.timestamp() - start for t in own],
            [t.seconds for t in own],
            s=16,
            marker=_MARKERS[number % len(_MARKERS)][0],
            color=_COLOURS[number % len(_COLOURS)],
        )
    median = statistics.median(t.seconds for t in timings)
    axes.axhline(median, color="#57606a", linewidth=0.8, linestyle="--")
    axes.annotate(
        f"dashed: median {median:.3g} s",
        (0.995, 0.02),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        fontsize=8,
    )
    axes.set(xlabel="seconds since the first card", ylabel="seconds per card")
    axes.set_ylim(bottom=0)
    spread.hist([t.seconds for t in timings], bins=20, orientation="horizontal", color="#8c959f")
    spread.set(xlabel="cards")
    for side in (axes, spread):
        side.spines[["top", "right"]].set_visible(False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
