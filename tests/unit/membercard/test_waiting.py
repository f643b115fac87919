"""`membercard waiting` names everything that may wait for a second person."""

from __future__ import annotations

from membercard.commands.intake.waiting import KINDS
from reader_service.services.administration.signatures import SignatureKind


def test_each_kind_of_signature_has_its_words() -> None:
    assert set(KINDS) == {kind.value for kind in SignatureKind}
