"""Transaction states and scripted cards for tests of single functions of the kernel; data in hex."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from terminal.apdu import Sender, Transcript, stack
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import Choice, Pin
from terminal.emv.transaction.state import Stop, TransactionState

PSE = b"1PAY.SYS.DDF01".hex()
DEBIT, CREDIT, VISA = "A000000333010101", "A000000333010102", "A0000000031010"
TERMINAL = {
    0x9F1A: "0156",
    0x5F2A: "0156",
    0x9F35: "22",
    0x9F33: "E0F8C8",
    0x9F40: "6000F0A001",
    0x9F09: "0030",
    0x9C: "00",
    0x9A: "261122",
    0x9F02: "000000001234",
    0x9F03: "000000000000",
    0x9F37: "A1B2C3D4",
    0xDF69: "01",
}
Turn = tuple[str, str]


def tlv(tag: str, *parts: str) -> str:
    """One data object, as hex."""
    value = "".join(parts)
    size = len(bytes.fromhex(value))
    return tag + (f"{size:02X}" if size < 0x80 else f"81{size:02X}") + value


def text(value: str) -> str:
    return value.encode().hex()


def new_state(terminal: dict[int, str] | None = None, card: dict[int, str] | None = None) -> TransactionState:
    state = TransactionState({tag: bytes.fromhex(value) for tag, value in (TERMINAL | (terminal or {})).items()})
    state.card = {tag: bytes.fromhex(value) for tag, value in (card or {}).items()}
    return state


@contextmanager
def card_with(*turns: Turn) -> Iterator[Sender]:
    """A card that holds exactly this conversation; turns left over fail the test."""
    with Transcript(*turns) as transcript:
        yield stack(transcript)


def select(name: str, answer: str, *, following: bool = False) -> Turn:
    return f"00A404{'02' if following else '00'}{len(name) // 2:02X}{name}00", answer


def read(sfi: int, number: int, answer: str) -> Turn:
    return f"00B2{number:02X}{sfi << 3 | 4:02X}00", answer


def gpo(data: str, answer: str) -> Turn:
    body = tlv("83", data)
    return f"80A80000{len(body) // 2:02X}{body}00", answer


def fci(name: str, *inside: str) -> str:
    return tlv("6F", tlv("84", name), tlv("A5", *inside)) + "9000"


def texts(state: TransactionState) -> str:
    return "\n".join(step.text for step in state.steps)


@contextmanager
def stops(state: TransactionState, result: Result, reason: str) -> Iterator[None]:
    """The block ends the transaction with this result, and the last step says why."""
    with pytest.raises(Stop, match=reason) as caught:
        yield
    assert caught.value.result is result
    assert state.steps[-1].text == caught.value.reason


class Person:
    """A cardholder who answers what was agreed before, and remembers which PIN requests came."""

    def __init__(self, *pins: str | None, chooses: int | None = None) -> None:
        self._pins = list(pins)
        self._chooses = chooses
        self.offered: list[Sequence[Choice]] = []
        self.pin_requests: list[tuple[int | None, bool]] = []

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        self.offered.append(candidates)
        return self._chooses

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        self.pin_requests.append((tries_left, last_try))
        digits = self._pins.pop(0)
        return None if digits is None else Pin(digits.encode())
