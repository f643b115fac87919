"""The command reference says what the commands say."""

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def test_the_reference_is_the_commands_own_help(tmp_path: Path) -> None:
    fresh = tmp_path / "cli.md"
    subprocess.run([sys.executable, ROOT / "scripts" / "cli_reference.py", fresh], check=True, cwd=ROOT)
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == fresh.read_text(encoding="utf-8"), "write it anew with: python scripts/cli_reference.py"
