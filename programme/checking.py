"""A programme file as it is handed in: every fault and every finding of the linter with line and field, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from programme.errors import ProgrammeFileError
from programme.fault_texts import chinese_fault
from programme.linter import PlacedFinding, placed
from programme.programme import ProgrammeFile, parse_programme
from programme.wording import Sentence
from terminal.emv.transaction.yamlfile import MAX_BYTES

FAULT: Final = "file"
"""The rule of a finding that makes the file unreadable as a programme; every other one is of the linter."""
_WHOLE: Final = re.compile(r"(?P<line>[0-9]+): (?P<rest>.*)", re.DOTALL)
_NOT_YAML: Final = "not YAML: "


@dataclass(frozen=True, slots=True)
class ProgrammeCheck:
    """What a file holds and what is wrong with it. ``file`` is None where it has faults, ``text`` is empty where it is
    no text. Without findings it may be published."""

    text: str
    file: ProgrammeFile | None
    findings: tuple[PlacedFinding, ...]

    @property
    def sound(self) -> bool:
        return self.file is not None and not self.findings


def check(content: bytes, name: str) -> ProgrammeCheck:
    """Read the bytes of a file; ``name`` is what findings call it. Line 0 is the file as a whole."""
    if len(content) > MAX_BYTES:
        return ProgrammeCheck("", None, (_fault(name, 0, "", f"more than {MAX_BYTES:,} bytes"),))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        return ProgrammeCheck("", None, (_fault(name, line, "", f"not UTF-8 text: {fault.reason}"),))
    try:
        file = parse_programme(text, name)
    except ProgrammeFileError as error:
        return ProgrammeCheck(text, None, _faults(str(error), name))
    return ProgrammeCheck(text, file, tuple(placed(file)))


def _faults(message: str, name: str) -> tuple[PlacedFinding, ...]:
    """The faults of a message that has one on each line. A name in the file may have a line break of its own."""
    start = f"{name}:"
    faults: list[str] = []
    for line in message.split("\n"):
        if line.startswith(start) or not faults:
            faults.append(line.removeprefix(start))
        else:
            faults[-1] += f" {line}"
    return tuple(_placed(name, fault) for fault in faults)


def _placed(name: str, fault: str) -> PlacedFinding:
    match = _WHOLE.fullmatch(fault)
    if match is None:
        return _fault(name, 0, "", fault.strip())
    line, rest = int(match["line"]), match["rest"]
    field, colon, text = rest.partition(": ")
    if not colon or rest.startswith(_NOT_YAML):
        return _fault(name, line, "", rest)
    return _fault(name, line, field, text)


def _fault(name: str, line: int, field: str, english: str) -> PlacedFinding:
    return PlacedFinding(name, line, field, FAULT, Sentence(chinese_fault(english), english))
