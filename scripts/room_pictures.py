"""Draws the rooms from the imports: a picture of the whole and one of each room, for docs/architecture.md.

Run it with: .venv/bin/python -m scripts.room_pictures [--check]

A box is a sub-package with its modules, or a module that stands by itself; an arrow is an import. Layout by Graphviz
(`dot`, Debian package graphviz). The text that Graphviz reads is kept beside each picture, so that `--check` tells
without Graphviz whether a picture is still true.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images" / "rooms"
ROOMS = ("membercard", "reader_service", "personalize", "programme", "registry", "terminal", "simulators")
INSIDE = (*ROOMS, "terminal.emv", "membercard.commands", "reader_service.services")
"""Each of these gets a picture of its inside."""
COLOURS = {
    "membercard": "#fde8d7",
    "reader_service": "#fdf3c7",
    "personalize": "#e3f1d4",
    "programme": "#d8f1ea",
    "registry": "#d9eefc",
    "terminal": "#e4e1f7",
    "simulators": "#f7dfe9",
}
_COLUMNS = 30
"""Characters of a line of module names in a box."""


def modules() -> dict[str, Path]:
    """Every product module by its dotted name; a package goes by the name of the package."""
    names = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "versions" not in path.parts:
                names[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return names


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The product modules that this file imports, also inside functions; those for type checkers only are left out."""
    inside: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    for node in inside:
        if not isinstance(node, ast.expr) and not _for_types_only(node):
            inside += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in known:
                    yield full
                elif node.module in known:
                    yield node.module


def _for_types_only(node: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING``, or one like it."""
    return isinstance(node, ast.If) and any(
        "TYPE_CHECKING" in (getattr(part, "id", ""), getattr(part, "attr", "")) for part in ast.walk(node.test)
    )


def graph() -> dict[str, set[str]]:
    """Which module imports which."""
    known = modules()
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def box_of(module: str, room: str, known: dict[str, Path]) -> str | None:
    """The box of a module in the picture of a room: the sub-package directly under the room, or the module itself."""
    if not module.startswith(f"{room}."):
        return None
    first = module.removeprefix(f"{room}.").partition(".")[0]
    return f"{room}.{first}"


def inside(room: str, edges: dict[str, set[str]]) -> str:
    """The picture of one room, as Graphviz reads it."""
    known = modules()
    boxes: dict[str, list[str]] = defaultdict(list)
    for module in known:
        box = box_of(module, room, known)
        if box is not None:
            boxes[box] += [module.removeprefix(f"{box}.")] if module != box else []
    arrows = {
        (source, target)
        for module, targets in edges.items()
        if (source := box_of(module, room, known))
        for other in targets
        if (target := box_of(other, room, known)) and source != target
    }
    colour = COLOURS[room.partition(".")[0]]
    lines = [f'  "{box}" [label=<{_label(box, room, names)}>];' for box, names in sorted(boxes.items())]
    lines += [f'  "{a}" -> "{b}";' for a, b in sorted(_needed(arrows))]
    return _dot(room, colour, lines)


def whole(edges: dict[str, set[str]]) -> str:
    """The picture of all rooms, `terminal` with its own, as Graphviz reads it."""

    def place(module: str) -> str:
        parts = module.split(".")
        return ".".join(parts[:2]) if parts[0] == "terminal" and len(parts) > 1 else parts[0]

    small = {"terminal.errors", "terminal.secret", "terminal"}
    arrows = {
        (place(module), place(other))
        for module, targets in edges.items()
        for other in targets
        if place(module) != place(other) and not {place(module), place(other)} & small
    }
    places = sorted({place for arrow in arrows for place in arrow})
    lines = []
    for name in places:
        sentence = _purpose(name)
        label = f"<b>{name}</b><br/><font point-size='9'>{_wrapped(sentence.split())}</font>"
        lines.append(f'  "{name}" [label=<{label}>, fillcolor="{COLOURS[name.partition(".")[0]]}"];')
    lines += [f'  "{a}" -> "{b}";' for a, b in sorted(_needed(arrows))]
    return _dot("rooms", "#ffffff", lines)


def _needed(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without the arrows that a longer way says already, where there is no circle: fewer lines, the same order."""
    targets: dict[str, set[str]] = defaultdict(set)
    for source, target in arrows:
        targets[source].add(target)

    def reach(start: str, without: str) -> bool:
        seen, todo = set(), [one for one in targets[start] if one != without]
        while todo:
            here = todo.pop()
            if here == without:
                return True
            if here not in seen and here != start:
                seen.add(here)
                todo += targets[here]
        return False

    return {(source, target) for source, target in arrows if not reach(source, target)}


def _purpose(room: str) -> str:
    path = modules()[room]
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].partition(":")[0].rstrip(".").replace("&", "&amp;").replace("<", "&lt;")


def _label(box: str, room: str, names: list[str]) -> str:
    title = f"<b>{box.removeprefix(f'{room}.')}</b>"
    flat = [name for name in names if "." not in name]
    if not flat:
        return title
    return f"{title}<br/><font point-size='9' color='#555555'>{_wrapped(flat)}</font>"


def _wrapped(words: list[str]) -> str:
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) >= _COLUMNS:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "<br/>".join([*lines, line])


def _dot(name: str, colour: str, lines: list[str]) -> str:
    head = [
        f'digraph "{name}" {{',
        '  graph [rankdir=TB, nodesep=0.25, ranksep=0.4, fontname="Helvetica", bgcolor="white"];',
        f'  node [shape=box, style="rounded,filled", fillcolor="{colour}", color="#777777", fontname="Helvetica", '
        "fontsize=11];",
        '  edge [color="#777777", arrowsize=0.6];',
    ]
    return "\n".join([*head, *lines, "}", ""])


def pictures() -> dict[str, str]:
    """Every picture's text by its name."""
    edges = graph()
    return {"rooms": whole(edges)} | {room: inside(room, edges) for room in INSIDE}


def main(check: bool) -> int:
    """Write the pictures, or tell which of them are out of date. Returns the exit code."""
    stale = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pictures().items():
        path = FOLDER / f"{name}.dot"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
            subprocess.run(["dot", "-Tsvg", "-o", path.with_suffix(".svg"), path], check=True)  # noqa: S603, S607
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; draw them with: python -m scripts.room_pictures\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the rooms from the imports.")
    parser.add_argument("--check", action="store_true", help="only tell whether the pictures are still true")
    sys.exit(main(parser.parse_args().check))
