"""`python -m scripts.year_pictures`: play the five scripted years and take the pictures of docs/programmes.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts.screenshots import save

FOLDER: Final = Path(__file__).parents[1] / "docs" / "images" / "programmes"
YEARS: Final = ("beijing", "shijiazhuang", "hebei", "beijing-centre", "licheng")
_MEMBERCARD: Final = Path(sys.executable).with_name("membercard")
_CHROMIUM: Final = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--disable-background-networking", "--no-first-run", "--window-size=1000,1500"),
)


def main() -> None:
    """Take a picture of the head of each report, in English and in Chinese."""
    FOLDER.mkdir(exist_ok=True)
    for name in YEARS:
        for language in ("en", "zh"):
            with tempfile.TemporaryDirectory() as folder:
                page = Path(folder, "year.html")
                command: list[str | Path] = [_MEMBERCARD, "--lang", language, "programme", "demo", name, "-o", page]
                subprocess.run(command, check=True)  # noqa: S603  # this project's own command
                shot = Path(folder, "year.png")
                subprocess.run([*_CHROMIUM, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True)  # noqa: S603
                save(shot.read_bytes(), FOLDER / f"{name}-{language}.png")


if __name__ == "__main__":
    main()
