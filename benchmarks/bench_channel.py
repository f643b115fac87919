"""An exchange through pcscd and vpcd against a bare SCardTransmit of the same bytes."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from smartcard import scard

from benchmarks.table import Row
from terminal.apdu import Command, stack
from terminal.apdu.pcsc.transport import PcscCard, open_reader
from tests.support.pcsc.pcscd import Pcscd, Slot

TARGET = 1.10
EXCHANGES = 6000
_ROOT = Path(__file__).resolve().parent.parent
_CARD = (
    "import sys\n"
    "from tests.support.pcsc.vpcd_echo import VpcdCard\n"
    "with VpcdCard('127.0.0.1', int(sys.argv[1]), lambda apdu: bytes(apdu[3]) + b'\\x90\\x00'):\n"
    "    sys.stdin.read()\n"
)


def run() -> list[Row]:
    """A short and a long exchange: bare, over the transport, and with all senders on top."""
    with Pcscd(slots=2) as service:
        slot = service.slots[0]
        slot.wait(present=False)
        # The card is a process of its own, so that its interpreter lock does not slow the terminal.
        card = subprocess.Popen([sys.executable, "-c", _CARD, str(slot.port)], stdin=subprocess.PIPE, cwd=_ROOT)
        try:
            slot.wait(present=True)
            return _measure(slot)
        finally:
            card.communicate()


def _measure(slot: Slot) -> list[Row]:
    reader = open_reader(slot.reader_name)
    try:
        session = reader.connect()
        return [
            _compare("READ RECORD, 100 bytes", session, Command(0x00, 0xB2, 0x01, 100, ne=256)),
            _compare("STORE DATA, 250 bytes", session, Command(0x84, 0xE2, 0x00, 0x00, bytes(250), ne=256)),
        ]
    finally:
        reader.close()


def _compare(what: str, session: PcscCard, command: Command) -> Row:
    raw, sender = command.encode(), stack(session)
    handle, protocol, listed = session._handle, session._pci, list(raw)

    def bare() -> None:
        scard.SCardTransmit(handle, protocol, listed)

    theirs, ours, whole = _medians([bare, lambda: session.exchange(raw), lambda: sender.send(command)])
    ratio = ours / theirs
    stacked = f"with all senders {whole * 1e6:.1f} µs ({whole / theirs:.2f})"
    return Row(
        f"channel exchange against a bare SCardTransmit: {what}",
        f"{ours * 1e6:.1f} µs against {theirs * 1e6:.1f} µs; {stacked}",
        ratio,
        f"<= {TARGET:.2f}",
        ratio <= TARGET,
    )


def _medians(ways: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each call. The calls alternate in random order: the difference is a few microseconds, and over
    whole rounds a busy machine would add more than that to one of them."""
    took: list[list[float]] = [[] for _ in ways]
    turns, order = list(zip(ways, took, strict=True)), random.Random(1)
    for _ in range(EXCHANGES):
        order.shuffle(turns)
        for way, seconds in turns:
            start = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in took]


if __name__ == "__main__":
    for row in run():
        print(row)
