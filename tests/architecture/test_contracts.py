"""Rules that hold for the whole tree: one-way dependencies, sizes, no assertions or prints in production code."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

ROOMS = ("membercard", "personalize", "programme", "reader_service", "registry", "simulators", "terminal")
MOST_LINES, MOST_IN_FUNCTION, MOST_IN_FOLDER = 400, 60, 22

# Files and functions that may be longer, each with its reason.
LONG_FILES: dict[str, str] = {
    "reader_service/redemptions/journal.py": "one lock covers every row and the state after it",
    "reader_service/readers/manager.py": "one lock covers every change of a reader's state",
}
LONG_FUNCTIONS: dict[str, str] = {}
FULL_FOLDERS: dict[str, str] = {
    "benchmarks": "one benchmark a file, with the tables that all of them print",
    "docs": "the pages of the site, in the order of the tables of contents of its index",
    "registry/migrations/versions": "one migration a file, in their order",
    "tests/data/rosters-2": "forms, each beside what is expected of it",
    "tests/transcripts/payment": "one recorded conversation a file",
}


def files() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


@functools.cache
def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path))


@functools.cache
def nodes() -> dict[type[ast.AST], list[tuple[Path, Any]]]:
    """Every node of the program by its class, with its file: one walk serves every rule."""
    by_class: dict[type[ast.AST], list[tuple[Path, Any]]] = defaultdict(list)
    for path in files():
        for node in ast.walk(tree(path)):
            by_class[type(node)].append((path, node))
    return by_class


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.fail("these rules are about what is tracked: run them in a git checkout")
    return [path for text in listed.stdout.decode().split("\0") if text and (path := ROOT / text).is_file()]


def test_dependencies_flow_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


def test_no_modules_import_each_other() -> None:
    """Neither directly nor through others, imports within functions included; imports for types alone do not count."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files()
    }
    graph = {module: set(imported(tree(path), modules)) - {module} for module, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these modules import each other: {' -> '.join(error.args[1])}")


def imported(tree: ast.Module, modules: Container[str]) -> Iterator[str]:
    """The modules of the program that ``tree`` imports, at any depth."""
    inside: list[ast.AST] = [tree]
    for node in inside:
        if isinstance(node, ast.If) and any(
            "TYPE_CHECKING" in (getattr(part, "id", ""), getattr(part, "attr", "")) for part in ast.walk(node.test)
        ):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in modules or node.module in modules:
                    yield submodule if submodule in modules else node.module
        elif not isinstance(node, ast.expr):
            inside += ast.iter_child_nodes(node)


def test_no_file_is_long() -> None:
    long = {name(path): len(source(path).splitlines()) for path in files()}
    assert {path: lines for path, lines in long.items() if lines > MOST_LINES and path not in LONG_FILES} == {}
    assert {path for path in LONG_FILES if long.get(path, 0) <= MOST_LINES} == set(), "no exception is needed any more"


def test_no_folder_is_full() -> None:
    """Who looks for something finds its room by what it is for, and does not read through a long list."""
    full = {folder: n for folder, n in Counter(name(path.parent) for path in tracked()).items() if n > MOST_IN_FOLDER}
    assert {folder: n for folder, n in full.items() if folder not in FULL_FOLDERS} == {}
    assert set(FULL_FOLDERS) <= set(full), "no exception is needed any more"


def test_no_function_is_long() -> None:
    long = {}
    for path, node in (*nodes()[ast.FunctionDef], *nodes()[ast.AsyncFunctionDef]):
        lines = (node.end_lineno or 0) - node.lineno + 1
        if lines > MOST_IN_FUNCTION:
            long[f"{name(path)}:{node.name}"] = lines
    assert {place: lines for place, lines in long.items() if place not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "no exception is needed any more"


def test_production_code_asserts_nothing() -> None:
    """Under -O an assertion vanishes, and it raises what nobody expects."""
    violations = [f"{name(path)}:{node.lineno}" for path, node in nodes()[ast.Assert]]
    assert violations == []


def test_production_code_prints_nothing() -> None:
    violations = [
        f"{name(path)}:{node.lineno}"
        for path, node in nodes()[ast.Call]
        if isinstance(node.func, ast.Name) and node.func.id in ("print", "breakpoint")
    ]
    assert violations == []


def test_no_fault_is_swallowed_whole() -> None:
    """Whoever catches everything raises it again, passes it on, or logs it (by kind and place: reader_service.logs)."""
    violations = []
    for path, handler in nodes()[ast.ExceptHandler]:
        if broad(handler.type) and not goes_on(handler):
            violations.append(f"{name(path)}:{handler.lineno}")
    for path, call in nodes()[ast.Call]:
        if ast.unparse(call.func).endswith("suppress") and any(map(broad, call.args)):
            violations.append(f"{name(path)}:{call.lineno}")
    assert violations == []


def broad(caught: ast.expr | None) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether a fault is raised again, used by its name, or logged with its place."""
    for node in (node for line in handler.body for node in ast.walk(line)):
        named = isinstance(node, ast.Name) and node.id == handler.name
        logged = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "exception"
        if named or logged or isinstance(node, ast.Raise):
            return True
    return False


def test_every_module_and_public_class_says_what_it_is_for() -> None:
    mute = []
    for path in files():
        if path.name == "__init__.py" and not source(path).strip():
            continue
        if "migrations/versions" not in name(path) and ast.get_docstring(tree(path)) is None:
            mute.append(name(path))
    assert mute == []


def test_no_unfinished_business() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|raise NotImplementedError)\b")
    violations = [
        f"{name(path)}:{number}"
        for path in files()
        for number, line in enumerate(source(path).splitlines(), 1)
        if marks.search(line)
    ]
    assert violations == []


def test_tracked_files_speak_of_the_project_only() -> None:
    """Neither places of one machine nor tools of one author."""
    foreign = re.compile(
        rb"/wo"
        + rb"rk/|/tmp/"
        + rb"w/|\bassi"
        + rb"stants?\b|\bhelp"
        + rb"ers?\b|\bsubag"
        + rb"ents?\b|\bPLAN"
        + rb"\.md\b"
    )
    violations = []
    for path in tracked():
        if "vendor" in path.parts:
            continue  # what others wrote speaks as they do
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if foreign.search(line):
                violations.append(f"{name(path)}:{number}: {line[:100]!r}")
    assert violations == []


def test_each_command_group_is_one_file() -> None:
    """A command group is a module of its own, found by name, so that no command waits for another's imports."""
    from membercard.command_table import TABLE

    modules = [row.module for row in TABLE if row.module]
    assert len(modules) == len(set(modules)) == len(TABLE) - 1
    for module in modules:
        assert (ROOT / "membercard" / "commands" / f"{module.replace('.', '/')}.py").is_file(), module


def test_each_command_stands_in_the_room_of_its_help_panel() -> None:
    from membercard.command_table import TABLE

    rooms = {row.name: row.module.partition(".")[0] for row in TABLE if row.module}
    assert rooms == {row.name: row.panel.name.lower() for row in TABLE if row.module}
