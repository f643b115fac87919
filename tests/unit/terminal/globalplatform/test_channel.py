"""The secure channel as a sender: room in a command, Lc and Le, R-MAC sessions, and when it closes."""

from __future__ import annotations

import pytest

from simulators.card.security_domain.session import R_MAC
from terminal.apdu import OK, Command, FollowUp, Response, StatusWord
from terminal.errors import ApduError, CardGone, IntegrityError, ResponseLost, SecureChannelError
from terminal.globalplatform import AuthenticationGuard, HostAuthentication, SecureChannel, SecurityLevel, open_channel
from terminal.keys import Algorithm
from tests.support.cards.scp_card import CardEnd, host

LE = Command(0x80, 0xCA, 0x00, 0x66, ne=256)


def session(algorithm: Algorithm, i: int, level: int) -> tuple[SecureChannel, CardEnd]:
    custody, keys = host(algorithm)
    card = CardEnd(algorithm, i)
    return open_channel(
        card, HostAuthentication(keys, SecurityLevel(level), scp02_i=i), custody, AuthenticationGuard()
    ), card


@pytest.mark.parametrize(
    ("algorithm", "i", "level", "room"),
    [
        (Algorithm.TDES, 0x15, 0x00, 255),
        (Algorithm.TDES, 0x15, 0x01, 247),
        (Algorithm.TDES, 0x15, 0x03, 239),
        (Algorithm.TDES, 0x35, 0x10, 255),
        (Algorithm.AES128, 0x70, 0x00, 255),
        (Algorithm.AES128, 0x70, 0x01, 247),
        (Algorithm.AES128, 0x70, 0x33, 239),
        (Algorithm.AES128, 0x71, 0x11, 239),
        (Algorithm.AES128, 0x71, 0x33, 223),
    ],
)
def test_the_most_data_fit_and_one_byte_more_does_not(algorithm: Algorithm, i: int, level: int, room: int) -> None:
    channel, card = session(algorithm, i, level)
    assert channel.max_data == room
    assert channel.send(Command(0x80, 0xE2, 0x80, 0x00, bytes(room))).sw.ok
    assert card.understood[-1].data == bytes(room)
    assert len(card.wire[-1].data) <= 255
    if room < 255:
        with pytest.raises(ApduError, match=f"{room + 1} data bytes"):
            channel.send(Command(0x80, 0xE2, 0x80, 0x00, bytes(room + 1)))
        assert not channel.closed


@pytest.mark.parametrize("level", [0x01, 0x03])
def test_scp02_has_no_extended_form(level: int) -> None:
    channel, _ = session(Algorithm.TDES, 0x15, level)
    with pytest.raises(ApduError, match="SCP02"):
        channel.send(Command(0x80, 0xCA, 0x00, 0x66, ne=65536))


@pytest.mark.parametrize(("algorithm", "level", "lc"), [(Algorithm.TDES, 0x03, 8), (Algorithm.AES128, 0x33, 8)])
def test_commands_without_data_are_signed_but_not_encrypted(algorithm: Algorithm, level: int, lc: int) -> None:
    channel, card = session(algorithm, 0x70 if level == 0x33 else 0x15, level)
    channel.send(LE)
    assert (len(card.wire[-1].data), card.wire[-1].ne, card.wire[-1].cla) == (lc, 256, 0x84)


def test_without_secure_messaging_commands_pass_as_they_are() -> None:
    channel, card = session(Algorithm.AES128, 0x70, 0x00)
    channel.send(LE)
    assert card.wire[-1] == LE


def test_commands_that_are_secured_or_on_another_channel_already_are_misuse() -> None:
    channel, _ = session(Algorithm.AES128, 0x70, 0x01)
    for cla in (0x84, 0x0C, 0x81, 0xC0):
        with pytest.raises(SecureChannelError):
            channel.send(Command(cla, 0xCA, 0x00, 0x66, ne=256))
    assert channel.send(LE).sw.ok


@pytest.mark.parametrize(("algorithm", "i", "level"), [(Algorithm.TDES, 0x35, 0x11), (Algorithm.AES128, 0x70, 0x33)])
def test_an_error_status_comes_bare_and_the_session_goes_on(algorithm: Algorithm, i: int, level: int) -> None:
    channel, card = session(algorithm, i, level)
    card.answer = lambda _: Response(b"", StatusWord(0x6A88))
    assert channel.send(LE).sw == 0x6A88
    card.answer = lambda _: Response(b"found", OK)
    assert channel.send(LE).data == b"found"


@pytest.mark.parametrize(("algorithm", "i", "level"), [(Algorithm.TDES, 0x35, 0x11), (Algorithm.AES128, 0x70, 0x33)])
@pytest.mark.parametrize(
    "forged", [Response(b"", OK), Response(bytes(8), OK), Response(b"", StatusWord(0x6310)), Response(bytes(20), OK)]
)
def test_success_without_a_right_r_mac_is_a_forgery(algorithm: Algorithm, i: int, level: int, forged: Response) -> None:
    channel, card = session(algorithm, i, level)
    card.session.wrap = lambda _: forged  # type: ignore[method-assign]
    with pytest.raises(IntegrityError):
        channel.send(LE)
    assert channel.closed


