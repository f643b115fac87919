"""The registry's door: one method for each use-case, one transaction for each method.

The work is done in the modules it delegates to, each about one idea; here it says where transactions begin and end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType

from registry.batches import accounts, approval, dossiers, originals, prepared, reviews, rosters
from registry.batches import batches as reports
from registry.batches import persons as search
from registry.batches.batches import Reports
from registry.batches.originals import Original
from registry.db import counters
from registry.db.context import RegistryContext
from registry.db.database import BUSY_SECONDS, Database
from registry.db.paging import Page
from registry.db.privacy import PersonalData
from registry.line import cards, claims, outcome, pans
from registry.line.journal import JournalWriter, write_with
from registry.members import members
from registry.migrations import migrate
from registry.office import Office
from registry.values import (
    UNCODED,
    AcceptedRow,
    Batch,
    BatchAccounts,
    Card,
    CardEvent,
    CardState,
    ChipKnown,
    Claim,
    Coded,
    HotlistEntry,
    JournalEntry,
    KnownMember,
    MemberToPrepare,
    NewDossier,
    NothingLeft,
    RejectedRow,
    RosterLine,
    StockAccounts,
    StoredDossier,
)
from terminal.keys.custody import KeyCustody

Clock = Callable[[], datetime]


SOMEBODY = "not told"
"""Who did it, where a caller does not say."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Registry(Office, Reports):
    """The system of record. Usable from many threads; each process opens its own.

    Every method may raise RegistryUnavailable; those that change something raise RegistryConflict where a rule stands
    against it, and NotOnRecord for names that are not on record. Times are aware and in UTC.
    """

    def __init__(self, database: Database, custody: KeyCustody, clock: Clock) -> None:
        self._db = database
        self._personal = PersonalData(custody)
        self._ground = RegistryContext(database, self._personal, clock)
        super().__init__(self._ground)
        self._journal = JournalWriter(database)
        self._clock = clock

    @classmethod
    def open(
        cls, url: str, custody: KeyCustody, *, clock: Clock = utc_now, busy_seconds: float = BUSY_SECONDS
    ) -> Registry:
        """Open (and make or bring up to date) the registry at ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.

        Raises RegistryUnavailable, RegistryUnfit (not a registry) or SchemaTooNew.
        """
        database = Database(url, busy_seconds=busy_seconds)
        try:
            migrate.to_head(database)
            search.fill_names(database, PersonalData(custody))
        except BaseException:
            database.close()
            raise
        return cls(database, custody, clock)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # --- rosters -----------------------------------------------------------------------------------------------------

    def known_members(self, id_numbers: Collection[str]) -> dict[str, KnownMember]:
        """Those of these persons who are on record, by ID number."""
        with self._db.read() as conn:
            return rosters.known_members(conn, self._personal, id_numbers)

    def import_roster(
        self,
        unit_name: str,
        accepted: Sequence[AcceptedRow],
        rejected: Sequence[RejectedRow],
        *,
        source: str,
        digest: str,
        by: str,
        original: Original | None = None,
    ) -> Batch:
        """A draft batch of one roster file; ``digest`` names its content, ``by`` the clerk. ``original`` is the file
        itself, kept sealed until the batch is given up or closed.

        Raises RegistryConflict when the same file is in a batch that still lives, or when a member of it has a card, is
        in another batch or belongs to another unit (which ``known_members`` tells beforehand).
        """
        origin = rosters.Origin(source, digest, by, self._clock())
        with self._db.write() as conn:
            batch_id = rosters.import_roster(conn, self._personal, unit_name, accepted, rejected, origin)
            if original is not None:
                originals.keep(conn, self._personal, batch_id, original)
            told = self._ground.tell
            told(conn, by, "roster.import", f"batch:{batch_id}", accepted=len(accepted), rejected=len(rejected))
            return reports.batch(conn, batch_id)

    def approve(self, batch_id: str, by: str, *, scheme: str = "130000", sent: bool = False) -> Batch:
        """A second person lets the batch through; units get their code, members their number.

        ``scheme``: administrative division of the issuing federation, six digits. Raises RegistryConflict for the
        person who imported it, a batch that is no draft, or with ``sent`` one that is not with the reviewers.
        """
        with self._db.write() as conn:
            approval.approve(conn, self._personal, batch_id, by, scheme, self._clock())
            if sent:
                reviews.refuse_unsent(conn, batch_id)
            self._ground.tell(conn, by, "batch.approve", f"batch:{batch_id}")
            return reports.batch(conn, batch_id)

    def discard(self, batch_id: str, by: str = SOMEBODY, *, reason: str = "") -> Batch:
        """Give up a draft: its rows and the members nothing else names are deleted, its file may be imported again."""
        with self._db.write() as conn:
            approval.discard(conn, batch_id)
            originals.forget(conn, batch_id)
            self._ground.tell(conn, by, "batch.discard", f"batch:{batch_id}", reason)
            given_up = reports.batch(conn, batch_id)
        self._db.forget_deleted()
        return given_up

    def roster(self, batch_id: str) -> list[RosterLine]:
        """The rows of a batch's roster, in sheet order, masked."""
        with self._db.read() as conn:
            return rosters.lines(conn, self._personal, batch_id)

    def roster_page(
        self, batch_id: str, cursor: str | None = None, limit: int = 50, *, only: str | None = None
    ) -> Page[RosterLine]:
        """The same in pages; ``only``: rejected, accepted, or noted (accepted and mended). Raises BadCursor."""
        with self._db.read() as conn:
            reports.batch(conn, batch_id)
            return rosters.lines_page(conn, self._personal, batch_id, cursor, limit, only)

    # --- preparation -------------------------------------------------------------------------------------------------

    def to_prepare(self, batch_id: str) -> list[MemberToPrepare]:
        """Members of an approved batch who have no dossier, or whose last one was remade (then the next sequence)."""
        with self._db.read() as conn:
            return dossiers.to_prepare(conn, self._personal, batch_id)

    def wanting(self, batch_id: str) -> set[int]:
        """The ids of those members."""
        with self._db.read() as conn:
            return set(conn.execute(dossiers.wanting(batch_id)).scalars())

    def allocate_card_serials(self, prefix: str, count: int) -> range:
        """``count`` serial numbers under ``prefix`` that nobody else gets, counted from 1; unused ones are lost."""
        with self._db.write() as conn:
            return counters.allocate(conn, f"card/{prefix}", count)

    def add_dossiers(self, batch_id: str, new: Sequence[NewDossier], *, by: str = SOMEBODY) -> None:
        """Dossiers of members that ``to_prepare`` named: all of them, or none where one contradicts the record."""
        with self._db.write() as conn:
            dossiers.add_dossiers(conn, self._personal, batch_id, new)
            self._ground.tell(conn, by, "batch.prepare", f"batch:{batch_id}", dossiers=len(new))

    def stored_dossiers(self, batch_id: str, card_numbers: Sequence[str] | None = None) -> list[StoredDossier]:
        """The dossiers of a batch, sealed; none once it is closed. All of them, or those of up to 500 cards."""
        with self._db.read() as conn:
            return prepared.stored(conn, batch_id, card_numbers)

    def waiting_cards(self, batch_id: str) -> list[str]:
        """The card numbers of the dossiers of a batch that no chip has yet."""
        with self._db.read() as conn:
            return prepared.waiting(conn, batch_id)

    def replace_dossiers(self, batch_id: str, new: Iterable[NewDossier], *, by: str = SOMEBODY) -> None:
        """Other contents for dossiers that wait, by card number and sequence: all of them, or none. ``new`` is read
        inside the transaction, some hundreds at a time: it should not be slow.

        Raises NotOnRecord, RegistryConflict for one that does not wait any more or whose PAN is another card's.
        """
        with self._db.write() as conn:
            count = prepared.replace(conn, self._personal, batch_id, new)
            self._ground.tell(conn, by, "dossier.replace", f"batch:{batch_id}", dossiers=count)

    def pans_of(self, card_numbers: Sequence[str]) -> dict[str, str]:
        """The payment account numbers that go with these member cards, by card number; those that have one."""
        with self._db.read() as conn:
            return pans.of_cards(conn, self._personal, card_numbers)

    def pans_taken(self, numbers: Sequence[str]) -> set[str]:
        """Those of these account numbers that belong to a card already."""
        with self._db.read() as conn:
            return pans.taken(conn, self._personal, numbers)

    def allocate_pan_serials(self, prefix: str, count: int) -> range:
        """``count`` serials of account numbers under ``prefix`` that nobody else gets, counted from 1."""
        with self._db.write() as conn:
            return counters.allocate(conn, f"pan/{prefix}", count)

    # --- the line ----------------------------------------------------------------------------------------------------

    def claim(
        self, batch_id: str, lane: str, station: str, chip_serial: str, lease: timedelta
    ) -> Claim | NothingLeft | ChipKnown:
        """The dossier for the chip in this lane's reader, bound to it for ever.

        An unknown chip gets the next waiting dossier; a chip that was here before gets its own again, whoever held it.
        """
        with self._db.write() as conn:
            place = claims.LanePlace(lane, station)
            return claims.claim(conn, batch_id, place, chip_serial, self._clock(), lease)

    def journal(self, claim: Claim, *entries: JournalEntry) -> None:
        """These lines, on disk when this returns, or none of them. Raises FenceLost."""
        self._journal.write(claim, self._clock(), entries)

    def verified(self, claim: Claim, result: dict[str, object], seconds: float, *entries: JournalEntry) -> Card:
        """The chip was read back and proven: the card begins to live. ``result`` must hold no personal data;
        ``entries`` are the journal's last lines of this claim.

        Said again for the same chip it changes nothing. Raises FenceLost; RegistryConflict where the member has a
        living card.
        """
        with self._db.write() as conn:
            now = self._clock()
            write_with(conn, claim, now, entries)
            if outcome.verified(conn, claim, result, seconds, now):
                self._ground.tell(conn, _place(claim), "card.verified", f"card:{claim.card_number}-{claim.sequence}")
            return cards.card(conn, claim.card_number, claim.sequence)

    def reject(self, claim: Claim, reason: str, step: str, bin: str, *, coded: Coded = UNCODED) -> None:
        """The chip failed: refused for ever, its card hotlisted, the dossier to be made again. Raises FenceLost."""
        with self._db.write() as conn:
            if outcome.reject(conn, claim, outcome.ChipFault(reason, step, bin, claim.lane, coded), self._clock()):
                card = f"{claim.card_number}-{claim.sequence}"
                self._ground.tell(conn, _place(claim), "chip.reject", f"chip:{claim.chip_serial}", reason, card=card)

    def reject_chip(
        self,
        batch_id: str,
        chip_serial: str,
        reason: str,
        step: str,
        bin: str,
        lane: str,
        *,
        from_stock: bool = True,
        coded: Coded = UNCODED,
    ) -> str:
        """Refuse a chip no claim was made for; gives the serial it is recorded under.

        An empty serial (a dead chip) gets a generated one. ``from_stock=False`` for a card that was never ours. A chip
        rejected before stays as it is; one bound to a dossier takes the dossier with it, as ``reject`` does.
        """
        fault = outcome.ChipFault(reason, step, bin, lane, coded)
        with self._db.write() as conn:
            serial = outcome.reject_chip(conn, batch_id, chip_serial, fault, from_stock, self._clock())
            self._ground.tell(conn, lane, "chip.reject", f"chip:{serial}", reason, batch=batch_id)
            return serial

    def release_missing(self, batch_id: str, chip_serial: str, by: str, *, reason: str = "chip lost") -> None:
        """The operator says that a bound chip will not come back: as ``reject``.

        Raises RegistryConflict while its lease still runs.
        """
        with self._db.write() as conn:
            outcome.release_missing(conn, batch_id, chip_serial, by, reason, self._clock())
            self._ground.tell(conn, by, "chip.missing", f"chip:{chip_serial}", reason, batch=batch_id)

    # --- accounts ----------------------------------------------------------------------------------------------------

    def accounts(self, batch_id: str) -> BatchAccounts:
        with self._db.read() as conn:
            return accounts.accounts(conn, batch_id, self._clock())

    def receive_stock(self, count: int, supplier_batch: str, by: str) -> StockAccounts:
        """Book ``count`` blank chips that a supplier delivered."""
        with self._db.write() as conn:
            accounts.receive_stock(conn, count, supplier_batch, by, self._clock())
            self._ground.tell(conn, by, "stock.receive", f"delivery:{supplier_batch}", count=count)
            return accounts.stock(conn)

    def stock(self) -> StockAccounts:
        with self._db.read() as conn:
            return accounts.stock(conn)

    def close_batch(self, batch_id: str, by: str, second: str) -> Batch:
        """Sign a finished, balanced batch by two people and destroy its dossier secrets."""
        with self._db.write() as conn:
            accounts.close_batch(conn, batch_id, by, second, self._clock())
            originals.forget(conn, batch_id)
            self._ground.tell(conn, by, "batch.close", f"batch:{batch_id}", second=second)
            closed = reports.batch(conn, batch_id)
        self._db.forget_deleted()
        return closed

    # --- cards -------------------------------------------------------------------------------------------------------

    def card(self, card_number: str) -> Card:
        """The card of that number with the highest sequence."""
        with self._db.read() as conn:
            return cards.card(conn, card_number)

    def cards_of_batch(self, batch_id: str) -> list[Card]:
        with self._db.read() as conn:
            return cards.cards_of_batch(conn, batch_id)

    def card_event(
        self,
        card_number: str,
        event: CardState | str,
        by: str,
        reason: str,
        *,
        place: str = "",
        only_from: CardState | None = None,
    ) -> Card:
        """Move a card on in its life, ``only_from`` one of the states that would allow it; those lost, damaged,
        withdrawn or suspended are on the hotlist from then on."""
        with self._db.write() as conn:
            doing = cards.CardChange(by, place, reason, self._clock())
            return members.move_card(conn, self._ground, card_number, CardState(event), doing, only_from)

    def events(self, card_number: str) -> list[CardEvent]:
        """What happened to the cards of that number, oldest first."""
        with self._db.read() as conn:
            return cards.events(conn, card_number)

    def hotlist_entries(self) -> list[HotlistEntry]:
        """Every card number and sequence that no counter may accept, by number."""
        with self._db.read() as conn:
            return cards.hotlist_entries(conn)


def _place(claim: Claim) -> str:
    return f"{claim.station}, {claim.lane}"
