"""Requests, evidence and scripts survive their encoding, and no other bytes are taken for them."""

from __future__ import annotations

import string
from datetime import date, time

from hypothesis import given
from hypothesis import strategies as st

from terminal.apdu import Command
from terminal.errors import CodecError
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.scripts import CardScript
from terminal.tlv import Dol

CDOL1 = Dol.parse(bytes.fromhex("9F02069F1A025F2A029A039F21039C019F37049F1C089F160FDF3102DF32019505"))
NUMBERS = st.text("0123456789", min_size=4, max_size=4)
REQUESTS = st.builds(
    RedemptionRequest,
    benefit_class=NUMBERS,
    quantity=st.integers(1, 255),
    amount=st.integers(0, 10**12 - 1),
    day=st.dates(date(2000, 1, 1), date(2049, 12, 31)),
    clock=st.times().map(lambda clock: clock.replace(microsecond=0)),
    merchant=st.text(string.ascii_letters + string.digits + "-/. ", min_size=1, max_size=15).filter(
        lambda text: text == text.strip()
    ),
    terminal=st.text(string.ascii_letters + string.digits, min_size=8, max_size=8),
    unpredictable=st.binary(min_size=4, max_size=4),
    country=NUMBERS,
    currency=NUMBERS,
    transaction_type=st.text("0123456789", min_size=2, max_size=2),
    results=st.binary(min_size=5, max_size=5),
)
EVIDENCE = st.builds(
    RedemptionEvidence,
    aid=st.binary(min_size=5, max_size=16),
    card_number=st.sampled_from(("9156130000000001234", "4761739001010119")),
    sequence=st.integers(0, 99),
    aip=st.binary(min_size=2, max_size=2),
    related=st.binary(max_size=20),
    wanted=st.just(CDOL1.encode()),
    values=REQUESTS.map(lambda request: request.fill(CDOL1)),
    cid=st.integers(0, 255),
    atc=st.binary(min_size=2, max_size=2),
    signature=st.binary(max_size=248),
    cryptogram=st.sampled_from((b"", bytes(8))),
    issuer_data=st.binary(max_size=32),
)
COMMANDS = st.builds(
    Command,
    st.just(0x84),
    st.sampled_from((0x24, 0x1E, 0x18)),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(min_size=8, max_size=255),
)
SCRIPTS = st.builds(
    CardScript, st.integers(0, 0xFFFF), st.integers(0, 0xFFF0), st.lists(COMMANDS, min_size=1, max_size=4).map(tuple)
)


@given(REQUESTS)
def test_requests(request: RedemptionRequest) -> None:
    assert RedemptionRequest.decode(request.encode()) == request
    assert RedemptionRequest.of({int(t): v for t, v in CDOL1.split(request.fill(CDOL1)).items()}) == request


@given(EVIDENCE)
def test_evidence(evidence: RedemptionEvidence) -> None:
    assert RedemptionEvidence.decode(evidence.encode()) == evidence


@given(SCRIPTS)
def test_scripts(script: CardScript) -> None:
    assert CardScript.decode(script.encode()) == script


@given(st.data())
def test_whatever_is_read_is_written_as_it_was(data: st.DataObject) -> None:
    """Bytes that are read are exactly those that would be written, and others raise a fault of the format alone."""
    genuine = data.draw(
        st.one_of(
            REQUESTS.map(RedemptionRequest.encode),
            EVIDENCE.map(RedemptionEvidence.encode),
            SCRIPTS.map(CardScript.encode),
        )
    )
    at = data.draw(st.integers(0, len(genuine)))
    changed = genuine[:at] + data.draw(st.binary(max_size=3)) + genuine[at + data.draw(st.integers(0, 3)) :]
    for kind in (RedemptionRequest, RedemptionEvidence, CardScript):
        try:
            value = kind.decode(changed)  # type: ignore[attr-defined]
        except CodecError:
            continue
        assert value.encode() == changed


def test_the_time_of_a_request_is_to_the_second() -> None:
    first = RedemptionRequest("0101", 1, 0, date(2026, 1, 1), time(23, 59, 59), "M", "T0000001", bytes(4))
    assert RedemptionRequest.decode(first.encode()).clock == time(23, 59, 59)
