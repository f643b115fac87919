"""A class name says which class it is: none is defined in two files."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.paths import ROOT

ROOMS = ("membercard", "personalize", "programme", "reader_service", "registry", "simulators", "terminal")

# Names that two files may define, each with its reason.
SHARED: dict[str, str] = {}


def test_no_class_name_is_defined_in_two_files() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    places[node.name].add(str(path.relative_to(ROOT)))
    shared = {name: sorted(files) for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in SHARED} == {}
    assert SHARED.keys() <= shared.keys(), "no exception is needed any more"
