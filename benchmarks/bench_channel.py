"""A channel exchange through pcscd and vpcd against a bare SCardTransmit of the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.table import Row, alternate

SUPPORT = Path(__file__).resolve().parent.parent / "tests" / "support"
if str(SUPPORT) not in sys.path:
    sys.path.insert(0, str(SUPPORT))

from pcscd import Pcscd, Slot  # noqa: E402
from smartcard import scard  # noqa: E402

from terminal.apdu import Command, stack  # noqa: E402
from terminal.apdu.pcsc import PcscCard, open_reader  # noqa: E402

TARGET = 1.10
EXCHANGES = 200
_CARD = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from vpcd_echo import VpcdCard\n"
    "with VpcdCard('127.0.0.1', int(sys.argv[2]), lambda apdu: bytes(apdu[3]) + b'\\x90\\x00'):\n"
    "    sys.stdin.read()\n"
)


def run() -> list[Row]:
    """Interleaved rounds of both ways, for a short and a long exchange; the median of the rounds' ratios."""
    with Pcscd(slots=2) as service:
        slot = service.slots[0]
        slot.wait(present=False)
        # The card lives in a process of its own: its interpreter lock is none of the terminal's business.
        card = subprocess.Popen([sys.executable, "-c", _CARD, str(SUPPORT), str(slot.port)], stdin=subprocess.PIPE)
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

    ours, theirs, ratio = alternate(lambda: session.exchange(raw), bare, calls=EXCHANGES)
    whole, _, whole_ratio = alternate(lambda: sender.send(command), bare, calls=EXCHANGES)
    return Row(
        f"channel exchange against a bare SCardTransmit: {what}",
        f"{ours * 1e6:.0f} µs against {theirs * 1e6:.0f} µs; with all senders {whole * 1e6:.0f} µs ({whole_ratio:.2f})",
        ratio,
        f"<= {TARGET:.2f}",
        ratio <= TARGET,
    )


if __name__ == "__main__":
    for row in run():
        print(row)
