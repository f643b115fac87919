"""Linting of a bank's cards, with the agreed profile and the scheme's CA keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.errors import PrepareError
from personalize.payment.image import Authorities
from personalize.payment.linter import BatchLinter
from personalize.profiles.profile import Profile
from terminal.emv.authentication.cakeys import CaStore
from terminal.errors import TlvError
from terminal.tlv import decode

Judge = Callable[[Dossier], Iterable[tuple[str, str]]]
"""Lints a dossier: returns pairs of place and sentence."""

_DGI: Final = re.compile(r"DGI ([0-9A-F]{4})")
_RECORD: Final = re.compile(r"record (\d+)\.(\d+)")
_NUMBER: Final = re.compile(r"\b[0-9A-F]{2,6}\b")


def linter_of(profile: Profile, known: CaStore) -> Judge:
    """The linter for the cards of one profile. Raises PrepareError for a profile without payment section."""
    payment = profile.payment
    if payment is None:
        raise PrepareError(
            f"the profile {profile.profile} has no payment section, which would say what the bank's cards are like: "
            "name the profile they were agreed by, with --profile"
        )
    rid, trust = bytes.fromhex(payment.trust.rid), payment.trust
    rsa, sm = known.rsa.get((rid, int(trust.ca_index, 16))), known.sm.get((rid, int(trust.sm_ca_index, 16)))
    authorities = Authorities(rsa.key if rsa else None, sm.key if sm else None)

    linter = BatchLinter(profile, authorities)

    def judge(dossier: Dossier) -> Iterator[tuple[str, str]]:
        for finding in linter.lint(dossier):
            yield _place(finding.message, dossier.payment), str(finding)

    return judge


def _place(message: str, application: DossierApplication | None) -> str:
    """The place of a finding: the application, and the data grouping where its sentence names it or an element of
    it."""
    if application is None:
        return "application"
    place = f"application {application.instance_aid.hex().upper()}"
    dgi = _grouping(message, application)
    return place if dgi is None else f"{place}, DGI {dgi:04X}"


def _grouping(message: str, application: DossierApplication) -> int | None:
    if named := _DGI.search(message):
        return int(named[1], 16)
    if named := _RECORD.search(message):
        return int(named[1]) << 8 | int(named[2])
    numbers = [int(text, 16) for text in _NUMBER.findall(message)]
    there = {part.number for part in application.parts}
    if known := [number for number in numbers if number in there]:
        return known[0]
    for number in numbers:
        for part in application.parts:
            if isinstance(part.value, bytes) and number in _tags(part.value):
                return part.number
    return None


def _tags(value: bytes) -> set[int]:
    try:
        return {int(item.tag) for item in decode(value).walk()}
    except TlvError:
        return set()
