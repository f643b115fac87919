"""Codes that a counter accepted: each once, over restarts, and forgotten when their step is over."""

from __future__ import annotations

from pathlib import Path

from reader_service.redemptions.seen_ecards import SeenEcards


def test_a_code_is_taken_once_over_restarts_and_forgotten_after_its_steps(tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    assert SeenEcards(folder).take(100, "a", 100)
    assert not SeenEcards(folder).take(100, "a", 101)
    assert SeenEcards(folder).take(101, "a", 101)
    assert SeenEcards(folder).take(100, "b", 101)
    assert sorted(path.name for path in folder.iterdir()) == ["100-a", "100-b", "101-a"]
    assert SeenEcards(folder).take(103, "a", 102)
    assert sorted(path.name for path in folder.iterdir()) == ["101-a", "103-a"]
