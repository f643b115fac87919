"""Programme files with changed values: refused with their place, or carried out without an error."""

from __future__ import annotations

import re
from datetime import date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from programme.card_entries import entitlements
from programme.decision import decide
from programme.errors import ProgrammeFileError
from programme.explained import explained
from programme.facts import BenefitRequest, PastUses
from programme.linter import placed
from programme.outcome import Allowed
from programme.programme import Programme, ProgrammeFile, examples, parse_programme
from tests.support.paths import ROOT
from tests.support.programmes import MEMBER

TEXTS = [(ROOT / "programme" / "examples" / f"{name}.yaml").read_text("utf-8") for name in examples()]
VALUE = re.compile(r"(?P<field>[a-z_]+): (?P<value>[^\s{}\[\],]+)(?=[,}\n])")
DAYS = ("02-29", "12-31", "01-01", "12-15", "2026-05-05", "2000-01-01", "2099-12-31", "02-30", "W52-7")
AMOUNTS = ("0", "0.01", "33.33", "100", "101", "9999999", "-1", ".nan")
NUMBERS = ("1", "18", "28", "120", "255", "256", "0")
OTHER = (
    "day",
    "month",
    "quarter",
    "year",
    "season",
    "lifetime",
    "event",
    "card",
    "office",
    "none",
    "null",
    "12-31",
    "x",
)
MOMENTS = (datetime(2026, 2, 11, 12), datetime(2026, 12, 31, 9), datetime(1, 1, 1), datetime(9999, 12, 31, 23))


@st.composite
def changed(draw: st.DrawFn) -> str:
    """An example with one to three of its values exchanged."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(VALUE.finditer(text))))
        value = draw(st.sampled_from((*DAYS, *AMOUNTS, *NUMBERS, *OTHER)))
        text = text[: place.start("value")] + value + text[place.end("value") :]
    return text


def read(text: str) -> tuple[list[str], ProgrammeFile | None]:
    """The faults of a file, or what it says."""
    try:
        return [], parse_programme(text, "own.yaml")
    except ProgrammeFileError as refused:
        return str(refused).splitlines(), None


@settings(max_examples=40)
@given(changed(), st.sampled_from([1, 2, 300]), st.sampled_from([None, 0, 1, 99999]))
def test_a_file_is_refused_with_its_place_or_carried_out(text: str, quantity: int, list_price: int | None) -> None:
    faults, file = read(text)
    assert all(re.match(r"own\.yaml:\d+: ", line) for line in faults)
    if file is None:
        return
    assert Programme.from_json(file.programme.to_json()) == file.programme
    if not placed(file):
        entitlements(file.programme, date(2026, 6, 1))
    for offer in file.programme.offers():
        assert list(explained(offer))
        for product in offer.benefit.products:
            request = BenefitRequest(product, quantity, list_price, event="x")
            for past in (PastUses(), PastUses(complete=True, taken={})):
                for at in MOMENTS:
                    decision = decide(offer, MEMBER, request, past, at)
                    assert decision.sentence.zh
                    assert decision.sentence.en
                    if isinstance(decision, Allowed):
                        assert decision.price >= decision.fees >= 0
                        assert decision.saved >= 0
