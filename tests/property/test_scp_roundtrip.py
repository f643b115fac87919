"""The card unwraps whatever the host wraps and vice versa, at every level of every protocol."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu import OK, Command, Response, StatusWord
from terminal.errors import IntegrityError, SecureChannelError
from terminal.globalplatform import AuthenticationGuard, HostAuthentication, SecureChannel, SecurityLevel, open_channel
from terminal.globalplatform.levels import LEGAL
from terminal.keys import Algorithm, Scp
from tests.support.cards.scp_card import CardEnd, host
from tests.support.thorough import repeats

LONG = (Algorithm.AES192, Algorithm.AES256)
# How the card comes by its challenge (i bit 10) matters to the handshake alone: one length of keys shows it.
CASES = [
    *product((Algorithm.TDES,), (0x35, 0x75), sorted(LEGAL[Scp.SCP02])),
    *product((Algorithm.AES128,), (0x60, 0x61, 0x70, 0x71), sorted(LEGAL[Scp.SCP03])),
    *product(LONG, (0x70, 0x71), sorted(LEGAL[Scp.SCP03])),
]
HOSTS = {algorithm: host(algorithm) for algorithm in (Algorithm.TDES, Algorithm.AES128, *LONG)}


def session(algorithm: Algorithm, i: int, level: int) -> tuple[SecureChannel, CardEnd]:
    custody, keys = HOSTS[algorithm]
    card = CardEnd(algorithm, i)
    wanted = HostAuthentication(keys, SecurityLevel(level), scp02_i=i)
    return open_channel(card, wanted, custody, AuthenticationGuard()), card


def commands(most: int) -> st.SearchStrategy[Command]:
    return st.builds(
        Command,
        cla=st.sampled_from((0x00, 0x80, 0x90)),
        ins=st.integers(0, 0xFF),
        p1=st.integers(0, 0xFF),
        p2=st.integers(0, 0xFF),
        data=st.binary(max_size=most),
        ne=st.sampled_from((None, 1, 17, 256)),
    )


RESPONSES = st.builds(
    Response,
    st.binary(max_size=200),
    st.sampled_from([OK, StatusWord(0x6310), StatusWord(0x6283)]),
)


@pytest.mark.parametrize(("algorithm", "i", "level"), CASES)
@settings(max_examples=repeats(8, 250))
@given(data=st.data())
def test_commands_and_responses_survive_the_channel(
    algorithm: Algorithm, i: int, level: int, data: st.DataObject
) -> None:
    channel, card = session(algorithm, i, level)
    for _ in range(3):
        command = data.draw(commands(channel.max_data).filter(lambda c: c.ins not in (0x50, 0x82)))
        response = data.draw(RESPONSES)
        card.answer = lambda _plain, response=response: response
        assert channel.send(command) == response
        assert card.understood[-1] == command
        assert len(card.wire[-1].data) <= 255


@pytest.mark.parametrize(("algorithm", "i", "level"), [case for case in CASES if case[2] & 0x10])
@settings(max_examples=repeats(8, 250))
@given(data=st.data())
def test_any_changed_bit_of_a_signed_response_closes_the_channel(
    algorithm: Algorithm, i: int, level: int, data: st.DataObject
) -> None:
    channel, card = session(algorithm, i, level)
    inner = channel._inner

    class Meddler:
        def send(self, command: Command) -> Response:
            response = inner.send(command)
            raw = bytearray(response.data)
            bit = data.draw(st.integers(0, 8 * len(raw) - 1))
            raw[bit // 8] ^= 1 << bit % 8
            return Response(bytes(raw), response.sw)

    channel._inner = Meddler()
    card.answer = lambda _plain: Response(b"the member's balance", OK)
    with pytest.raises(IntegrityError):
        channel.send(Command(0x80, 0xCA, 0x00, 0x66, ne=256))
    assert channel.closed
    with pytest.raises(SecureChannelError):
        channel.send(Command(0x80, 0xCA, 0x00, 0x66, ne=256))


@given(data=st.binary(min_size=256, max_size=1200), s16=st.booleans())
def test_extended_commands_are_signed_in_their_own_length_form(data: bytes, s16: bool) -> None:
    channel, card = session(Algorithm.AES128, 0x71 if s16 else 0x70, 0x33)
    command = Command(0x80, 0xE2, 0x88, 0x00, data, 65536)
    assert channel.send(command).data == data[::-1]
    assert card.understood == [command]
