from __future__ import annotations

from collections.abc import Iterator

import pytest

from terminal.apdu import Command, Response, StatusWord, Trace, Traced, Transcript, TransportSender
from terminal.apdu.describe import describe
from terminal.errors import CardGone

SELECT = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("A000000151000000"), 256)
VERIFY = Command(0x00, 0x20, 0x00, 0x80, bytes.fromhex("241234FFFFFFFFFF"))


def ticks() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 0.0125


def traced(trace: Trace, *turns: tuple[str, str]) -> Traced:
    return Traced(TransportSender(Transcript(*turns)), trace, clock=ticks().__next__)


def test_redacted_by_default() -> None:
    trace = Trace()
    sender = traced(trace, ("00A4040008A00000015100000000", "6F009000"), ("0020008008241234FFFFFFFFFF", "63C2"))
    sender.send(SELECT)
    sender.send(VERIFY)
    assert str(trace).splitlines() == [
        "   12.50 ms  00 A4 04 00  A000000151000000  SELECT (by name)  ->  [2 bytes]  9000 (success)",
        "   12.50 ms  00 20 00 80  [8 bytes]  VERIFY (reference 80)  ->  63C2 (2 tries left)",
    ]
    assert "1234" not in repr(list(trace))
    assert trace.entries[1].command_data is None
    assert trace.seconds == pytest.approx(0.025)


def test_reveal_shows_all() -> None:
    trace = Trace(reveal=True)
    traced(trace, ("0020008008241234FFFFFFFFFF", "AA9000")).send(VERIFY)
    assert "241234FFFFFFFFFF  VERIFY (reference 80)  ->  AA  9000" in str(trace)


def test_the_name_in_a_secured_select_is_not_public() -> None:
    trace = Trace()
    trace.add(Command(0x0C, 0xA4, 0x04, 0x00, b"\x87\x09\x01"), Response(b"", StatusWord(0x9000)), 0.0)
    assert trace.entries[0].command_data is None


def test_a_fault_is_noted_and_raised_on() -> None:
    class Gone:
        def send(self, command: Command) -> Response:
            raise CardGone("the card was taken out")

    trace = Trace()
    with pytest.raises(CardGone):
        Traced(Gone(), trace, clock=ticks().__next__).send(VERIFY)
    assert str(trace).endswith("VERIFY (reference 80)  ->  CardGone")


def test_the_oldest_entries_give_way() -> None:
    trace = Trace(limit=2)
    for p2 in range(5):
        trace.add(Command(0, 0xCA, 0, p2), Response(b"", StatusWord(0x9000)), 0.0)
    assert [entry.header[3] for entry in trace] == [3, 4]
    assert str(trace).splitlines()[0] == "(3 earlier exchanges dropped)"
    assert len(trace) == 2


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("00A40400", "SELECT (by name)"),
        ("00A40402", "SELECT (by name, next)"),
        ("00A40000", "SELECT (by file identifier)"),
        ("00B2010C", "READ RECORD (SFI 1, record 1)"),
        ("00B00102", "READ BINARY (offset 258)"),
        ("00CA0066", "GET DATA (tag 66)"),
        ("80CA9F7F", "GET DATA (tag 9F7F)"),
        ("00700000", "MANAGE CHANNEL (open)"),
        ("00708002", "MANAGE CHANNEL (close 2)"),
        ("00840000", "GET CHALLENGE"),
        ("80503000", "INITIALIZE UPDATE (key version 30)"),
        ("84823300", "EXTERNAL AUTHENTICATE (security level 33, secured)"),
        ("84E26801", "STORE DATA (block 1, encrypted, secured)"),
        ("84E28805", "STORE DATA (block 5, last, secured)"),
        ("80E20800", "STORE DATA (block 0)"),
        ("80E60200", "INSTALL (for load)"),
        ("80E60C00", "INSTALL (for install and make selectable)"),
        ("80E62000", "INSTALL (for personalization)"),
        ("80E61000", "INSTALL (for extradition)"),
        ("80E64000", "INSTALL (for registry update)"),
        ("80E68000", "INSTALL (P1 80)"),
        ("80E88003", "LOAD (block 3, last)"),
        ("80E40080", "DELETE (P1 00, P2 80)"),
        ("80D82081", "PUT KEY (replaces version 20, key 1)"),
        ("80D80081", "PUT KEY (new version, key 1)"),
        ("80F0800F", "SET STATUS (security domain, state 0F)"),
        ("80F24003", "GET STATUS (applications, next)"),
        ("80A80000", "GET PROCESSING OPTIONS"),
        ("80AE9000", "GENERATE AC (ARQC, CDA)"),
        ("10D60000", "UPDATE BINARY (offset 0, chained)"),
        ("E1CA0042", "GET DATA (tag 42, secured, channel 5)"),
        ("00FE0000", "INS FE"),
        ("80FE0102", "INS FE (P1 01, P2 02)"),
    ],
)
def test_commands_in_words(header: str, words: str) -> None:
    assert describe(*bytes.fromhex(header)) == words
