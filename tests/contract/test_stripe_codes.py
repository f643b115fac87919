"""Bits of the stripe: those of data preparation against those of the simulated encoder, which was written apart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.stripe.characters import TRACK_CODES
from simulators.machines.stripe.formats import ISO_FORMATS
from tests.support.thorough import repeats

CASES = st.sampled_from((1, 2, 3)).flatmap(
    lambda track: st.tuples(
        st.just(track),
        st.text("".join(sorted(TRACK_CODES[track - 1].letters)), min_size=1, max_size=TRACK_CODES[track - 1].longest),
    )
)


@settings(max_examples=repeats(60, 2000))
@given(CASES)
def test_both_write_the_same_bits(case: tuple[int, str]) -> None:
    track, text = case
    code = TRACK_CODES[track - 1]
    theirs = ISO_FORMATS[track].encode(text)
    assert "".join(map(str, code.bits_of(text))) == theirs
    assert code.text_of([int(bit) for bit in theirs]) == text
