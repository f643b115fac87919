"""Authentication: what the answer determines, what is refused, and that a failed key set is not tried again."""

from __future__ import annotations

import pytest

from terminal.apdu import OK, Command, Response, StatusWord
from terminal.errors import (
    AuthenticationGuarded,
    AuthenticationRefused,
    CardMalformed,
    CardRefused,
    NotGenuine,
    SecureChannelError,
)
from terminal.globalplatform import (
    AuthenticationGuard,
    HostAuthentication,
    InitializeUpdate,
    SecurityLevel,
    handshake,
    open_channel,
)
from terminal.keys import Algorithm, CardKeys, Scp
from tests.support.cards.scp_card import KEY_DATA, CardEnd, host, key_bytes

WRONG = (bytes(range(0x31, 0x41)),) * 3
CHALLENGE = bytes(range(16))


def test_protocol_version_and_key_data_come_from_the_answer() -> None:
    custody, keys = host(Algorithm.AES128)
    channel = open_channel(
        CardEnd(Algorithm.AES128, 0x70, version=0x31), HostAuthentication(keys), custody, AuthenticationGuard()
    )
    assert (channel.update.scp, channel.update.version, channel.update.i) == (Scp.SCP03, 0x31, 0x70)
    assert channel.update.key_data == KEY_DATA
    assert channel.update.sequence == bytes((0, 0, 5))


def test_scp02_answers_have_a_two_byte_counter_and_the_option_the_caller_believes() -> None:
    custody, keys = host(Algorithm.TDES)
    wanted = HostAuthentication(keys, scp=Scp.SCP02, scp02_i=0x55)
    channel = open_channel(CardEnd(Algorithm.TDES, 0x55, version=0xFF), wanted, custody, AuthenticationGuard())
    assert (channel.update.scp, channel.update.i, channel.update.sequence) == (Scp.SCP02, 0x55, bytes((0, 5)))
    assert channel.keys.version == 0xFF


def test_another_protocol_than_requested_is_refused_before_any_key_is_used() -> None:
    custody, keys = host(Algorithm.AES128)
    card = CardEnd(Algorithm.AES128, 0x70)
    with pytest.raises(SecureChannelError, match="uses SCP03, not the requested SCP02"):
        open_channel(card, HostAuthentication(keys, scp=Scp.SCP02), custody, AuthenticationGuard())
    assert len(card.wire) == 1


@pytest.mark.parametrize("known", [True, False])
def test_s16_cards_get_a_long_challenge(known: bool) -> None:
    custody, keys = host(Algorithm.AES256)
    card = CardEnd(Algorithm.AES256, 0x61)
    channel = open_channel(
        card, HostAuthentication(keys, SecurityLevel(0x33), s16=known), custody, AuthenticationGuard()
    )
    assert len(channel.update.card_challenge) == 16
    assert [len(command.data) for command in card.wire] == ([16, 32] if known else [8, 16, 32])


def test_a_long_answer_to_a_short_challenge_repeats_the_command() -> None:
    custody, keys = host(Algorithm.AES128)
    wanted, guard = HostAuthentication(keys), AuthenticationGuard()
    dialogue = handshake(wanted, custody, guard, "", CHALLENGE)
    assert next(dialogue) == Command(0x80, 0x50, 0, 0, CHALLENGE[:8], 256)
    long_answer = KEY_DATA + bytes((0x30, 0x03, 0x01)) + bytes(32)
    assert dialogue.send(Response(long_answer, OK)) == Command(0x80, 0x50, 0, 0, CHALLENGE, 256)


def test_a_card_without_the_keys_gets_no_cryptogram_and_no_second_try() -> None:
    custody, keys = host(Algorithm.AES128)
    card, guard = CardEnd(Algorithm.AES128, 0x70, keys=WRONG), AuthenticationGuard()
    with pytest.raises(NotGenuine, match=r"does not hold key set 30 from kmc/1 \(KCV ENC"):
        open_channel(card, HostAuthentication(keys), custody, guard, chip="CHIP-A")
    assert [command.ins for command in card.wire] == [0x50]
    with pytest.raises(AuthenticationGuarded, match="wrong card cryptogram"):
        open_channel(card, HostAuthentication(keys), custody, guard, chip="CHIP-A")
    fresh = CardEnd(Algorithm.AES128, 0x70)
    assert open_channel(fresh, HostAuthentication(keys), custody, guard, chip="CHIP-B").closed is False


class Refusing:
    """A card that holds the keys and refuses the host all the same."""

    def __init__(self, card: CardEnd, sw: int) -> None:
        self.card = card
        self.sw = StatusWord(sw)
        self.refused = 0

    def send(self, command: Command) -> Response:
        if command.ins == 0x82:
            self.refused += 1
            return Response(b"", self.sw)
        return self.card.send(command)


