"""A class name says which class it is: none is defined in two files."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.support.paths import ROOT

ROOMS = ("membercard", "personalize", "programme", "reader_service", "registry", "simulators", "terminal")

CLASS = re.compile(r"^\s*class (\w+)[(:\[]", re.MULTILINE)
"""A definition; a line of text that looks like one fails the test rather than passing it."""

# Names that two files may define, each with its reason.
SHARED: dict[str, str] = {}


def test_no_class_name_is_defined_in_two_files() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for name in CLASS.findall(path.read_text(encoding="utf-8")):
                places[name].add(str(path.relative_to(ROOT)))
    assert len(places) > 500
    shared = {name: sorted(files) for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in SHARED} == {}
    assert SHARED.keys() <= shared.keys(), "no exception is needed any more"
