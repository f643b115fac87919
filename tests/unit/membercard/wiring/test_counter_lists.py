"""Which lists a verdict is judged by: those that were named, or a sentence; never others in their place."""

from contextvars import copy_context
from pathlib import Path

import pytest

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.counter_lists import load_lists


@pytest.mark.parametrize("named", ["hotlist", "list_key"])
def test_a_list_that_was_named_is_never_passed_over_in_silence(tmp_path: Path, named: str) -> None:
    def judge_by() -> None:
        settings.activate(None, data_dir=tmp_path)
        load_lists(**{"trust": None, "hotlist": None, "list_key": None, named: tmp_path / "file.json"})

    with pytest.raises(SettingsError, match="--trust"):
        copy_context().run(judge_by)
