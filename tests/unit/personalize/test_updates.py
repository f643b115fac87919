"""Values of wanted changes as they are stored."""

from __future__ import annotations

from datetime import date

import pytest

from personalize.updates import encoded
from registry.members.wanted import UpdateKind
from terminal.errors import CodecError
from terminal.member.values import Entitlement, Period

PARK = Entitlement("0101", 12, 0, Period.YEAR, date(2027, 1, 1))


def test_entitlements_of_one_class_are_refused_before_a_card_would_refuse_them() -> None:
    with pytest.raises(CodecError, match="a class comes twice"):
        encoded(UpdateKind.ENTITLEMENTS, (PARK, PARK._replace(limit=255)))
    other = PARK._replace(benefit_class="0102")
    assert encoded(UpdateKind.ENTITLEMENTS, (PARK, other)).hex() == "01010c000427010101020c0004270101"
