"""The work of `membercard restore check`: evidence of what was done since a backup, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import typer

from membercard import output, settings
from membercard.errors import SettingsError
from membercard.language import sentence, text
from membercard.wiring import identity
from membercard.wiring.counter_lists import HOTLIST
from membercard.wiring.line import trust_of
from membercard.wiring.profile import profile_in_use
from membercard.wiring.seen_lists import FOLDER
from membercard.wiring.service import SIGNER, STORED_LISTS
from personalize.lists import public_key
from personalize.profiles.fields import NumberRange
from personalize.profiles.profile import Profile
from registry.db.marks import Marks
from registry.errors import RegistryUnfit
from registry.ranges import MEMBER_NUMBER
from registry.restore.evidence import orphans, serial_of
from registry.restore.restores import DossierPlace, Evidence, RestoreReport, SeenChip
from registry.store import Registry
from registry.values import HotlistEntry
from terminal.apdu import Disposition, Reader, open_reader, stack
from terminal.errors import CardMalformed, CodecError, IntegrityError, MembercardError
from terminal.globalplatform import AuthenticationGuard, SecurityDomain
from terminal.keys import KeyCustody, MemoryCustody
from terminal.member.hotlist import Hotlist
from terminal.member.outcome import MemberFacts
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from terminal.member.verdict import verify

_LOOK: Final = 0.2
"""Seconds between looks whether a card was taken out."""
_NOTED: Final = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class SeenSince:
    """What may show what was done since the backup: the audit's end as noted, records, hotlists, readers with cards and
    the seconds to wait for each card."""

    noted: str | None
    records: Sequence[Path]
    hotlists: Sequence[Path]
    readers: Sequence[str]
    wait: float


def compare(given: SeenSince, *, restored: bool, by: str | None, json: bool) -> None:
    """Compare the registry with what was seen since its backup, and print what was found. Raises typer.Exit where
    something is left to do by hand, BadParameter, SettingsError, RegistryUnfit."""
    end = _end(given.noted)
    keystore, profile = settings.open_keystore(), profile_in_use()
    with settings.open_registry(keystore) as registry:
        older = end is not None and not registry.restores.follows(*end)
        if not (registry.restores.pending() or restored or older):
            _nothing(json)
            return
        person = identity.actor_or_machine(registry, by)
        cards = list(_cards(given.readers, given.wait, trust_of(keystore, profile, settings.load().now()), profile))
        seen, listed = _records(registry, given.records), _newest_hotlist(keystore, given.hotlists)
        report = registry.restores.resolve(_evidence(registry, profile, seen, listed, cards), by=person)
        chain = registry.audit.verify()
    identity.note_unproven(person)
    if json:
        output.as_json({"restored": True, "noted_end_matches": None if end is None else not older, "report": report})
    else:
        _print(report, older)
        output.say(
            "end of the audit, to be noted elsewhere: {last_number}:{last_hash}",
            last_number=chain.last_number,
            last_hash=chain.last_hash,
        )
    if report.unknown or not chain.whole:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _CardAtHand:
    chip: SeenChip
    facts: MemberFacts


def _evidence(
    registry: Registry,
    profile: Profile,
    seen: Sequence[Marks],
    listed: Sequence[HotlistEntry],
    cards: Sequence[_CardAtHand],
) -> Evidence:
    present, counters = registry.restores.marks(), _highest(seen, cards, profile)
    later = [marks for marks in seen if not registry.restores.follows(marks.number, marks.hash)]
    return Evidence(
        counters=counters,
        claim=max((marks.claim for marks in seen), default=0),
        hotlist=(*listed, *_orphans(present, counters, listed, profile.card_number)),
        chips=tuple(card.chip for card in cards),
        # Without a record from after the backup, nobody knows whether lanes ran since.
        lines_ran=not later or any(marks.claim > present.claim for marks in later),
    )


def _end(noted: str | None) -> tuple[int, str] | None:
    if noted is None:
        return None
    if (parts := _NOTED.fullmatch(noted)) is None:
        raise typer.BadParameter("write the row's number, a colon and the 64 hex digits of its hash")
    return int(parts[1]), parts[2]


def _nothing(json: bool) -> None:
    if json:
        output.as_json({"restored": False, "report": None})
        return
    output.say("nothing shows that this registry was restored: it follows the record beside it")
    output.say("if the whole machine was restored, its record as well, run this again with --restored")


def _records(registry: Registry, others: Sequence[Path]) -> list[Marks]:
    """The record of this station and those that were named. Raises SettingsError, RegistryUnfit for a named one."""
    seen = []
    try:
        own = registry.restores.seen_here()
    except RegistryUnfit as fault:
        output.say("membercard: {fault}; it is left out", fault=fault, err=True)
    else:
        seen += [own] if own is not None else []
    for path in others:
        if not path.exists():
            raise SettingsError(f"there is no record {path}")
        seen += registry.restores.seen_in(path)
    return seen


def _highest(seen: Sequence[Marks], cards: Sequence[_CardAtHand], profile: Profile) -> dict[str, int]:
    """The highest number of each counter in any evidence."""
    highest: dict[str, int] = {}

    def used(name: str, value: int | None) -> None:
        if value is not None:
            highest[name] = max(value, highest.get(name, 0))

    for marks in seen:
        for name, value in marks.counters.items():
            used(name, value)
    numbers, scheme, prefix = profile.card_number, profile.scheme, profile.member_prefix
    for card in cards:
        facts = card.facts
        used(f"card/{numbers.prefix}", serial_of(facts.card_number, numbers.prefix, numbers.length, check_digit=True))
        used(f"member/{prefix}", serial_of(facts.member_number or "", prefix, MEMBER_NUMBER))
        used(f"unit/{scheme}", serial_of(facts.unit_code or "", f"{scheme}GH", 18))
    return highest


def _newest_hotlist(keystore: KeyCustody, named: Sequence[Path]) -> tuple[HotlistEntry, ...]:
    """Entries of the newest hotlist that this issuer signed. Raises SettingsError, IntegrityError, CodecError for one
    that was named."""
    directory = settings.load().data_dir
    own = [directory / STORED_LISTS / HOTLIST, directory / HOTLIST, *(directory / FOLDER).glob("hotlist-*.json")]
    hotlists = [_signed(keystore, path) for path in named]
    for path in own:
        try:
            hotlists.append(_signed(keystore, path))
        except MembercardError:
            continue  # no copy, or one of another issuer
    if not hotlists:
        return ()
    newest = max(hotlists, key=lambda hotlist: hotlist.issue.issued)
    return tuple(
        HotlistEntry(card.card_number, card.sequence, card.reason.value, datetime.combine(card.since, time(), UTC))
        for card in newest.cards.values()
    )


def _signed(keystore: KeyCustody, path: Path) -> Hotlist:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    for info in keystore.keys():
        if info.ref.name == SIGNER:
            try:
                return Hotlist.load(text, public_key(info))
            except IntegrityError:
                continue
    raise IntegrityError(f"{path} is not signed by this issuer")


def _orphans(
    present: Marks, counters: dict[str, int], listed: Sequence[HotlistEntry], numbers: NumberRange
) -> list[HotlistEntry]:
    """Cards whose numbers were given out since the backup: the registry does not know them."""
    name = f"card/{numbers.prefix}"
    serials = range(present.counters.get(name, 0) + 1, counters.get(name, 0) + 1)
    return orphans([numbers.number(serial) for serial in serials], listed, datetime.now(UTC))


def _cards(urls: Sequence[str], wait: float, trust: TrustList, profile: Profile) -> Iterator[_CardAtHand]:
    """Every genuine member card behind these readers; the others are named and left out."""
    for url in urls:
        virtual = url.startswith("sim:")
        folder = Path(url.removeprefix("sim:"))
        paths = sorted(folder.rglob("*.card")) if virtual and folder.is_dir() else []
        for single in [f"sim:{path}" for path in paths] or [url]:
            with closing(open_reader(single)) as reader:
                yield from _read_all(reader, 0.0 if virtual else wait, trust, profile)


def _read_all(reader: Reader, wait: float, trust: TrustList, profile: Profile) -> Iterator[_CardAtHand]:
    """The card in the reader, and the next ones while they come within ``wait`` seconds."""
    while reader.wait_for_card(wait):
        card = _read(reader, trust, profile)
        if card is not None:
            output.say(
                "read card …{card_number}-{sequence:02d}",
                card_number=card.chip.card_number[-6:],
                sequence=card.chip.sequence,
                err=True,
            )
            yield card
        if not _removed(reader, wait):
            return


def _removed(reader: Reader, wait: float) -> bool:
    """Whether the card was taken out within ``wait`` seconds."""
    until = monotonic() + wait
    while monotonic() < until:
        if not reader.wait_for_card(0):
            return True
        sleep(_LOOK)
    return False


def _read(reader: Reader, trust: TrustList, profile: Profile) -> _CardAtHand | None:
    now, aid = settings.load().now(), bytes.fromhex(profile.member.aid)
    try:
        transport = reader.connect()
        try:
            sender = stack(transport)
            verdict = verify(sender, trust=trust, hotlist=Hotlist.of((), Issue(1, now, now)), at=now, aid=aid)
            domain = SecurityDomain(sender, MemoryCustody(simulation=True), AuthenticationGuard())
            domain.select()
            serial = ""
            with suppress(CardMalformed):  # a chip that does not identify itself is a card all the same
                serial = domain.identify(profile.line.identity)
        finally:
            transport.close()
            reader.release(Disposition.KEEP)
    except (MembercardError, CodecError) as fault:
        typer.echo(f"{reader.name}: {sentence(str(fault))}", err=True)
        return None
    facts = verdict.member
    if facts is None:
        output.say("{name}: {code}, left out", name=reader.name, code=verdict.code.value, err=True)
        return None
    return _CardAtHand(SeenChip(facts.card_number, facts.sequence, serial), facts)


def _print(report: RestoreReport, older: bool) -> None:
    if older:
        output.say("the noted end of the audit is not in this registry: it is older, or went another way since")
    if rows := [(counter.name, counter.before, counter.after) for counter in report.moved]:
        output.show(output.table("Counters moved", ["numbers", "backup", "now"], rows, right=("backup", "now")))
    output.say(
        "{hotlisted} cards added to the hotlist; publish it: membercard lists publish", hotlisted=report.hotlisted
    )
    _print_dossiers("on chips at hand: feed them to a lane of their batch (membercard perso run)", report.bound)
    _print_dossiers("set aside, perhaps on other chips: make them again (membercard batch prepare)", report.set_aside)
    for chip in report.unknown:
        output.say(
            "card {card_number}-{sequence:02d} is not on record and now hotlisted: destroy it",
            card_number=chip.card_number,
            sequence=chip.sequence,
        )
    output.say(
        "{sessions} sessions and {tokens} tokens ended: sign in again, make tokens again",
        sessions=report.sessions,
        tokens=report.tokens,
    )
    output.say("import again what was imported since, count the blanks again (membercard stock show)")


def _print_dossiers(what: str, places: Sequence[DossierPlace]) -> None:
    by_batch: dict[str, int] = {}
    for place in places:
        by_batch[place.batch] = by_batch.get(place.batch, 0) + 1
    for batch, count in by_batch.items():
        output.say("batch {batch}: {count} dossiers {what}", batch=batch, count=count, what=text(what))
