from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from personalize.machines.evolis import printer
from personalize.machines.evolis.options import parse_rest
from personalize.machines.evolis.printer import EvolisMachine
from terminal.apdu.readers import open_reader
from terminal.errors import ReaderFault
from tests.support.machines.printer_script import AWAKE, PrinterScript

Turn: TypeAlias = tuple[str, bytes | ReaderFault]
Scripted: TypeAlias = Callable[..., EvolisMachine]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A printer at a scripted line: its options, then the turns after the beginning of the conversation."""
    scripts: list[PrinterScript] = []

    def machine(options: str, *turns: Turn, links: tuple[PrinterScript, ...] = ()) -> EvolisMachine:
        scripts.extend(links or [PrinterScript(*AWAKE, *turns)])
        waiting = iter(tuple(scripts))
        monkeypatch.setattr(printer, "open_serial_link", lambda device, rate: next(waiting))
        monkeypatch.setattr(printer, "_AGAIN", 0.001)
        device, parsed = parse_rest(f"/dev/ttyS9{options}")
        readers = [open_reader(url) if url else None for url in (parsed.reader, parsed.antenna)]
        return EvolisMachine(f"evolis:{device}{options}", device, parsed, reader=readers[0], antenna=readers[1])

    yield machine
    assert [list(script.turns) for script in scripts if script.turns] == []
