"""Prints the test files that a change touches, one a line: usage: touched_tests.py [REVISION], by default `main`.

A changed test is one. A changed file touches the tests in the folder that mirrors its own (tests/unit/<room>/…), or the
nearest one above it: templates, texts and styles have none of their own. A changed module also touches every test that
imports it, directly or through test support. Code and documentation touch the rules for the tree (tests/architecture).
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNIT = Path("tests/unit")
RULES = Path("tests/architecture")


def git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603, S607


def changed(revision: str) -> list[Path]:
    """Since the common ancestor with this revision, in commits or not."""
    (base,) = git("merge-base", revision, "HEAD")
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in names if (ROOT / name).exists()]


def module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def imports(path: Path) -> set[str]:
    """Modules, and names that may be modules."""
    names: set[str] = set()
    inside: list[ast.AST] = [ast.parse((ROOT / path).read_text(encoding="utf-8"))]
    for node in inside:
        if not isinstance(node, ast.expr):
            inside += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def mirror(path: Path) -> Path | None:
    """The folder of tests for a file of the program: of its room, or of the nearest room around it."""
    if path.parts[0] in ("tests", "docs"):
        return None
    folders = (UNIT / parent for parent in path.parents if parent.parts)
    return next((folder for folder in folders if (ROOT / folder).is_dir()), None)


def touched(paths: list[Path]) -> set[Path]:
    tests = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("*.py"))]
    imported = {path: imports(path) for path in tests}
    wanted = {module(path) for path in paths if path.suffix == ".py"}
    while more := {module(p) for p in tests if imported[p] & wanted and "support" in p.parts} - wanted:
        wanted |= more
    matches = {path for path in tests if path in paths or imported[path] & wanted}
    for path in paths:
        if (folder := mirror(path)) is not None:
            matches |= {test for test in tests if test.is_relative_to(folder)}
    if any(path.suffix in (".py", ".md") for path in paths):
        matches |= {test for test in tests if test.is_relative_to(RULES)}
    return {path for path in matches if path.name.startswith("test_")}


def main() -> None:
    for path in sorted(touched(changed(sys.argv[1] if len(sys.argv) > 1 else "main"))):
        print(path)  # noqa: T201


if __name__ == "__main__":
    main()
