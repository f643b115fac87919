"""Publishing a programme: handed in by one person, signed for counters as an edition of the registry by another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import PurePath

from programme.differences import BenefitChange, differences
from programme.editions import EDITION_DAYS, ProgrammeEdition
from programme.linter import refuse_unfit
from programme.programme import Programme, ProgrammeFile, parse_programme
from registry.admin.programmes import ProgrammeEditionFile, ProgrammeProposal, PublishedProgramme
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError
from terminal.member.signed import Sign


@dataclass(frozen=True, slots=True)
class ProgrammeChanges:
    """What a programme changes against edition ``before``, in words; None: there was none, and all is new. All is new,
    too, where this version of the program cannot read that edition (``unreadable``)."""

    before: int | None
    changes: tuple[BenefitChange, ...]
    unreadable: bool = False


def changes_against(old: ProgrammeEditionFile | None, new: Programme) -> ProgrammeChanges:
    """What a programme changes against an edition on record."""
    if old is None:
        return ProgrammeChanges(None, tuple(differences(None, new)))
    try:
        before = ProgrammeEdition.on_record(old.signed).programme
    except CodecError:
        return ProgrammeChanges(old.version, tuple(differences(None, new)), unreadable=True)
    return ProgrammeChanges(old.version, tuple(differences(before, new)))


def propose(
    registry: Registry, file: ProgrammeFile, content: str, *, by: str, days: int = EDITION_DAYS
) -> ProgrammeProposal:
    """Hand in a programme, whose text is ``content``, for an edition of some days. Of a path the file's name is stored.

    Raises ProgrammeUnfit where the linter has findings, RegistryError.
    """
    refuse_unfit(file)
    programme = file.programme
    division, life = programme.federation.division, timedelta(days=days)
    published = PublishedProgramme(programme.programme, division, programme.digest, life)
    return registry.programme_editions.propose(published, content, PurePath(file.name).name, by=by)


def publish(
    registry: Registry, number: int, key: RsaPublic, sign: Sign, *, by: str, zone: tzinfo, against: int | None = None
) -> ProgrammeEditionFile:
    """A second person signs what was handed in as a new edition, dated in ``zone``. ``against`` is the edition with
    which that person compared it, 0 for none; None where nobody compared.

    Raises ProgrammeUnfit where the linter of this version has findings, RegistryError, and what ``sign`` raises.
    """
    proposal = registry.programme_editions.proposal(number)
    file = parse_programme(registry.programme_editions.content(number), proposal.source)
    refuse_unfit(file)

    def signed(version: int, issued: datetime) -> bytes:
        edition = ProgrammeEdition.of(file.programme, version, issued.astimezone(zone), proposal.days)
        return edition.write(key, sign)

    return registry.programme_editions.publish(number, signed, by=by, against=against)
