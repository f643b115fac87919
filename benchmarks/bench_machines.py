"""Machines of a card station: a face to the bytes of a card printer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.table import Row
from personalize.face.files import shipped_design
from personalize.face.render import FaceRenderer
from personalize.machines.evolis.panels import Compression, PanelSettings, back_commands, front_commands
from personalize.machines.protocols import PrintedFace
from tests.support.faces import TEXTS, portrait

FACE_MS = 150.0
PANELS_MS = 60.0
ROUNDS = 30


def run() -> list[Row]:
    """Both sides of the largest shipped design for a ribbon of five panels."""
    renderer = FaceRenderer(shipped_design("hebei"))
    photo = portrait()

    def rendered() -> PrintedFace:
        return renderer.render(TEXTS, photo, "card")

    face, settings = rendered(), PanelSettings()
    densest = PanelSettings(compression=Compression.ALL)
    sides = [face.front, face.back]
    resized = _median(lambda: [side.resize((508, 324)) for side in sides if side is not None])
    whole = _median(lambda: _encoded(rendered(), settings))
    rows = [_row("a face at 300 dpi, both sides, rendered and encoded to printer bytes", whole, FACE_MS, resized)]
    for name, one in (("ten panels encoded", settings), ("ten panels encoded, all compressed", densest)):
        rows.append(_row(name, _median(lambda one=one: _encoded(face, one)), PANELS_MS, resized))  # type: ignore[misc]
    return rows


def _encoded(face: PrintedFace, settings: PanelSettings) -> int:
    return len(b"".join(front_commands(face, settings) + back_commands(face, settings)))


def _row(name: str, milliseconds: float, target: float, resized: float) -> Row:
    return Row(
        name,
        f"{milliseconds:.1f} ms of processor time, {milliseconds / resized:.1f} times as long as halving both pictures",
        milliseconds,
        f"<= {target:.0f} ms",
        milliseconds <= target,
    )


def _median(work: Callable[[], object]) -> float:
    """Milliseconds of processor time, so that other programs of the machine change little."""
    took = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return statistics.median(took) * 1e3


if __name__ == "__main__":
    for row in run():
        print(row)
