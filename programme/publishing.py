"""Publishing a programme: an edition of the registry, signed for counters."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from programme.editions import EDITION_DAYS, ProgrammeEdition
from programme.linter import refuse_unfit
from programme.programme import ProgrammeFile
from registry.admin.programmes import ProgrammeEditionFile, PublishedProgramme
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.member.signed import Sign


def publish(
    registry: Registry,
    file: ProgrammeFile,
    key: RsaPublic,
    sign: Sign,
    *,
    by: str,
    zone: tzinfo,
    days: int = EDITION_DAYS,
) -> ProgrammeEditionFile:
    """Sign a programme as a new edition for some days, dated in ``zone``.

    Raises ProgrammeUnfit where the linter has findings, RegistryError, and what ``sign`` raises.
    """
    refuse_unfit(file)
    programme = file.programme
    division, life = programme.federation.division, timedelta(days=days)

    def signed(version: int, issued: datetime) -> bytes:
        return ProgrammeEdition.of(programme, version, issued.astimezone(zone), days).write(key, sign)

    published = PublishedProgramme(programme.programme, division, programme.digest, life)
    return registry.programme_editions.publish(published, signed, by=by)
