"""An independent SCP03 host (yubikit) and this one produce and accept the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yubikit.core.smartcard.scp import Scp03KeyParams, ScpState, StaticKeys

from terminal.apdu import OK, Command, Response
from terminal.errors import IntegrityError
from terminal.globalplatform import AuthenticationGuard, HostAuthentication, SecureChannel, SecurityLevel, open_channel
from terminal.globalplatform.scp03 import Scp03
from terminal.keys import Algorithm
from tests.support.cards.scp_card import CardEnd, host, key_bytes

CHALLENGE = bytes.fromhex("0102030405060708")
SECURED = (0x84, 0xE2, 0x88, 0x00)


def both(level: int) -> tuple[SecureChannel, CardEnd, ScpState, bytes]:
    """The channel under test, and yubikit's state after the same handshake with a card of the same keys."""
    custody, keys = host(Algorithm.AES128)
    card = CardEnd(Algorithm.AES128, 0x70)
    wanted = HostAuthentication(keys, SecurityLevel(level))
    channel = open_channel(card, wanted, custody, AuthenticationGuard(), random=lambda n: CHALLENGE.ljust(n, b"\0"))
    card_end = CardEnd(Algorithm.AES128, 0x70)

    def send(cla: int, ins: int, p1: int, p2: int, data: bytes) -> bytes:
        return card_end.send(Command(cla, ins, p1, p2, data, 256)).data

    params = Scp03KeyParams(keys=StaticKeys(*key_bytes(Algorithm.AES128)))
    state, host_cryptogram = ScpState.scp03_init(send, params, host_challenge=CHALLENGE)
    header = bytes((0x84, 0x82, level, 0x00, 0x10)) + host_cryptogram
    return channel, card, state, header + state.mac(header)


def test_external_authenticate_is_the_same() -> None:
    _, card, _, authenticate = both(0x33)
    assert card.wire[1].encode() == authenticate


@given(messages=st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))
def test_commands_and_responses_are_the_same(messages: list[bytes]) -> None:
    channel, card, state, _ = both(0x33)
    for message in messages:
        assert channel.send(Command(0x80, 0xE2, 0x88, 0x00, message)).data == message[::-1]
        body = state.encrypt(message)
        header = bytes((*SECURED, len(body) + 8))
        assert card.wire[-1].encode() == header + body + state.mac(header + body)


def test_a_response_that_yubikit_reads_we_read_too_and_neither_reads_a_changed_one() -> None:
    channel, card, state, _ = both(0x33)
    seen: list[Response] = []
    wrap = card.session.wrap

    def keep(response: Response) -> Response:
        seen.append(wrap(response))
        return seen[-1]

    card.session.wrap = keep  # type: ignore[method-assign]
    message = b"union member"
    assert channel.send(Command(0x80, 0xE2, 0x88, 0x00, message)).data == message[::-1]
    body = state.encrypt(message)
    state.mac(bytes((*SECURED, len(body) + 8)) + body)
    assert state.decrypt(state.unmac(seen[0].data, 0x9000)) == message[::-1]
    session = channel._session
    assert session is not None
    assert isinstance(session.messaging, Scp03)
    with pytest.raises(IntegrityError):
        session.messaging.unwrap(Response(seen[0].data[:-1] + bytes((seen[0].data[-1] ^ 1,)), OK))
