from __future__ import annotations

import pytest

from terminal.apdu import (
    Atr,
    Chained,
    Command,
    ExtendedLength,
    FollowUp,
    LinkProtocol,
    OnChannel,
    Trace,
    Transcript,
    TransportSender,
    check,
    close_channel,
    logical_channel,
    open_channel,
    stack,
)
from terminal.apdu.senders import FOLLOW_UP_SECONDS
from terminal.awake import AwakeClock
from terminal.errors import ApduError, CardMalformed, CardRefused, CardTooSlow, DeadlineExceeded, ResponseLost

READ = Command(0x00, 0xB2, 0x01, 0x0C, ne=256)


class SlowCard:
    """A transport that counts its exchanges."""

    atr, protocol, extended_length = b"", LinkProtocol.T1, False

    def __init__(self) -> None:
        self._count = -1

    def count(self) -> int:
        self._count += 1
        return self._count

    def reset(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


class TestFollowUp:
    def test_gathers_all_rounds_and_keeps_the_last_status(self) -> None:
        with Transcript(
            ("00B2010C00", "0102 6102"),
            ("00C0000002", "0304 6101"),
            ("00C0000001", "05 6282"),
            protocol=LinkProtocol.T1,
        ) as card:
            response = FollowUp(TransportSender(card)).send(READ)
        assert response.data == bytes((1, 2, 3, 4, 5))
        assert response.sw == 0x6282

    def test_6100_asks_for_256(self) -> None:
        with Transcript(("00B2010C00", "6100"), ("00C0000000", "AA" * 256 + "9000")) as card:
            assert len(FollowUp(TransportSender(card)).send(READ).data) == 256

    def test_repeats_with_the_right_length_once(self) -> None:
        with Transcript(("00B2010C00", "6C03"), ("00B2010C03", "0102039000")) as card:
            assert FollowUp(TransportSender(card)).send(READ).data == b"\1\2\3"

    def test_a_second_6cxx_is_the_answer(self) -> None:
        with Transcript(("00B2010C00", "6C03"), ("00B2010C03", "6C04")) as card:
            assert FollowUp(TransportSender(card)).send(READ).sw == 0x6C04

    def test_get_response_itself_may_need_the_right_length(self) -> None:
        with Transcript(("00B2010C00", "6110"), ("00C0000010", "6C02"), ("00C0000002", "AABB9000")) as card:
            assert FollowUp(TransportSender(card)).send(READ).data == b"\xaa\xbb"

    @pytest.mark.parametrize(("cla", "sent"), [(0x84, 0x00), (0x0D, 0x01), (0x97, 0x03), (0xE2, 0x42), (0x5F, 0x4F)])
    def test_get_response_stays_on_the_channel_without_other_bits(self, cla: int, sent: int) -> None:
        with Transcript((f"{cla:02X}CA000000", "6101"), (f"{sent:02X}C0000001", "AA9000")) as card:
            assert FollowUp(TransportSender(card)).send(Command(cla, 0xCA, ne=256)).data == b"\xaa"

    def test_a_card_that_promises_without_giving_is_stopped(self) -> None:
        with (
            Transcript(("00B2010C00", "6110"), ("00C0000010", "6110")) as card,
            pytest.raises(CardMalformed, match="without end"),
        ):
            FollowUp(TransportSender(card)).send(READ)

    def test_a_card_that_never_ends_is_stopped(self) -> None:
        class Endless:
            calls = 0
            atr, protocol, extended_length = b"", LinkProtocol.T1, False

            def exchange(self, apdu: bytes) -> bytes:
                self.calls += 1
                return b"x\x61\x01"

            def reset(self) -> bytes:
                return b""

            def close(self) -> None:
                pass

        card = Endless()
        with pytest.raises(CardMalformed):
            FollowUp(TransportSender(card)).send(READ)
        assert card.calls < 2000

    @pytest.mark.parametrize(
        "answers", [[b"\x61\x01", b"x\x61\x01"], [b"\x6c\x01", b"x\x61\x01"], [b"\x61\x01", b"\x6c\x01", b"x\x61\x01"]]
    )
    @pytest.mark.parametrize("seconds", [0.5, 3.0, 9.0])
    def test_a_slow_chain_ends_and_blames_the_card(self, answers: list[bytes], seconds: float) -> None:
        """61xx and 6Cxx, each in good time for one exchange: after 8 s the card is too slow, whatever it gives."""
        now = 0.0

        class Slow(SlowCard):
            def exchange(self, apdu: bytes) -> bytes:
                nonlocal now
                now += seconds
                return answers[min(self.count(), len(answers) - 1)]

        with pytest.raises(
            CardTooSlow, match="the card is too slow, or defective: after 8 s its response is not"
        ) as late:
            FollowUp(TransportSender(Slow()), clock=lambda: now).send(READ)
        assert isinstance(late.value, DeadlineExceeded)
        assert "driver" not in str(late.value)
        assert 8 < now <= seconds + 8 + 2 * seconds

    def test_a_pause_of_the_machine_in_a_chain_is_not_the_cards(self) -> None:
        now = 0.0

        class Paused(SlowCard):
            def exchange(self, apdu: bytes) -> bytes:
                nonlocal now
                turn = self.count()
                now += 3600.0 if turn == 1 else 0.1
                return (b"", b"x", b"y", b"z")[turn] + (b"\x61\x02" if turn < 3 else b"\x90\x00")

        clock = AwakeClock(FOLLOW_UP_SECONDS / 2, lambda: now)
        assert FollowUp(TransportSender(Paused()), clock=clock).send(READ).data == b"xyz"

    def test_a_slow_first_answer_leaves_its_time_to_the_rest(self) -> None:
        """A key generated on the card may take longer than the limit; the limit is for what follows."""
        now = 0.0

        class Slow(SlowCard):
            def exchange(self, apdu: bytes) -> bytes:
                nonlocal now
                first = not self.count()
                now += 25.0 if first else 1.0
                return b"\x61\x02" if first else b"xy\x90\x00"

        assert FollowUp(TransportSender(Slow()), clock=lambda: now).send(READ).data == b"xy"

    def test_data_behind_a_warning_are_fetched_at_t0(self) -> None:
        select = Command(0x00, 0xA4, 0x04, 0x00, b"\xa0\0\0\0\3", ne=256)
        with Transcript(
            ("00A4040005A000000003", "6283"),
            ("00C0000000", "6C02"),
            ("00C0000002", "6F009000"),
            protocol=LinkProtocol.T0,
        ) as card:
            response = stack(card).send(select)
        assert (response.data, response.sw) == (b"\x6f\0", 0x6283)

    def test_a_warning_without_data_behind_stays(self) -> None:
        select = Command(0x00, 0xA4, 0x04, 0x00, b"\xa0\0\0\0\3", ne=256)
        with Transcript(("00A4040005A000000003", "6283"), ("00C0000000", "6F00"), protocol=LinkProtocol.T0) as card:
            assert stack(card).send(select).sw == 0x6283

    @pytest.mark.parametrize("status", ["6282", "6310", "63C2"])
    def test_data_with_a_warning_of_get_response_are_given_at_t0(self, status: str) -> None:
        select = Command(0x00, 0xA4, 0x04, 0x00, b"\xa0\0\0\0\3", ne=256)
        with Transcript(
            ("00A4040005A000000003", "6283"), ("00C0000000", f"6F00{status}"), protocol=LinkProtocol.T0
        ) as card:
            response = stack(card).send(select)
        assert (response.data, response.sw) == (b"\x6f\0", 0x6283)


REFUSALS = ["6985", "6A82", "6A83", "6A86", "6A88", "6D00", "6700", "6400", "6982", "6983", "63C0", "6300", "9484"]


class TestLostResponse:
    """61xx says that the command was executed: what GET RESPONSE is refused with is no status of the command."""

    @pytest.mark.parametrize("status", REFUSALS)
    def test_a_refused_get_response_refuses_no_command(self, status: str) -> None:
        with (
            Transcript(("00B2010C00", "6110"), ("00C0000010", status)) as card,
            pytest.raises(ResponseLost, match=f"executed the command, .* lost after 0 bytes: .* {status}") as lost,
        ):
            stack(card).send(READ)
        assert not isinstance(lost.value, CardRefused)

    def test_a_part_of_the_data_is_not_the_response(self) -> None:
        with (
            Transcript(("00B2010C00", "0102 6103"), ("00C0000003", "03 6102"), ("00C0000002", "6985")) as card,
            pytest.raises(ResponseLost, match="lost after 3 bytes"),
        ):
            stack(card).send(READ)

    def test_a_second_6cxx_to_get_response_is_a_refusal_of_it(self) -> None:
        with (
            Transcript(("00B2010C00", "6110"), ("00C0000010", "6C02"), ("00C0000002", "6C03")) as card,
            pytest.raises(ResponseLost, match="6C03"),
        ):
            stack(card).send(READ)

    def test_a_refusal_after_the_right_length_is_one_too(self) -> None:
        with (
            Transcript(("00B2010C00", "6C03"), ("00B2010C03", "6103"), ("00C0000003", "6A82")) as card,
            pytest.raises(ResponseLost, match="6A82"),
        ):
            stack(card).send(READ)

    @pytest.mark.parametrize("status", REFUSALS)
    @pytest.mark.parametrize("protocol", LinkProtocol)
    def test_a_command_without_le_has_succeeded(self, status: str, protocol: LinkProtocol) -> None:
        with Transcript(("0020008002 2412", "6110"), ("00C0000010", status), protocol=protocol) as card:
            assert stack(card).send(Command(0x00, 0x20, 0x00, 0x80, b"\x24\x12")).encode() == b"\x90\x00"

    @pytest.mark.parametrize("status", REFUSALS)
    def test_a_chain_goes_on_after_a_part_without_its_data(self, status: str) -> None:
        with Transcript(
            ("90E20000020102", "6104"), ("00C0000004", status), ("80E20000020304", "AA9000"), protocol=LinkProtocol.T1
        ) as card:
            sender = Chained(FollowUp(TransportSender(card)), 2)
            assert sender.send(Command(0x80, 0xE2, data=b"\1\2\3\4", ne=None)).sw.ok

    def test_the_end_of_a_chain_may_lose_its_response(self) -> None:
        with (
            Transcript(("90E20000020102", "9000"), ("80E2000002030400", "6104"), ("00C0000004", "6985")) as card,
            pytest.raises(ResponseLost),
        ):
            Chained(FollowUp(TransportSender(card)), 2).send(Command(0x80, 0xE2, data=b"\1\2\3\4", ne=256))

    def test_6700_of_get_response_repeats_no_long_command(self) -> None:
        """The command was executed: sent again in parts it would be executed twice."""
        with (
            Transcript(("00D6000000012C" + "00" * 300 + "0100", "6110"), ("00C0000010", "6700")) as card,
            pytest.raises(ResponseLost, match="6700"),
        ):
            stack(card).send(Command(0, 0xD6, data=bytes(300), ne=256))

    def test_data_announced_behind_a_warning_may_be_lost_at_t0(self) -> None:
        select = Command(0x00, 0xA4, 0x04, 0x00, b"\xa0\0\0\0\3", ne=256)
        with (
            Transcript(
                ("00A4040005A000000003", "6283"),
                ("00C0000000", "6F006102"),
                ("00C0000002", "6F00"),
                protocol=LinkProtocol.T0,
            ) as card,
            pytest.raises(ResponseLost, match="lost after 2 bytes"),
        ):
            stack(card).send(select)


class TestLink:
    @pytest.mark.parametrize(
        ("command", "tpdu"),
        [
            (Command(0, 0x70, 0x80, 1), "0070800100"),
            (Command(0, 0xB2, 1, 0x0C, ne=256), "00B2010C00"),
            (Command(0, 0xB2, 1, 0x0C, ne=1000), "00B2010C00"),
            (Command(0, 0x20, 0, 0x80, b"\x24\x12"), "00200080022412"),
            (Command(0, 0xA4, 4, 0, b"\xa0", ne=256), "00A4040001A0"),
        ],
    )
    def test_t0_mapping(self, command: Command, tpdu: str) -> None:
        with Transcript((tpdu, "9000"), protocol=LinkProtocol.T0) as card:
            assert TransportSender(card).send(command).sw.ok

    def test_t0_cannot_carry_long_data(self) -> None:
        with Transcript(protocol=LinkProtocol.T0) as card, pytest.raises(ApduError, match="T=0"):
            TransportSender(card).send(Command(0, 0xD6, data=bytes(256)))

    @pytest.mark.parametrize("answer", ["", "90", "0000", "AA6000"])
    def test_an_answer_without_status_is_malformed(self, answer: str) -> None:
        with Transcript(("00B2010C00", answer)) as card, pytest.raises(CardMalformed, match="00B2010C"):
            TransportSender(card).send(READ)


class TestChained:
    def test_bit_on_all_but_the_last_and_ne_only_there(self) -> None:
        with Transcript(("10D60000020102", "9000"), ("10D60000020304", "9000"), ("00D60000010500", "AA9000")) as card:
            response = Chained(TransportSender(card), 2).send(Command(0, 0xD6, data=b"\1\2\3\4\5", ne=256))
        assert response.data == b"\xaa"

    def test_an_exact_multiple_has_no_empty_last(self) -> None:
        with Transcript(("90E20000020102", "9000"), ("80E20000020304", "9000")) as card:
            assert Chained(TransportSender(card), 2).send(Command(0x80, 0xE2, data=b"\1\2\3\4")).sw.ok

    def test_stops_at_the_first_refusal(self) -> None:
        with Transcript(("10D60000020102", "6884")) as card:
            assert Chained(TransportSender(card), 2).send(Command(0, 0xD6, data=b"\1\2\3\4\5")).sw == 0x6884

    def test_size_is_checked(self) -> None:
        with pytest.raises(ValueError, match="1 to 65535"):
            Chained(TransportSender(Transcript()), 0)


class TestExtendedLength:
    LONG = Command(0, 0xD6, data=bytes(300))
    EXTENDED = "00D6000000012C" + "00" * 300
    CHAIN = (("10D60000FF" + "00" * 255, "9000"), ("00D600002D" + "00" * 45, "9000"))

    def test_goes_out_extended_where_the_card_takes_it(self) -> None:
        with Transcript((self.EXTENDED, "9000"), (self.EXTENDED, "6700")) as card:
            sender = stack(card)
            assert sender.send(self.LONG).sw.ok
            assert sender.send(self.LONG).sw == 0x6700, "a card that can do it means its 6700"

    def test_falls_back_after_6700_and_remembers(self) -> None:
        with Transcript((self.EXTENDED, "6700"), *self.CHAIN, *self.CHAIN) as card:
            sender = stack(card)
            assert sender.send(self.LONG).sw.ok
            assert sender.send(self.LONG).sw.ok

    def test_another_refusal_proves_nothing(self) -> None:
        with Transcript((self.EXTENDED, "6982"), (self.EXTENDED, "6700"), *self.CHAIN) as card:
            sender = ExtendedLength(TransportSender(card))
            assert sender.send(self.LONG).sw == 0x6982
            assert sender.send(self.LONG).sw.ok

    def test_a_short_only_reader_is_never_tried(self) -> None:
        with Transcript(*self.CHAIN, extended_length=False) as card:
            assert stack(card).send(self.LONG).sw.ok

    def test_a_card_that_tells_it_cannot_is_never_tried(self) -> None:
        with Transcript(*self.CHAIN, atr=bytes.fromhex("3BF81300008131FE45007300008007900084")) as card:
            assert Atr.parse(card.atr).history.extended_length is False
            assert stack(card).send(self.LONG).sw.ok

    def test_a_card_that_claims_it_is_tried_and_may_fail(self) -> None:
        yubikey = bytes.fromhex("3BFD1300008131FE158073C021C057597562694B657940")
        with Transcript((self.EXTENDED, "6700"), *self.CHAIN, atr=yubikey) as card:
            assert Atr.parse(card.atr).history.extended_length is True
            assert stack(card).send(self.LONG).sw.ok

    def test_an_atr_that_nobody_can_read_proves_nothing(self) -> None:
        with Transcript((self.EXTENDED, "9000"), atr=b"\x3b") as card:
            assert stack(card).send(self.LONG).sw.ok

    def test_long_answers_come_by_get_response(self) -> None:
        with Transcript(
            ("00B0000000", "AA" * 256 + "6104"), ("00C0000004", "BBBBBBBB9000"), extended_length=False
        ) as card:
            assert len(stack(card).send(Command(0, 0xB0, ne=65536)).data) == 260


class TestChannels:
    @pytest.mark.parametrize(
        ("channel", "cla", "moved"),
        [
            (0, 0x84, 0x84),
            (1, 0x00, 0x01),
            (3, 0x84, 0x87),
            (2, 0x1C, 0x1E),
            (4, 0x00, 0x40),
            (19, 0x00, 0x4F),
            (5, 0x80, 0xC1),
            (5, 0x84, 0xE1),
            (6, 0x1C, 0x72),
        ],
    )
    def test_class_byte(self, channel: int, cla: int, moved: int) -> None:
        with Transcript((f"{moved:02X}CA000000", "9000")) as card:
            assert OnChannel(TransportSender(card), channel).send(Command(cla, 0xCA, ne=256)).sw.ok

    def test_a_command_already_there_passes(self) -> None:
        with Transcript(("01CA000000", "9000")) as card:
            assert OnChannel(TransportSender(card), 1).send(Command(0x01, 0xCA, ne=256)).sw.ok

    def test_a_command_for_another_channel_is_refused(self) -> None:
        with pytest.raises(ApduError, match="channel 2 sent on channel 1"):
            OnChannel(TransportSender(Transcript()), 1).send(Command(0x02, 0xCA))

    def test_there_is_no_channel_20(self) -> None:
        with pytest.raises(ApduError, match="0 to 19"):
            OnChannel(TransportSender(Transcript()), 20)

    def test_open_use_close(self) -> None:
        with (
            Transcript(("0070000001", "019000"), ("01CA000000", "9000"), ("00708001", "9000")) as card,
            logical_channel(TransportSender(card)) as channel,
        ):
            assert channel.channel == 1
            assert channel.send(Command(0, 0xCA, ne=256)).sw.ok

    def test_no_channel_left(self) -> None:
        with Transcript(("0070000001", "6A81")) as card, pytest.raises(CardRefused, match="6A81"):
            open_channel(TransportSender(card))

    @pytest.mark.parametrize("answer", ["9000", "009000", "149000", "01019000"])
    def test_a_nonsense_channel_number(self, answer: str) -> None:
        with Transcript(("0070000001", answer)) as card, pytest.raises(CardMalformed):
            open_channel(TransportSender(card))

    def test_close_refused(self) -> None:
        with Transcript(("00708003", "6881")) as card, pytest.raises(CardRefused, match="closing logical channel 3"):
            close_channel(TransportSender(card), 3)


class TestCheck:
    def test_success_and_allowed_warnings_give_the_data(self) -> None:
        with Transcript(("00B2010C00", "AA6310"), ("00B2010C00", "BB9000")) as card:
            assert check(TransportSender(card).send(READ), "reading", allow={0x6310}) == b"\xaa"
            assert check(TransportSender(card).send(READ), "reading") == b"\xbb"

    def test_refusal_says_what_was_done(self) -> None:
        with (
            Transcript(("00B2010C00", "6A83")) as card,
            pytest.raises(CardRefused, match=r"^reading record 1: card answered 6A83 \(record not found\)$"),
        ):
            check(TransportSender(card).send(READ), "reading record 1")


def test_the_stack_traces_every_exchange_on_the_wire() -> None:
    trace = Trace()
    with Transcript(("00B2010C00", "6101"), ("00C0000001", "AA9000")) as card:
        stack(card, trace).send(READ)
    assert [entry.header[1] for entry in trace] == [0xB2, 0xC0]
