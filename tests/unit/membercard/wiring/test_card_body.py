"""Where a station makes the bodies of cards: as its settings say, or as one run says."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path

import pytest

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.line import StationLine
from personalize.line.job import BodyMaking
from tests.support import issuer, profiles

HERE, ELSEWHERE = BodyMaking.HERE, BodyMaking.ELSEWHERE


@pytest.mark.parametrize(
    ("setting", "run", "making"),
    [("", None, HERE), ("elsewhere", None, ELSEWHERE), ("elsewhere", HERE, HERE), ("here", ELSEWHERE, ELSEWHERE)],
)
def test_a_run_overrides_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, run: BodyMaking | None, making: BodyMaking
) -> None:
    if setting:
        monkeypatch.setenv("MEMBERCARD_CARD_BODY", setting)

    def job_body() -> BodyMaking:
        settings.activate(None, data_dir=tmp_path)
        with issuer.registry(f"sqlite:///{tmp_path / 'registry.db'}") as registry:
            return StationLine(registry, profiles.plain(), issuer.custody(), "line").job("B20261122-001", run).body

    assert copy_context().run(job_body) is making


def test_another_word_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERCARD_CARD_BODY", "later")

    def load() -> None:
        settings.activate(None, data_dir=tmp_path)
        settings.load()

    with pytest.raises(SettingsError, match="card_body"):
        copy_context().run(load)
