"""An APDU over the serial transport on a pseudo-terminal against its bytes written and read bare; blocks of T=1."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import serial

from benchmarks.table import Row
from terminal.apdu import Command
from terminal.apdu.serial.blocks import ErrorDetection, decode, encode, information
from terminal.apdu.serial.reader import SerialCard, open_reader

TARGET = 1.25
BLOCKS = 50_000
EXCHANGES = 4000
_CARD = """
import os, pty, select, sys, time
def block(pcb, inf):
    raw, check = bytes((0, pcb, len(inf))) + inf, 0
    for value in raw: check ^= value
    return raw + bytes((check,))
atr = bytes.fromhex("3BF81800008131FE454A434F5076323431BC")
answers = {(pcb, ne): block(pcb, bytes(value * 7 % 251 for value in range(ne)) + bytes((0x90, 0)))
           for pcb in (0, 64) for ne in range(253)}
master, slave = pty.openpty()
print(os.ttyname(slave), flush=True)
os.close(slave)
hung = select.poll()
hung.register(master, select.POLLHUP)
while True:
    while hung.poll(0): time.sleep(0.001)
    time.sleep(0.05)
    os.write(master, atr)
    try:
        raw = b""
        while True:
            raw += os.read(master, 4096)
            if len(raw) < 4 or len(raw) < raw[2] + 4: continue
            if raw[1] == 0xC1: os.write(master, bytes.fromhex("00E101FE1E"))
            else: os.write(master, answers[raw[1], raw[6]])
            raw = b""
    except OSError:
        pass
"""
"""A card at T=1 whose P2 is the length of its response. It works out nothing between two blocks."""


def run() -> list[Row]:
    """A short and a long exchange at T=1, and encoding and decoding of the longest blocks."""
    # The card is a process of its own, so that its interpreter lock does not slow the terminal.
    with subprocess.Popen([sys.executable, "-c", _CARD], stdout=subprocess.PIPE, text=True) as card:
        try:
            if card.stdout is None:
                raise RuntimeError("the card has no output")
            device = card.stdout.readline().strip()
            reader = open_reader(f"{device}?echo=0&rate=9600")
            session = reader.connect()
            rows = [
                _compare("READ RECORD, 100 bytes", device, session, Command(0x00, 0xB2, 0x01, 100, ne=256)),
                _compare("STORE DATA, 240 bytes", device, session, Command(0x84, 0xE2, 0x00, 0, bytes(range(240)))),
            ]
            reader.close()
        finally:
            card.kill()
    return [*rows, *map(_codec, ErrorDetection)]


def _compare(what: str, device: str, session: SerialCard, command: Command) -> Row:
    raw = command.encode()
    blocks = [encode(information(sequence, raw), ErrorDetection.LRC) for sequence in (0, 1)]
    length = len(session.exchange(raw)) + 4
    session.exchange(raw)  # Both sequence numbers are 0 again.
    port = os.open(device, os.O_RDWR | os.O_NOCTTY)
    pyserial = serial.Serial(device)

    def files() -> None:
        for block in blocks:
            os.write(port, block)
            left = length
            while left:
                left -= len(os.read(port, left))

    def bare() -> None:
        for block in blocks:
            pyserial.write(block)
            pyserial.read(length)

    def ours() -> None:
        session.exchange(raw)
        session.exchange(raw)

    try:
        theirs, mine, least = _medians([bare, ours, files])
    finally:
        os.close(port)
        pyserial.close()
    ratio = mine / theirs
    return Row(
        f"APDU over the serial transport on a pseudo-terminal, T=1, against its bytes written and read with "
        f"pyserial: {what}",
        f"{mine / 2 * 1e6:.1f} µs against {theirs / 2 * 1e6:.1f} µs; with file calls that wait without end "
        f"{least / 2 * 1e6:.1f} µs ({mine / least:.2f})",
        ratio,
        f"<= {TARGET:.2f}",
        ratio <= TARGET,
    )


def _medians(ways: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each call, in random order: a slow moment of the machine affects both."""
    took: list[list[float]] = [[] for _ in ways]
    turns, order = list(zip(ways, took, strict=True)), random.Random(1)
    for _ in range(EXCHANGES // 2):
        order.shuffle(turns)
        for way, seconds in turns:
            start = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in took]


def _codec(detection: ErrorDetection) -> Row:
    block = information(1, bytes(value * 7 & 255 for value in range(254)), more=True)
    raw = encode(block, detection)
    rounds = []
    for _ in range(9):
        start = time.perf_counter()
        for _ in range(2000):
            encode(block, detection)
            decode(raw, detection)
        rounds.append(2000 / (time.perf_counter() - start))
    speed = statistics.median(rounds)
    return Row(
        f"T=1 block of 254 bytes encoded and another decoded, {detection.name}",
        f"{speed:,.0f} a second",
        speed / BLOCKS,
        f">= {BLOCKS:,} a second",
        speed >= BLOCKS,
    )


if __name__ == "__main__":
    for row in run():
        print(row)
