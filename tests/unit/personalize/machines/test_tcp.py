"""The link to a machine at a TCP port."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from personalize.machines.tcp import TcpLink, tcp_address
from terminal.errors import ReaderFault, ReaderNotFound
from tests.support.waiting import eventually


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


@pytest.fixture
def ends(server: socket.socket) -> Iterator[tuple[TcpLink, socket.socket]]:
    link = TcpLink("127.0.0.1", server.getsockname()[1])
    peer, _ = server.accept()
    with peer:
        yield link, peer
    link.close()


@pytest.mark.parametrize(
    ("device", "address"),
    [
        ("tcp://192.168.1.20:9100", ("192.168.1.20", 9100)),
        ("tcp://printer.local:9100/", ("printer.local", 9100)),
        ("tcp://[fe80::1%eth0]:9100", ("fe80::1%eth0", 9100)),
        ("/dev/ttyUSB0", None),
    ],
)
def test_an_address_is_host_and_port(device: str, address: tuple[str, int] | None) -> None:
    assert tcp_address(device) == address


@pytest.mark.parametrize(
    "device", ["tcp:printer:9100", "tcp://printer", "tcp://printer:0", "tcp://printer:65536", "tcp://a b:1", "tcp://:1"]
)
def test_what_is_no_address_is_refused(device: str) -> None:
    with pytest.raises(ReaderNotFound, match="is not an address; write tcp://HOST:PORT"):
        tcp_address(device)


def test_bytes_go_both_ways(ends: tuple[TcpLink, socket.socket]) -> None:
    link, peer = ends
    link.write(b"\x1bRfv\r")
    assert peer.recv(99) == b"\x1bRfv\r"
    peer.sendall(b"\x06")
    assert link.read(30) == b"\x06"
    assert link.read(0) == b""


def test_a_large_panel_is_written_whole(ends: tuple[TcpLink, socket.socket]) -> None:
    link, peer = ends
    panel = bytes(range(256)) * 20_000
    arrived = bytearray()

    def receive() -> None:
        while len(arrived) < len(panel):
            arrived.extend(peer.recv(1 << 16))

    thread = threading.Thread(target=receive)
    thread.start()
    link.write(panel)
    thread.join()
    assert arrived == panel


def test_what_arrived_before_is_discarded(ends: tuple[TcpLink, socket.socket]) -> None:
    link, peer = ends
    peer.sendall(b"\x06\x06")
    assert link.read(30)
    peer.sendall(b"late")
    eventually(lambda: bool(link._socket.recv(4, socket.MSG_PEEK) == b"late") or None)
    link.discard()
    assert link.read(0) == b""


@pytest.mark.parametrize("abrupt", [False, True])
def test_a_peer_that_ends_is_lost(ends: tuple[TcpLink, socket.socket], abrupt: bool) -> None:
    link, peer = ends
    if abrupt:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(ReaderFault, match="was lost: the machine closed the connection") as fault:
        link.read(30)
    assert fault.value.retryable
    assert not link.open
    with pytest.raises(ReaderFault, match="is closed"):
        link.write(b"x")


def test_a_link_closed_by_another_thread_ends_a_read(ends: tuple[TcpLink, socket.socket]) -> None:
    link, _ = ends
    closer = threading.Timer(0.05, link.close)
    closer.start()
    with pytest.raises(ReaderFault, match="is closed"):
        link.read(300)
    closer.join()
    link.close()


def test_a_port_at_which_nothing_listens_is_a_fault_that_may_pass(server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    with pytest.raises(ReaderFault, match=rf"tcp://127\.0\.0\.1:{port} does not open: nothing answers at this port"):
        TcpLink("127.0.0.1", port)


def test_a_machine_that_does_not_answer_is_not_waited_for_without_end(server: socket.socket) -> None:
    server.listen(0)
    address = server.getsockname()
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:  # The queue of the port is full after one or two.
        one.setblocking(False)
        one.connect_ex(address)
    with pytest.raises(ReaderFault, match="no answer within"):
        TcpLink(*address, connect_seconds=0.05)
    for one in waiting:
        one.close()


def test_an_unknown_host_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(ReaderNotFound, match="no address is known for printer; look at the name"):
        TcpLink("printer", 9100)


def test_a_peer_that_was_switched_off_is_noticed(ends: tuple[TcpLink, socket.socket]) -> None:
    link, _ = ends
    options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
    assert link._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert [link._socket.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [10, 5, 3, 60_000]
