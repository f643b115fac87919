"""Rules for the tests themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
_HOLDS = {"raises", "fail", "expect"}
"""Calls that are assertions: of pytest, and of Playwright."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def called(function: Function) -> Iterator[str]:
    """The functions that are called by their own names; a method of a fixture asserts nothing that a reader sees."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def asserts(function: Function) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Raise) and node.exc is not None and "AssertionError" in ast.unparse(node.exc):
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _HOLDS:
            return True
    return False


def test_every_test_asserts_something() -> None:
    """Itself, or by a function that does. Where nothing may be raised, the test asserts what is there afterwards."""
    functions: dict[Path, list[Function]] = {
        path: [
            node
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for path in TESTS.rglob("*.py")
    }
    holding = {one.name for those in functions.values() for one in those if asserts(one)}
    silent = [
        f"{path.relative_to(ROOT)}:{one.lineno}: {one.name}"
        for path, those in functions.items()
        for one in those
        if one.name.startswith("test_") and not asserts(one) and not holding & set(called(one))
    ]
    assert silent == []
