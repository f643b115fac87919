"""An APDU through a card issuing machine on a pseudo-terminal against its frames written and read bare; frames."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import serial

from benchmarks.table import Row
from personalize.machines.crt571.frames import AnswerDecoder, MachineAnswer, MachineOrder, check_byte
from personalize.machines.crt571.machine import open_machine
from terminal.apdu import Command, Transport

TARGET = 1.25
FRAMES = 50_000
EXCHANGES = 4000
_MACHINE = """
import os, pty, sys
def frame(body):
    raw, check = bytes((0xF2, 0, len(body) >> 8, len(body) & 255)) + body + bytes((3,)), 0
    for value in raw: check ^= value
    return raw + bytes((check,))
atr = bytes.fromhex("3BF81800008131FE454A434F5076323431BC")
def answer(cm, pm, data): return b"\\x06" + frame(bytes((0x50, cm, pm)) + b"220" + data)
apdus = [answer(0x51, 0x34, bytes(value * 7 % 251 for value in range(ne)) + bytes((0x90, 0))) for ne in range(256)]
master, slave = pty.openpty()
print(os.ttyname(slave), flush=True)
raw = b""
while True:
    raw += os.read(master, 4096)
    while raw and raw[0] != 0xF2: raw = raw[1:]
    if len(raw) < 4 or len(raw) < raw[3] + 6: continue
    cm, pm = raw[5], raw[6]
    if (cm, pm) == (0x51, 0x34): os.write(master, apdus[raw[10]])
    else: os.write(master, answer(cm, pm, b"1" + atr if (cm, pm) == (0x51, 0x30) else b""))
    raw = b""
"""
"""A machine with a card at its contacts, whose P2 is the length of its response. It works out nothing in between."""


def run() -> list[Row]:
    """A short and a long exchange, and encoding and decoding of a long frame."""
    # The machine is a process of its own, so that its interpreter lock does not slow the driver.
    with subprocess.Popen([sys.executable, "-c", _MACHINE], stdout=subprocess.PIPE, text=True) as far:
        try:
            if far.stdout is None:
                raise RuntimeError("the machine has no output")
            device = far.stdout.readline().strip()
            machine = open_machine(device)
            machine.take(1)
            machine.to_chip()
            card = machine.reader.connect()
            rows = [
                _compare("READ RECORD, 100 bytes", device, card, Command(0x00, 0xB2, 0x01, 100, ne=256)),
                _compare("STORE DATA, 240 bytes", device, card, Command(0x84, 0xE2, 0x00, 0, bytes(range(240)))),
            ]
            machine.close()
        finally:
            far.kill()
    return [*rows, _codec()]


def _compare(what: str, device: str, card: Transport, command: Command) -> Row:
    raw = command.encode()
    frame = MachineOrder(0x51, 0x34, raw).encode(0)
    length = 1 + 4 + 6 + len(card.exchange(raw)) + 2
    pyserial = serial.Serial(device)

    def bare() -> None:
        pyserial.write(frame)
        pyserial.read(length)
        pyserial.write(b"\x06")

    def ours() -> None:
        card.exchange(raw)

    try:
        theirs, mine = _medians([bare, ours])
    finally:
        pyserial.close()
    ratio = mine / theirs
    return Row(
        f"APDU through a CRT-571 on a pseudo-terminal against its frames written and read with pyserial: {what}",
        f"{mine * 1e6:.1f} µs against {theirs * 1e6:.1f} µs",
        ratio,
        f"<= {TARGET:.2f}",
        ratio <= TARGET,
    )


def _medians(ways: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each call, in random order: a slow moment of the machine affects all."""
    took: list[list[float]] = [[] for _ in ways]
    turns, order = list(zip(ways, took, strict=True)), random.Random(1)
    for _ in range(EXCHANGES):
        order.shuffle(turns)
        for way, seconds in turns:
            start = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in took]


def _codec() -> Row:
    order = MachineOrder(0x51, 0x34, bytes(value * 7 & 255 for value in range(255)))
    body = bytes((0x50, 0x51, 0x34)) + b"220" + order.data
    raw = bytes((0xF2, 0)) + len(body).to_bytes(2, "big") + body + b"\x03"
    raw += bytes((check_byte(raw),))
    decoder, rounds = AnswerDecoder(0), []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(2000):
            order.encode(0)
            decoder.feed(raw)
            if not isinstance(decoder.next(), MachineAnswer):
                raise RuntimeError("the frame is not decoded")
        rounds.append(2000 / (time.perf_counter() - start))
    speed = statistics.median(rounds)
    return Row(
        "command frame of 255 bytes encoded and an answer of 255 bytes decoded",
        f"{speed:,.0f} a second",
        speed / FRAMES,
        f">= {FRAMES:,} a second",
        speed >= FRAMES,
    )


if __name__ == "__main__":
    for row in run():
        print(row)
