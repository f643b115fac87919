"""A machine at a TCP port."""

from __future__ import annotations

import socket
from pathlib import Path

from simulators.machines.msr605 import SimulatedMsr605
from simulators.machines.tcp import TcpPort
from tests.support.waiting import eventually


def receive(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := link.recv(count - len(data))):
        data += part
    return data


def test_hosts_are_served_one_after_the_other(tmp_path: Path) -> None:
    lines: list[str] = []
    device = SimulatedMsr605()
    with TcpPort(device, report=lines.append) as port:
        for _ in range(2):
            with socket.create_connection((port.host, port.port), timeout=20) as link:
                link.sendall(b"\x1be")
                assert receive(link, 2) == b"\x1by"
                link.sendall(b"\x1br")
                eventually(lambda: device.swipe(tmp_path / "chip-01.card"))
                assert receive(link, 12) == bytes.fromhex("1B73 1B01 1B02 1B03 3F1C 1B30")[:12]
        eventually(lambda: len(lines) == 4)
    assert lines == ["a host at 127.0.0.1 is connected", "the host has disconnected"] * 2
