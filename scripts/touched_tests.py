"""Prints the test files that a change touches, one a line: usage: touched_tests.py [REVISION], by default `main`.

A changed test is one. A changed module touches the tests in the folder that mirrors its own (tests/unit/<room>/…), and
every test that imports it, directly or through test support. A changed file of another kind touches its room's tests.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603, S607


def changed(revision: str) -> list[Path]:
    """Since the common ancestor with this revision, in commits or not."""
    (base,) = git("merge-base", revision, "HEAD")
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in names if (ROOT / name).exists()]


def module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Modules, and names that may be modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def touched(paths: list[Path]) -> set[Path]:
    tests = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("*.py"))]
    imported = {path: imports(path) for path in tests}
    wanted = {module(path) for path in paths if path.suffix == ".py"}
    while more := {module(p) for p in tests if imported[p] & wanted and "support" in p.parts} - wanted:
        wanted |= more
    matches = {path for path in tests if path in paths or imported[path] & wanted}
    for path in paths:
        mirror = Path("tests/unit") / path.parent
        if path.parts[0] not in ("tests", "docs") and (ROOT / mirror).is_dir():
            matches |= {test for test in tests if test.is_relative_to(mirror)}
    return {path for path in matches if path.name.startswith("test_")}


def main() -> None:
    for path in sorted(touched(changed(sys.argv[1] if len(sys.argv) > 1 else "main"))):
        print(path)  # noqa: T201


if __name__ == "__main__":
    main()
