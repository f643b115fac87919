"""Booking of uploaded redemptions, against its bare cryptography and one insert, and by many counters at once.

The database is in memory where the system has room (PostgreSQL without fsync): what is measured is the program's work
and the server's, not a disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing import get_context

from sqlalchemy import func, insert, select
from stdnum import luhn

from benchmarks.table import Row
from programme.booking_rules import BookingRules
from programme.editions import ProgrammeEdition
from registry.admin.programmes import PublishedProgramme
from registry.db import tables
from registry.programme.judgement import Prove, ProvenUse, proven_use
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.work import Upload, UploadWork
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.keys import MemoryCustody
from terminal.member.redemption.evidence import RedemptionEvidence
from tests.support.cards.card_bench import fast_directory
from tests.support.programmes import programme_file
from tests.support.registry.postgres import private_cluster
from tests.support.registry.redeemed import CountingChip, Till, masters, prove_with
from tests.support.registry.registrar import custodian

ROUNDS, ROWS = 15, 100
COUNTERS, PROCESSES, CARDS = 1000, 2, 2000
RATIO_TARGET, SPEED_TARGET = 3.0, 500.0
AT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
BENEFIT = """
counted: card
class: "0101"
limits: [{count: 200, per: month}]
products: {visit: {name: {zh: 单次, en: visit}, price: {fixed: 5}}}
"""


def run() -> list[Row]:
    return [_ratio(), *_crowd()]


def _ratio() -> Row:
    """Processor time of booking an upload by the programme's rules, against that of proving each redemption and
    inserting its row."""
    keys = masters()
    prove = prove_with(keys)
    with fast_directory() as directory, Registry.open(f"sqlite:///{directory}/registry.db", custodian()) as registry:
        chips = _chips(registry, keys, 2 * ROWS)
        (outlet,) = _outlets(registry, 1)
        booked, bare = Till(), Till("f" * 32)
        bare.redeemed(*(chip.redeem() for chip in chips[ROWS:]))
        registry.booking.book(outlet, bare.upload(), prove, by="bench")  # the journal is on record from here on
        ratios, times = [], []
        rules = _rules(registry)
        for number in range(ROUNDS + 1):
            for chip in chips[:ROWS]:
                evidence = chip.redeem()
                intent = booked.request_row(evidence, benefit="benefit", product="visit", edition=1)
                booked.redeemed(evidence, intent=intent.number)
            book = partial(registry.booking.book, outlet, booked.upload(), prove, by="bench", rules=rules)
            ours = _seconds(book)
            taken = [chip.redeem() for chip in chips[ROWS:]]
            bare.redeemed(*taken)
            rows = _insertable(bare.upload(), outlet, taken, prove)
            theirs = _seconds(partial(_bare, registry, prove, list(zip(taken, rows, strict=True))))
            if number:  # the first round compiles the statements
                ratios.append(ours / theirs)
                times.append((ours / ROWS, theirs / ROWS))
    ratio = sorted(ratios)[ROUNDS // 2]
    ours, theirs = (sorted(column)[ROUNDS // 2] for column in zip(*times, strict=True))
    what = (
        f"booking a redemption of an upload of {ROWS} by the programme's rules, against its bare cryptography and one "
        "insert, processor time"
    )
    measured = f"{ours * 1e6:.0f} µs against {theirs * 1e6:.0f} µs"
    return Row(what, measured, ratio, "≤ 3", ratio <= RATIO_TARGET)


def _rules(registry: Registry) -> BookingRules:
    """Those of an edition with one monthly benefit: each round adds a use to the history of every member."""
    programme = programme_file(BENEFIT).programme

    def signed(version: int, _issued: datetime) -> bytes:
        edition = ProgrammeEdition.of(programme, version, AT - timedelta(days=30), 90)
        return edition.write(RsaPublic(1 << 1023 | 1, 65537), lambda _: bytes(128))

    published = PublishedProgramme("own", "110000", programme.digest, timedelta(days=90))
    editions = registry.programme_editions
    editions.publish(editions.propose(published, "", "own.yaml", by="bench").number, signed, by="second person")
    return BookingRules(editions, UTC).refreshed()


def _bare(registry: Registry, prove: Prove, taken: Sequence[tuple[RedemptionEvidence, dict[str, object]]]) -> None:
    with registry._context.write() as conn:
        for evidence, row in taken:
            assert prove(evidence)
            conn.execute(insert(tables.redemptions).values(row))


def _insertable(
    upload: Upload, outlet: int, taken: Sequence[RedemptionEvidence], prove: Prove
) -> list[dict[str, object]]:
    work = UploadWork(upload, outlet, AT)
    for row, _ in zip(upload.rows, taken, strict=True):
        use = proven_use(row, prove)
        assert isinstance(use, ProvenUse)
        work.book(row, use)
    return work.booked


def _crowd() -> Iterator[Row]:
    """All counters upload what they have. The workers are forked, so that they have the keys; each opens its own
    registry."""
    keys, custody = masters(), custodian()
    with private_cluster() as cluster:
        url = cluster.database()
        with Registry.open(url, custody) as registry:
            chips = _chips(registry, keys, CARDS)
            outlets = _outlets(registry, COUNTERS)
        _FORKED.extend(_uploads(chips, outlets))
        began = time.monotonic()
        book = partial(_book_all, url)
        with ProcessPoolExecutor(PROCESSES, get_context("fork"), _remember, (keys, custody)) as pool:
            booked = sum(pool.map(book, range(PROCESSES)))
        seconds = time.monotonic() - began
        _FORKED.clear()
        with Registry.open(url, custody) as registry, registry._context.read() as conn:
            stored = conn.execute(select(func.count()).select_from(tables.redemptions)).scalar_one()
            gaps = conn.execute(select(func.count()).where(tables.findings.c.closed_at.is_(None))).scalar_one()
    speed, lost, doubled = booked / seconds, COUNTERS * ROWS - stored, booked - stored
    what = f"{COUNTERS} counters uploading {ROWS} redemptions each to PostgreSQL, {PROCESSES} processes"
    yield Row(what, f"{speed:.0f} a second", speed / SPEED_TARGET, "≥ 500/s", speed >= SPEED_TARGET)
    figures = f"{lost} / {doubled} / {gaps}"
    yield Row(
        "of these lost / double / with a finding", figures, float(lost + doubled + gaps), "0", not lost | doubled | gaps
    )


_FORKED: list[tuple[int, Upload]] = []
"""Uploads with their outlets, for the workers."""
_KEYS: list[MemoryCustody] = []


def _remember(*custodians: MemoryCustody) -> None:
    """Called in a worker: custodians cannot be pickled, and a fork has them."""
    _KEYS[:] = custodians


def _book_all(url: str, worker: int) -> int:
    """Book the uploads of one worker; the number of redemptions that were new."""
    keys, custody = _KEYS
    prove = prove_with(keys)
    with Registry.open(url, custody) as registry:
        book = registry.booking.book
        return sum(book(outlet, upload, prove, by="bench").booked for outlet, upload in _FORKED[worker::PROCESSES])


def _uploads(chips: Sequence[CountingChip], outlets: Sequence[int]) -> Iterator[tuple[int, Upload]]:
    """An upload for each counter: each card is used once at a counter, and goes from one to the next."""
    for number, outlet in enumerate(outlets):
        till = Till(f"{number:032x}")
        first = number * ROWS % len(chips)
        terminal = f"T{number + 1:07d}"
        till.redeemed(*(chip.redeem(terminal=terminal) for chip in chips[first : first + ROWS]))
        yield outlet, till.upload()


def _outlets(registry: Registry, count: int) -> list[int]:
    """A merchant with this number of outlets, each with one terminal."""
    outlets = tuple(NewOutlet(f"gate {at}", "", (f"T{at:07d}",)) for at in range(1, count + 1))
    park = NewMerchant("PARK-EAST", "park", date(2026, 1, 1), date(2027, 12, 31), ("0101",), outlets)
    (merchant,) = registry.merchants.put(park, by="bench")
    return [outlet.id for outlet in merchant.outlets]


def _chips(registry: Registry, keys: MemoryCustody, count: int) -> list[CountingChip]:
    """Cards on record, put there at once, and their chips."""
    numbers = []
    for serial in range(1, count + 1):
        number = f"621226{serial:011d}"
        numbers.append(number + str(luhn.calc_check_digit(number)))
    sealed = {"sealed": b"x", "seal_key": "seal/1"}
    masked = {"id_masked": "", "name_masked": "", "mobile_masked": ""}
    indexes = dict.fromkeys(("name_index", "surname_index", "mobile_index"), b"x")
    imported = {"source": "", "digest": "d", "imported_by": "a", "imported_at": AT}
    members, dossiers, chips, cards = [], [], [], []
    for at, number in enumerate(numbers, 1):
        person = {"id": at, "unit_id": 1, "id_index": at.to_bytes(32, "big"), "category": 0, "registered_at": AT}
        members.append(person | masked | sealed | indexes)
        card = {"card_number": number, "sequence": 1, "member_id": at}
        profile = {"batch_id": "B", "profile_name": "p", "profile_digest": "d", "state": "verified", "token": at}
        dossiers.append(card | profile | {"id": at})
        fed = {"batch_id": "B", "from_stock": True, "fed_at": AT, "lane": "1", "state": "verified"}
        chips.append(fed | {"serial": f"{at:020d}", "dossier_id": at})
        verified = {"state": "active", "verified_at": AT, "seconds": 1.0, "result": "{}"}
        cards.append(card | verified | {"dossier_id": at, "chip_serial": f"{at:020d}"})
    with registry._context.write() as conn:
        conn.execute(insert(tables.units), [{"id": 1, "name": "unit"}])
        batch = {"id": "B", "unit_id": 1, "stage": "approved", "approved_by": "b", "approved_at": AT}
        conn.execute(insert(tables.batches), [batch | imported])
        for table, rows in ((tables.members, members), (tables.dossiers, dossiers)):
            conn.execute(insert(table), rows)
        for table, rows in ((tables.chips, chips), (tables.cards, cards)):
            conn.execute(insert(table), rows)
    return [CountingChip(keys, number) for number in numbers]


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    for row in run():
        print(row)
