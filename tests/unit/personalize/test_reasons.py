"""Reasons as codes: every fault that the line may meet has one, and what a text may name goes with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from personalize.errors import ChipUnfit, LineStopped, PersonalizeError, ReadBackError
from personalize.machines.faults import REMEDIES, MachineFault, MachineFaultCode
from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from registry.errors import FenceLost, RegistryError, RegistryUnavailable
from registry.line.outcome import MISSING
from terminal.apdu import StatusWord
from terminal.errors import (
    AuthenticationRefused,
    CardError,
    CardGone,
    CardRefused,
    CodecError,
    CustodyError,
    IntegrityError,
    MembercardError,
    NoCard,
    SecureChannelError,
    TransportError,
)

FAMILIES = (
    *(TransportError, CardError, SecureChannelError, CodecError, IntegrityError),
    *(RegistryError, CustodyError, PersonalizeError),
)


VALUES = {"code": RejectCode.LOCKED, "params": {}, "reason": "rule", "sw": StatusWord(0x6985), "faults": ()}
"""What faults of these families carry, together."""


def heirs(kind: type[Exception]) -> Iterator[type[Exception]]:
    if kind.__module__.startswith(("terminal.", "registry.", "personalize.")):
        yield kind
    for heir in kind.__subclasses__():
        yield from heirs(heir)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_fault_that_the_line_may_meet_has_a_code_of_its_own(family: type[Exception]) -> None:
    codes = {}
    for kind in heirs(family):
        fault = kind.__new__(kind)  # whatever it is made from: its kind counts
        for name, value in VALUES.items():
            setattr(fault, name, value)
        codes[kind.__name__] = reason_for(fault).code
    assert all(code in set(RejectCode) for code in codes.values()), codes
    assert RejectCode.INTERNAL not in codes.values()


def test_a_reason_says_more_than_the_code_where_there_is_more() -> None:
    refused = reason_for(CardRefused("selecting", StatusWord(0x6A82)))
    assert (refused.code, refused.params) == ("refused", {"sw": "6A82"})
    keys = reason_for(AuthenticationRefused("authenticating", StatusWord(0x6300), "stock keys"))
    assert (keys.code, keys.params) == ("keys-refused", {"sw": "6300"})
    read = reason_for(ReadBackError("the FCI", "it differs"))
    assert (read.code, read.params, read.sentence) == (
        "read-back",
        {"field": "FCI"},
        "read-back of the FCI: it differs",
    )
    locked = reason_for(ChipUnfit("terminated", RejectCode.LOCKED, state="7F"))
    assert (locked.code, locked.params) == ("locked", {"state": "7F"})


def test_every_fault_of_a_machine_is_a_reason_that_names_the_machine() -> None:
    for code in MachineFaultCode:
        reason = reason_for(MachineFault("printer 2", code))
        assert (RejectCode(reason.code), reason.params) == (code.value, {"machine": "printer 2"})
        assert REMEDIES[code] in reason.sentence


def test_kinds_differ() -> None:
    assert reason_for(NoCard("none")).code == "mute"
    assert reason_for(CardGone("gone")).code == "taken-out"
    assert reason_for(FenceLost("old")).code == "taken-over"
    assert reason_for(RegistryUnavailable("away")).code == "record-away"
    assert reason_for(LineStopped("5 failures")).code == "too-many"
    assert reason_for(PermissionError(13, "no")).code == "machine"
    assert reason_for(MembercardError("new")).code == "internal"
    assert (bool(NOTHING), bool(Reason("said"))) == (False, True)
    assert MISSING == RejectCode.MISSING
