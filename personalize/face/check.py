"""Every face of a batch against its design before a card is printed: glyphs, sizes, photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from typing import Final, NamedTuple

from personalize.dossiers.dossier import Dossier
from personalize.errors import FaceRefused
from personalize.face.findings import FaceFinding
from personalize.face.render import FaceRenderer
from personalize.preparation.printed import face_texts
from personalize.profiles.fields import luhn_digit
from personalize.profiles.profile import Profile
from registry.store import Registry
from terminal.keys import KeyCustody

MOST_LISTED: Final = 50
_CHUNK: Final = 500


class CheckedFace(NamedTuple):
    """One card or member and what is wrong with the face; ``subject`` names it by number."""

    subject: str
    findings: tuple[FaceFinding, ...]


def faces_to_prepare(
    registry: Registry, profile: Profile, renderer: FaceRenderer, batch_id: str, today: date
) -> Iterator[CheckedFace]:
    """The faces of members who need a dossier, with numbers as long as those that they will get. Raises
    RegistryError."""
    card_number = profile.card_number.number(0)
    pan = ""
    if profile.payment:
        body = profile.payment.pan.prefix + "0" * profile.payment.pan.serial_digits
        pan = body + luhn_digit(body)
    for member in registry.photos.members(batch_id):
        if not member.waits:
            continue
        texts = face_texts(
            profile,
            today,
            name=member.person.name,
            unit=member.unit_name,
            member_number=member.member_number,
            card_number=card_number,
            pan=pan,
        )
        findings = renderer.findings(texts, member.has_photo)
        yield CheckedFace(f"member {member.member_number}", tuple(findings))


def faces_waiting(
    registry: Registry, custody: KeyCustody, renderer: FaceRenderer, batch_id: str
) -> Iterator[CheckedFace]:
    """The faces of dossiers that no chip has yet. Raises RegistryError, DossierError, CustodyError."""
    photographed = {member.member_id for member in registry.photos.members(batch_id) if member.has_photo}
    numbers = iter(registry.dossiers.waiting_cards(batch_id))
    while chunk := list(islice(numbers, _CHUNK)):
        for stored in registry.dossiers.stored(batch_id, chunk):
            if stored.state != "waiting":
                continue
            dossier = Dossier.decode(custody.open(stored.sealed).reveal())
            findings = renderer.findings(dossier.face, stored.member_id in photographed) if dossier.face else ()
            yield CheckedFace(f"card {stored.card_number}", tuple(findings))


def refuse_faults(checked: Iterable[CheckedFace]) -> int:
    """How many faces were checked. Raises FaceRefused with the first faults, each with its card or member by number."""
    count, faults = 0, list[CheckedFace]()
    for one in checked:
        count += 1
        if one.findings:
            faults.append(one)
    if not faults:
        return count
    findings = [(one.subject, finding) for one in faults for finding in one.findings]
    lines = [f"{subject}: {finding}" for subject, finding in findings[:MOST_LISTED]]
    if len(findings) > MOST_LISTED:
        lines.append(f"and {len(findings) - MOST_LISTED:,} more findings; list them with: membercard face check")
    raise FaceRefused("\n".join(lines), [finding for _, finding in findings])