def test_data_beside_an_error_status_are_a_forgery() -> None:
    channel, card = session(Algorithm.AES128, 0x70, 0x33)
    card.answer = lambda _: Response(b"planted", StatusWord(0x6A80))
    with pytest.raises(IntegrityError, match="unprotected data"):
        channel.send(LE)


def test_a_lost_card_closes_the_channel() -> None:
    channel, card = session(Algorithm.AES128, 0x70, 0x33)

    def gone(_: Command) -> Response:
        raise CardGone("the card was pulled")

    card.answer = gone
    with pytest.raises(CardGone):
        channel.send(LE)
    assert channel.closed
    for use in (lambda: channel.send(LE), lambda: channel.dek, lambda: channel.level, lambda: channel.max_data):
        with pytest.raises(SecureChannelError, match="authenticate again"):
            use()


class WithholdingCard(CardEnd):
    """Executes a command, announces its response and then refuses GET RESPONSE, as often as ``times`` says."""

    times = 0

    def send(self, command: Command) -> Response:
        if command.ins == 0xC0:
            return Response(b"", StatusWord(0x6985))
        response = super().send(command)
        if not self.times or not self.session.authenticated:
            return response
        self.times -= 1
        return Response(b"", StatusWord(0x6110))


SIGNED = [(Algorithm.TDES, 0x15, 0x01), (Algorithm.TDES, 0x15, 0x03), (Algorithm.AES128, 0x70, 0x03)]
PROVEN = [(Algorithm.TDES, 0x35, 0x11), (Algorithm.AES128, 0x70, 0x11), (Algorithm.AES128, 0x70, 0x33)]


def withholding(algorithm: Algorithm, i: int, level: int) -> tuple[SecureChannel, WithholdingCard]:
    custody, keys = host(algorithm)
    card = WithholdingCard(algorithm, i)
    wanted = HostAuthentication(keys, SecurityLevel(level), scp02_i=i)
    channel = open_channel(FollowUp(card), wanted, custody, AuthenticationGuard())
    card.times = 1
    return channel, card


@pytest.mark.parametrize(("algorithm", "i", "level"), SIGNED + PROVEN)
def test_a_lost_response_is_no_refusal_and_closes_the_channel(algorithm: Algorithm, i: int, level: int) -> None:
    channel, card = withholding(algorithm, i, level)
    with pytest.raises(ResponseLost, match="6985"):
        channel.send(LE)
    assert card.understood == [LE]
    assert channel.closed


@pytest.mark.parametrize(("algorithm", "i", "level"), SIGNED)
def test_a_command_without_le_has_succeeded_without_its_response(algorithm: Algorithm, i: int, level: int) -> None:
    channel, _ = withholding(algorithm, i, level)
    for _ in range(2):
        assert channel.send(Command(0x80, 0xE2, 0x80, 0x00, b"data")).sw.ok


@pytest.mark.parametrize(("algorithm", "i", "level"), PROVEN)
def test_where_success_needs_an_r_mac_a_lost_response_proves_none(algorithm: Algorithm, i: int, level: int) -> None:
    channel, _ = withholding(algorithm, i, level)
    with pytest.raises((IntegrityError, ResponseLost)):
        channel.send(Command(0x80, 0xE2, 0x80, 0x00, b"data"))
    assert channel.closed


class RMacCard(CardEnd):
    """Begins and ends R-MAC sessions as in GPC 2.3.1, E.5.3 and E.5.4: the first ICV is the last C-MAC."""

    def send(self, command: Command) -> Response:
        response = super().send(command)
        if command.ins == 0x7A:
            self.session.level |= R_MAC
            self.session._response_icv = self.session._icv  # type: ignore[union-attr]
        elif command.ins == 0x78:
            self.session.level &= ~R_MAC
        return response


@pytest.mark.parametrize("level", [0x01, 0x03])
def test_an_r_mac_session_begins_and_ends_within_scp02(level: int) -> None:
    custody, keys = host(Algorithm.TDES)
    card = RMacCard(Algorithm.TDES, 0x35, answer=lambda c: Response(b"" if c.ins in (0x78, 0x7A) else b"data", OK))
    channel = open_channel(
        card, HostAuthentication(keys, SecurityLevel(level), scp02_i=0x35), custody, AuthenticationGuard()
    )
    channel.begin_r_mac(b"fresh")
    assert card.understood[-1] == Command(0x80, 0x7A, 0x10, 0x01, b"\x05fresh")
    assert channel.level == level | 0x10
    assert [channel.send(LE).data for _ in range(3)] == [b"data"] * 3
    with pytest.raises(SecureChannelError, match="begun already"):
        channel.begin_r_mac()
    channel.end_r_mac()
    assert card.understood[-1] == Command(0x80, 0x78, 0x00, 0x03, ne=256)
    assert channel.level == level
    assert channel.send(LE).data == b"data"
    with pytest.raises(SecureChannelError, match="no R-MAC session"):
        channel.end_r_mac()
    with pytest.raises(SecureChannelError, match="25 bytes"):
        channel.begin_r_mac(bytes(25))


def test_r_mac_sessions_belong_to_scp02() -> None:
    channel, _ = session(Algorithm.AES128, 0x70, 0x01)
    with pytest.raises(SecureChannelError, match="SCP02"):
        channel.begin_r_mac()
