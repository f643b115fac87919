"""A member card whose answers have lengths in long form. EMV 4.4 Book 3, Annex B2."""

from __future__ import annotations

from terminal.apdu import Transcript, stack
from terminal.member.reading import internal_authenticate


def test_a_signature_with_a_long_length_is_read() -> None:
    with Transcript(("00880000041122334400", "80820003010203" + "9000")) as transcript:
        assert internal_authenticate(stack(transcript), bytes.fromhex("11223344")) == bytes.fromhex("010203")
