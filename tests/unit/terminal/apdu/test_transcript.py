from __future__ import annotations

from pathlib import Path

import pytest

from terminal.apdu import LinkProtocol, Transcript, Transport
from terminal.apdu.transcript import TranscriptError, turns
from terminal.errors import CardGone, DeadlineExceeded, TransportError


def test_is_a_transport() -> None:
    assert isinstance(Transcript(), Transport)


def test_holds_one_conversation() -> None:
    with Transcript(("00 A4 04 00", "9000"), ("RESET", "3B00"), ("00B2010C00", "AA 9000")) as card:
        assert card.exchange(bytes.fromhex("00A40400")) == b"\x90\x00"
        assert card.reset() == b"\x3b\x00" == card.atr
        assert card.left == 1
        assert card.exchange(bytes.fromhex("00B2010C00")) == b"\xaa\x90\x00"


def test_a_wrong_command_shows_expected_beside_actual() -> None:
    card = Transcript(("00B2010C00", "9000"))
    with pytest.raises(TranscriptError) as caught:
        card.exchange(bytes.fromhex("00B2020C00"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "turn 1 of 1:"
    assert lines[1] == "  expected  00B2010C00  READ RECORD (SFI 1, record 1)"
    assert lines[2] == "  actual    00B2020C00  READ RECORD (SFI 1, record 2)"
    assert lines[3] == " " * 16 + "^^"


def test_bytes_that_are_no_command_are_shown_too() -> None:
    with pytest.raises(TranscriptError, match="has no header"):
        Transcript(("00B2010C00", "9000")).exchange(b"\0")


def test_a_reset_where_a_command_was_expected() -> None:
    with pytest.raises(TranscriptError, match="actual    RESET"):
        Transcript(("00B2010C00", "9000")).reset()


def test_beyond_the_end_and_after_close() -> None:
    card = Transcript()
    with pytest.raises(TranscriptError, match="beyond the end"):
        card.exchange(b"\0\0\0\0")
    card.close()
    with pytest.raises(TranscriptError, match="after close"):
        card.exchange(b"\0\0\0\0")


def test_turns_left_fail_at_the_end() -> None:
    with pytest.raises(TranscriptError, match="1 turns were not taken"), Transcript(("00B2010C00", "9000")):
        pass


def test_a_failing_block_keeps_its_own_error() -> None:
    with pytest.raises(KeyError), Transcript(("00B2010C00", "9000")):
        raise KeyError


def test_file_form(tmp_path: Path) -> None:
    path = tmp_path / "dialogue.txt"
    path.write_text(
        "# a T=0 card\natr: 3B 00\nprotocol: T=0\nextended: no\n\n00B2010C00 | 6C01   # too long\n00B2010C01|AA9000\n"
    )
    with Transcript.load(path) as card:
        assert (card.atr, card.protocol, card.extended_length) == (b"\x3b\x00", LinkProtocol.T0, False)
        assert card.exchange(bytes.fromhex("00B2010C00")) == b"\x6c\x01"
        assert card.exchange(bytes.fromhex("00B2010C01")) == b"\xaa\x90\x00"


def test_file_form_names_a_bad_line() -> None:
    with pytest.raises(TranscriptError, match="line 2"):
        Transcript.parse("00B2010C00 | 9000\natr: 3B00\n")


def test_a_recorded_conversation_reads_back() -> None:
    text = turns([(bytes.fromhex("00B2010C00"), bytes.fromhex("AA9000"))])
    assert Transcript.parse(text).exchange(bytes.fromhex("00B2010C00")) == b"\xaa\x90\x00"


@pytest.mark.parametrize(("name", "fault"), [("TIMEOUT", DeadlineExceeded("silent")), ("GONE", CardGone("pulled"))])
def test_an_answer_that_never_came_is_recorded_and_read_back(name: str, fault: TransportError) -> None:
    text = turns([(bytes.fromhex("00B2010C00"), fault)])
    assert text == f"00B2010C00 | {name}\n"
    card = Transcript.parse(text)
    with pytest.raises(type(fault), match=name):
        card.exchange(bytes.fromhex("00B2010C00"))
    assert card.left == 0


def test_a_fault_without_a_name_is_not_recorded() -> None:
    with pytest.raises(KeyError):
        turns([(b"", TransportError())])
