"""A record of the exchanged APDUs, redacted when it is taken, not when it is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from terminal.apdu.command import Command, Response
from terminal.apdu.describe import describe, names_application
from terminal.apdu.status import StatusWord


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One exchange. ``command_data`` and ``response_data`` are None where they were redacted; lengths never are.

    ``seconds`` is the time from command to response. Without a response ``sw`` is None and ``fault`` names the
    exception.
    """

    header: bytes
    command_length: int
    command_data: bytes | None
    ne: int | None
    response_length: int
    response_data: bytes | None
    sw: StatusWord | None
    seconds: float
    fault: str = ""

    def __str__(self) -> str:
        return self.line()

    def line(self, *, command: Callable[[str], str] = str, words: Callable[[str], str] = str) -> str:
        """The exchange on one line, in another language where ``command`` translates the command in words, and
        ``words`` lengths of redacted data, status words and faults."""
        head = " ".join(f"{byte:02X}" for byte in self.header)
        sent = _field(self.command_length, self.command_data, words)
        answer = _field(self.response_length, self.response_data, words)
        end = words(self.fault) if self.sw is None else f"{answer}{words(str(self.sw))}"
        return f"{self.seconds * 1000:8.2f} ms  {head}  {sent}{command(describe(*self.header))}  ->  {end}"

    def __repr__(self) -> str:
        """The printed line, which holds no redacted data."""
        return f"<TraceEntry {str(self).strip()}>"


def _field(length: int, data: bytes | None, words: Callable[[str], str]) -> str:
    if not length:
        return ""
    return f"{words(f'[{length} bytes]')}  " if data is None else f"{data.hex().upper()}  "


class Trace:
    """Collects the exchanges of a session; printing it gives one line for each.

    By default data fields are redacted to their length: card data are personal, and personalization data are secret.
    Application names in SELECT and status words are recorded. ``reveal=True`` records everything and is for cards with
    test data. ``limit`` is the maximum number of entries; older ones are dropped and counted in ``dropped``.
    """

    def __init__(self, *, reveal: bool = False, limit: int = 10_000) -> None:
        self.reveal = reveal
        self.entries: list[TraceEntry] = []
        self.dropped = 0
        self._limit = limit

    def add(self, command: Command, response: Response | None, seconds: float, fault: str = "") -> None:
        """Record one exchange; ``response`` is None when ``fault`` names an exception instead."""
        shown = self.reveal or names_application(command)
        self.entries.append(
            TraceEntry(
                header=command.header,
                command_length=len(command.data),
                command_data=command.data if shown else None,
                ne=command.ne,
                response_length=0 if response is None else len(response.data),
                response_data=response.data if response is not None and self.reveal else None,
                sw=None if response is None else response.sw,
                seconds=seconds,
                fault=fault,
            )
        )
        if len(self.entries) > self._limit:
            del self.entries[0]
            self.dropped += 1

    @property
    def seconds(self) -> float:
        """Time spent waiting for the card, over all recorded exchanges."""
        return sum(entry.seconds for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[TraceEntry]:
        return iter(self.entries)

    def __str__(self) -> str:
        head = [f"({self.dropped} earlier exchanges dropped)"] if self.dropped else []
        return "\n".join(head + [str(entry) for entry in self.entries])
