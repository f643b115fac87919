"""The programme in the office: files checked and handed in, editions that a second person publishes, their changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from programme.checking import ProgrammeCheck, check
from programme.editions import EDITION_DAYS, ProgrammeEdition
from programme.errors import ProgrammeFileError, ProgrammeUnfit
from programme.explained import explained
from programme.linter import PlacedFinding
from programme.programme import Programme, parse_programme
from programme.publishing import ProgrammeChanges, changes_against, propose, publish
from programme.wording import Sentence, Wording
from reader_service.errors import Conflict, Forbidden, Invalid, NotFound
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.programme.list_signer import ListSigner
from reader_service.services.uploads import safe_name
from registry.admin.programmes import (
    ProgrammeEditionFile,
    ProgrammeEditionLine,
    ProgrammeProposal,
    ProposalState,
)
from registry.db.paging import Page
from terminal.emv.transaction.yamlfile import MAX_BYTES
from terminal.errors import CodecError

MOST_DAYS: Final = 366
"""Days for which an edition may be used, at most."""


@dataclass(frozen=True, slots=True)
class BenefitInWords:
    """A benefit with its rules as a cashier reads them."""

    benefit: str
    name: Sentence
    rules: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class EditionInWords:
    """An edition with what it says. ``proposal`` is the one that it was published from, if it had one; ``newest``:
    counters are given this one."""

    edition: ProgrammeEditionLine
    newest: bool
    proposal: int | None
    name: Sentence
    valid_from: date
    valid_through: date
    benefits: tuple[BenefitInWords, ...]


@dataclass(frozen=True, slots=True)
class CheckedProgramme:
    """The result of an upload: where the file has findings, nothing was handed in. ``changes`` says what a sound file
    changes against the newest edition; ``proposal`` is what waits for a second person now."""

    programme: str
    digest: str
    findings: tuple[PlacedFinding, ...]
    changes: ProgrammeChanges | None = None
    proposal: ProgrammeProposal | None = None

    @property
    def sound(self) -> bool:
        return bool(self.digest) and not self.findings


class ProgrammeService:
    """Two people publish a programme: one hands a file in, the other confirms it in person."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry
        self._signer = ListSigner(parts.custody)
        self._zone = parts.zone
        self._turn = threading.Lock()

    def published(self, p: Principal) -> EditionInWords:
        """The newest edition. Raises NotFound before the first one, Conflict for one of another version of this
        program."""
        p.need(Permission.PROGRAMMES_VIEW)
        newest = self._newest()
        if newest is None:
            raise NotFound("no programme was published yet", reason="programme")
        return _in_words(newest, newest)

    def editions(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[ProgrammeEditionLine]:
        """All editions, newest first. Raises WrongCursor."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.programme_editions.page(cursor, limit)

    def edition(self, p: Principal, version: int) -> EditionInWords:
        """Raises NotFound, Conflict for one of another version of this program."""
        p.need(Permission.PROGRAMMES_VIEW)
        return _in_words(self._edition(version), self._newest())

    def signed(self, p: Principal, version: int) -> bytes:
        """An edition as counters read it. Raises NotFound."""
        p.need(Permission.PROGRAMMES_VIEW)
        return self._edition(version).signed

    def compare(self, p: Principal, version: int, against: int | None = None) -> ProgrammeChanges:
        """What an edition changes against another one, by itself the one before. Raises NotFound, Conflict where this
        version of the program cannot read it."""
        p.need(Permission.PROGRAMMES_VIEW)
        new = self._edition(version)
        with translate_registry_errors():
            editions = self._registry.programme_editions
            old = editions.before(version) if against is None else editions.edition(against)
        return changes_against(old, _programme(new))

    def check(self, p: Principal, filename: str, stream: Iterable[bytes]) -> CheckedProgramme:
        """What is wrong with a file, or what it would change; nothing is stored. Raises Invalid for its name."""
        p.need(Permission.PROGRAMMES_VIEW)
        return self._checked(self._read(filename, stream))

    def propose(
        self, p: Principal, filename: str, stream: Iterable[bytes], days: int = EDITION_DAYS
    ) -> CheckedProgramme:
        """Hand a file in for an edition of some days; nothing is stored where it has findings. Raises Invalid for its
        name or the days, Conflict where the same programme waits already."""
        p.need(Permission.LISTS_PUBLISH)
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(f"an edition is used for 1 to {MOST_DAYS} days", {"days": f"1 to {MOST_DAYS}"})
        read = self._read(filename, stream)
        checked = self._checked(read)
        if read.file is None or not checked.sound:
            return checked
        with translate_registry_errors():
            proposal = propose(self._registry, read.file, read.text, by=p.name, days=days)
        return replace(checked, proposal=proposal)

    def proposals(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, state: ProposalState | None = None
    ) -> Page[ProgrammeProposal]:
        """What was handed in, newest first. Raises WrongCursor."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.programme_editions.proposals(cursor, limit, state=state)

    def proposal(self, p: Principal, number: int) -> ProgrammeProposal:
        """Raises NotFound."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            return self._registry.programme_editions.proposal(number)

    def content(self, p: Principal, number: int) -> tuple[str, bytes]:
        """The file that was handed in, with its name. Raises NotFound."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            editions = self._registry.programme_editions
            return editions.proposal(number).source, editions.content(number).encode()

    def proposed_changes(self, p: Principal, number: int) -> ProgrammeChanges:
        """What a proposal changes against the newest edition, or, once it is published, against the one before it.
        Raises NotFound, Conflict for a file that this version of the program does not take."""
        p.need(Permission.PROGRAMMES_VIEW)
        with translate_registry_errors():
            editions = self._registry.programme_editions
            proposal, content = editions.proposal(number), editions.content(number)
            old = editions.newest() if proposal.version is None else editions.before(proposal.version)
        with _readable():
            programme = parse_programme(content, proposal.source).programme
        return changes_against(old, programme)

    def confirm(self, p: Principal, number: int, *, against: int | None = None) -> ProgrammeEditionLine:
        """Publish what another person handed in, in person. ``against`` is the newest edition when its changes were
        looked at, 0 for none: another one since then has other changes.

        Raises Forbidden for a token, NotFound, OwnWork, Conflict, CustodyError.
        """
        _in_person(p)
        key, sign = self._signer.key(), self._signer.sign
        with translate_registry_errors(), _readable():
            edition = publish(self._registry, number, key, sign, by=p.name, zone=self._zone, against=against)
        return _line(edition)

    def refuse(self, p: Principal, number: int, reason: str) -> ProgrammeProposal:
        """Refuse what another person handed in, in person. Raises Forbidden for a token, Invalid, NotFound, OwnWork,
        Conflict."""
        _in_person(p)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.programme_editions.refuse(number, by=p.name, reason=why)

    def cancel(self, p: Principal, number: int, reason: str) -> ProgrammeProposal:
        """Take back what waits. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.LISTS_PUBLISH)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.programme_editions.cancel(number, by=p.name, reason=why)

    def _newest(self) -> ProgrammeEditionFile | None:
        with translate_registry_errors():
            return self._registry.programme_editions.newest()

    def _edition(self, version: int) -> ProgrammeEditionFile:
        with translate_registry_errors():
            return self._registry.programme_editions.edition(version)

    def _read(self, filename: str, stream: Iterable[bytes]) -> ProgrammeCheck:
        """The upload, as far as a programme may be long, with its findings. One at a time: a long file takes a core."""
        name, content = safe_name(filename), bytearray()
        for piece in stream:
            content += piece
            if len(content) > MAX_BYTES:
                break
        with self._turn:
            return check(bytes(content), name)

    def _checked(self, read: ProgrammeCheck) -> CheckedProgramme:
        if read.file is None:
            return CheckedProgramme("", "", read.findings)
        programme = read.file.programme
        changes = changes_against(self._newest(), programme) if read.sound else None
        return CheckedProgramme(programme.programme, programme.digest, read.findings, changes)


def _in_person(p: Principal) -> None:
    """Raises Forbidden for whoever may not publish as the second person, and for a token."""
    p.need(Permission.PROGRAMMES_APPROVE)
    if p.token:
        raise Forbidden("a programme is published in person, not by a token", rule="in-person")


def _in_words(edition: ProgrammeEditionFile, newest: ProgrammeEditionFile | None) -> EditionInWords:
    programme = _programme(edition)
    benefits = tuple(
        BenefitInWords(offer.code, _sentence(offer.benefit.name), tuple(explained(offer)))
        for offer in programme.offers()
    )
    return EditionInWords(
        _line(edition),
        newest is not None and newest.version == edition.version,
        edition.proposal,
        _sentence(programme.name),
        programme.valid.first,
        programme.valid.last,
        benefits,
    )


def _sentence(text: Wording) -> Sentence:
    return Sentence(text.zh, text.en)


def _programme(edition: ProgrammeEditionFile) -> Programme:
    try:
        return ProgrammeEdition.on_record(edition.signed).programme
    except CodecError as error:
        sentence = f"edition {edition.version} cannot be read by this version of the program"
        raise Conflict(sentence, reason="programme-unreadable", version=edition.version) from error


def _line(edition: ProgrammeEditionFile) -> ProgrammeEditionLine:
    return ProgrammeEditionLine(
        edition.version,
        edition.at,
        edition.by,
        edition.programme,
        edition.division,
        edition.digest,
        edition.expires,
    )


@contextmanager
def _readable() -> Iterator[None]:
    """Translates faults of a file that an earlier version of this program took. Raises Conflict."""
    try:
        yield
    except (ProgrammeFileError, ProgrammeUnfit) as error:
        sentence = "this version of the program does not take the file any more; refuse it and have it checked"
        raise Conflict(sentence, reason="programme-unfit") from error
