"""Round trips of commands, responses, class bytes and ATRs, and properties of senders for any answers."""

from __future__ import annotations

import contextlib
from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from terminal.apdu import Chained, Command, FollowUp, LinkProtocol, Response, StatusWord, Trace, Traced, TransportSender
from terminal.apdu.atr import Atr
from terminal.apdu.cla import channel_of, on_channel, secured
from terminal.errors import ApduError, AtrError, CardMalformed

byte = st.integers(0, 255)
lengths = st.one_of(st.integers(0, 300), st.just(65535))
expected = st.one_of(st.none(), st.integers(1, 300), st.just(65536))
headers = st.tuples(byte, byte, byte, byte)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    size = draw(lengths)
    data = draw(st.binary(min_size=size, max_size=size)) if size <= 300 else bytes(size)
    return Command(*draw(headers), data=data, ne=draw(expected))


@given(commands())
def test_a_command_survives_its_encoding(command: Command) -> None:
    raw = command.encode()
    decoded = Command.decode(raw)
    assert decoded == command
    assert decoded.encode() == raw
    assert raw[:4] == command.header


@given(st.binary(max_size=40))
def test_whatever_decodes_encodes_to_the_same_meaning(raw: bytes) -> None:
    with contextlib.suppress(ApduError):
        command = Command.decode(raw)
        assert Command.decode(command.encode()) == command
        assert command.encode() == raw or len(raw) > len(command.encode())


@given(st.binary(max_size=20))
def test_a_response_decodes_or_says_why(raw: bytes) -> None:
    try:
        response = Response.decode(raw)
    except ApduError:
        assert len(raw) < 2 or raw[-2] >> 4 not in (6, 9) or raw[-2] == 0x60
    else:
        assert response.encode() == raw


@given(st.integers(0, 0xFFFF))
def test_only_9000_is_success(value: int) -> None:
    sw = StatusWord(value)
    assert sw.ok is (value == 0x9000)
    assert str(sw).startswith(f"{value:04X} (")
    assert sw.meaning


@given(st.sampled_from([*range(0x20), *range(0x40, 0xA0), *range(0xC0, 0x100)]), st.integers(0, 19))
def test_a_class_byte_moves_and_keeps_what_it_says(cla: int, channel: int) -> None:
    moved = on_channel(cla, channel)
    assert channel_of(moved) == channel
    assert secured(moved) is secured(cla)
    assert moved & 0x90 == cla & 0x90
    assert channel_of(on_channel(moved, channel_of(cla))) == channel_of(cla)


class Card:
    """A transport with given answers that records what was sent."""

    atr = b""
    protocol = LinkProtocol.T1
    extended_length = True

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.sent: list[bytes] = []

    def exchange(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return self.answers[(len(self.sent) - 1) % len(self.answers)]

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        return None


status = st.one_of(
    st.sampled_from([b"\x90\x00", b"\x61\x00", b"\x61\x05", b"\x6c\x00", b"\x6c\x05", b"\x62\x83"]),
    st.binary(min_size=2, max_size=2),
)
answers = st.lists(st.tuples(st.binary(max_size=10), status).map(b"".join), min_size=1, max_size=6)


@given(answers, commands(), st.booleans())
def test_no_card_keeps_the_terminal_busy(answers: list[bytes], command: Command, after_warning: bool) -> None:
    card = Card(answers)
    with contextlib.suppress(CardMalformed):
        response = FollowUp(TransportSender(card), after_warning=after_warning).send(command)
        assert response.sw.more is None
    assert len(card.sent) <= 2 + 2 * 1024 + 2


@given(st.binary(max_size=700), st.integers(1, 255), expected)
def test_a_chain_carries_the_data_in_order(data: bytes, size: int, ne: int | None) -> None:
    card = Card([b"\x90\x00"])
    Chained(TransportSender(card), size).send(Command(0x80, 0xE2, data=data, ne=ne))
    links = [Command.decode(raw) for raw in card.sent]
    assert b"".join(link.data for link in links) == data
    assert [bool(link.cla & 0x10) for link in links] == [True] * (len(links) - 1) + [False]
    assert all(len(link.data) == size for link in links[:-1])
    assert [link.ne for link in links] == [None] * (len(links) - 1) + [ne]


@given(commands(), st.binary(min_size=4, max_size=60))
def test_a_redacted_trace_never_shows_data(command: Command, secret: bytes) -> None:
    hidden = Command(command.cla, 0xE2, command.p1, command.p2, b"\xa5\x5a" + secret, command.ne)
    trace = Trace()
    Traced(TransportSender(Card([secret + b"\x90\x00"])), trace).send(hidden)
    shown = str(trace) + repr(trace.entries)
    assert secret.hex().upper() not in shown.upper().replace(" ", "")
    assert trace.entries[0].command_data is None
    assert trace.entries[0].response_data is None


@st.composite
def atrs(draw: st.DrawFn) -> tuple[bytes, bytes, list[int]]:
    """A valid ATR with its historical bytes and the protocols it offers."""
    protocols = draw(st.lists(st.sampled_from([0, 1, 15]), max_size=3))
    historical = draw(st.binary(max_size=15))
    body, tail = bytearray(), bytearray()
    for number, protocol in enumerate([*protocols, None]):
        present = draw(st.integers(0, 7)) | (8 if protocol is not None else 0)
        if number == 0:
            body.append(present << 4 | len(historical))
        else:
            tail.append(present << 4 | protocols[number - 1])
        tail += draw(st.binary(min_size=(present & 7).bit_count(), max_size=(present & 7).bit_count()))
    raw = bytes([draw(st.sampled_from([0x3B, 0x3F]))]) + bytes(body) + bytes(tail) + historical
    if any(protocols):
        raw += bytes([reduce(xor, raw[1:])])
    return raw, historical, protocols


@given(atrs())
def test_a_built_atr_parses_to_what_it_was_built_from(built: tuple[bytes, bytes, list[int]]) -> None:
    raw, historical, protocols = built
    atr = Atr.parse(raw)
    assert atr.historical == historical
    assert atr.protocols == (tuple(dict.fromkeys(t for t in protocols if t != 15)) or (0,))
    assert (atr.tck is not None) is any(protocols)


@given(atrs(), st.data())
def test_a_shortened_or_lengthened_atr_is_refused(built: tuple[bytes, bytes, list[int]], data: st.DataObject) -> None:
    raw, _, _ = built
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for broken in (cut, raw + b"\x00"):
        try:
            Atr.parse(broken)
        except AtrError:
            continue
        raise AssertionError(f"{broken.hex()} was taken")


@given(st.binary(max_size=40))
def test_parsing_an_atr_never_fails_otherwise(raw: bytes) -> None:
    with contextlib.suppress(AtrError):
        atr = Atr.parse(raw)
        assert atr.raw == raw
        assert atr.bit_rate() is None or atr.bit_rate()
        assert atr.history.objects is None or all(len(item.value) <= 15 for item in atr.history.objects)
