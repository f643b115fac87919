"""Where the project and its test data stand."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