@pytest.mark.parametrize(("sw", "expected"), [(0x6300, "6300"), (0x63C2, "2 tries left"), (0x6983, "blocked")])
def test_a_refusal_names_key_set_check_values_and_tries_and_stops_there(sw: int, expected: str) -> None:
    custody, keys = host(Algorithm.TDES)
    card, guard = Refusing(CardEnd(Algorithm.TDES, 0x15, version=0x20), sw), AuthenticationGuard()
    with pytest.raises(AuthenticationRefused, match=r"EXTERNAL AUTHENTICATE with key set 20 .*MAC .*DEK") as refused:
        open_channel(card, HostAuthentication(keys), custody, guard)
    assert expected in str(refused.value)
    assert refused.value.sw == sw
    with pytest.raises(AuthenticationGuarded):
        open_channel(card, HostAuthentication(keys), custody, guard)
    assert card.refused == 1


def test_somebody_may_decide_to_try_again() -> None:
    custody, keys = host(Algorithm.TDES)
    card, guard = Refusing(CardEnd(Algorithm.TDES, 0x15), 0x6300), AuthenticationGuard()
    for wanted in (HostAuthentication(keys), HostAuthentication(keys, retry=True)):
        with pytest.raises(AuthenticationRefused):
            open_channel(card, wanted, custody, guard, chip="C")
    guard.allow("C")
    good = open_channel(CardEnd(Algorithm.TDES, 0x15), HostAuthentication(keys), custody, guard, chip="C")
    assert good.closed is False


def test_a_known_key_set_is_guarded_before_the_first_command() -> None:
    custody, source = host(Algorithm.AES128)
    assert callable(source)
    keys: CardKeys = source(InitializeUpdate.parse(KEY_DATA + bytes((0x30, 3, 0x70)) + bytes(19), scp02_i=0x15))
    guard = AuthenticationGuard()
    guard.failed("C", keys, "6300")
    card = CardEnd(Algorithm.AES128, 0x70)
    with pytest.raises(AuthenticationGuarded):
        open_channel(card, HostAuthentication(keys), custody, guard, chip="C")
    assert card.wire == []


@pytest.mark.parametrize(
    ("i", "level", "message"),
    [
        (0x00, 0x11, "does not support R-MAC"),
        (0x20, 0x33, "does not support R-ENCRYPTION"),
        (0x70, 0x31, "no security level 31"),
        (0x70, 0x02, "no security level 02"),
    ],
)
def test_levels_that_are_not_to_be_had_cost_the_card_nothing(i: int, level: int, message: str) -> None:
    custody, keys = host(Algorithm.AES128)
    card = CardEnd(Algorithm.AES128, i)
    with pytest.raises(SecureChannelError, match=message):
        open_channel(card, HostAuthentication(keys, SecurityLevel(level)), custody, AuthenticationGuard())
    assert [command.ins for command in card.wire] == [0x50]


def test_implicit_scp02_is_refused() -> None:
    custody, keys = host(Algorithm.TDES)
    with pytest.raises(SecureChannelError, match="i=1A is not supported"):
        open_channel(
            CardEnd(Algorithm.TDES, 0x15), HostAuthentication(keys, scp02_i=0x1A), custody, AuthenticationGuard()
        )


def test_an_unknown_key_version_is_the_cards_refusal() -> None:
    custody, keys = host(Algorithm.AES128)
    dialogue = handshake(HostAuthentication(keys, version=0x42), custody, AuthenticationGuard(), "", CHALLENGE)
    next(dialogue)
    with pytest.raises(CardRefused, match="key version 42: card answered 6A88"):
        dialogue.send(Response(b"", StatusWord(0x6A88)))


@pytest.mark.parametrize("length", [0, 11, 27, 28, 30, 31, 33, 45])
def test_answers_of_a_wrong_length_are_malformed(length: int) -> None:
    answer = (KEY_DATA + bytes((0x30, 0x03, 0x70)) + bytes(64))[:length]
    with pytest.raises(CardMalformed):
        InitializeUpdate.parse(answer, scp02_i=0x15)


@pytest.mark.parametrize(("i", "length"), [(0x60, 29), (0x70, 32), (0x61, 45), (0x71, 48)])
def test_scp03_answers_of_every_right_length(i: int, length: int) -> None:
    answer = (KEY_DATA + bytes((0x30, 0x03, i)) + bytes(range(64)))[:length]
    update = InitializeUpdate.parse(answer, scp02_i=0x15)
    size = 16 if i & 1 else 8
    assert (len(update.card_challenge), len(update.card_cryptogram)) == (size, size)
    assert len(update.sequence) == (3 if i & 0x10 else 0)


@pytest.mark.parametrize("scp", [0x01, 0x10, 0x11])
def test_other_protocols_are_named(scp: int) -> None:
    with pytest.raises(SecureChannelError, match=f"SCP{scp:02X}; only SCP02 and SCP03"):
        InitializeUpdate.parse(KEY_DATA + bytes((0x30, scp)) + bytes(16), scp02_i=0x15)


def test_no_key_byte_shows_in_what_is_raised() -> None:
    custody, keys = host(Algorithm.AES128)
    with pytest.raises(NotGenuine) as wrong:
        open_channel(
            CardEnd(Algorithm.AES128, 0x70, keys=WRONG), HostAuthentication(keys), custody, AuthenticationGuard()
        )
    text = str(wrong.value).lower()
    assert not any(key.hex()[:12] in text for key in (*key_bytes(Algorithm.AES128), *WRONG))
