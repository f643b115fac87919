"""Two services on one database make one batch of many cards, and one of them dies of kill -9 in the middle: no card
twice, none lost. What the dead one had in hand is fenced off, comes back with its chip, or is given up after its
lease."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from reader_service.principal import Role
from registry.db.tables import claims
from registry.errors import FenceLost
from registry.store import Registry
from registry.values import BoundChip, Claim
from simulators.virtual_card import VirtualCard
from terminal.keys.custody import Sealed
from tests.support import issuer
from tests.support.cards.card_bench import card_on, fast_directory
from tests.support.service.process import ApiClient, ServiceDirectory, ServiceProcess, running_service
from tests.support.thorough import repeats
from tests.support.waiting import eventually

CARDS = {"postgresql": repeats(60, 100), "sqlite": 60}
LANES, SPARE = 2, 4
LEASE = timedelta(minutes=10)
"""So long that it runs out when the test says so and not before."""
KILLED_AFTER = 3
"""Cards that the first station has made when it dies."""


@pytest.fixture(params=[pytest.param("postgresql", marks=pytest.mark.postgres), "sqlite"])
def home(request: pytest.FixtureRequest) -> Iterator[ServiceDirectory]:
    with fast_directory() as directory:
        if request.param == "postgresql":
            url = request.getfixturevalue("cluster").database()
        else:
            url = f"sqlite:///{directory / 'membercard.db'}"
        home = ServiceDirectory(directory, url, settings={"lease_seconds": LEASE.total_seconds()})
        for name in ("east", "west"):
            home.station(name)
        yield home


def stock(home: ServiceDirectory, name: str) -> Path:
    return home.directory / name


def batch_of(home: ServiceDirectory, cards: int) -> str:
    """A prepared batch, and blanks for both stations."""
    blanks = {"east": cards // 2, "west": cards + SPARE, "returned": 0}
    for name, count in blanks.items():
        home.blanks(count, stock(home, name))
    stock(home, "returned").mkdir(exist_ok=True)
    with home.registry() as registry:
        registry.stock.receive(sum(blanks.values()), "delivery 1", "clerk")
        return issuer.prepared(registry, cards, home.directory)


def readers(*stocks: Path) -> list[str]:
    return ["--no-pcsc", *(word for place in stocks for word in ("--reader", f"sim:{place}"))]


def run_lanes(client: ApiClient, batch: str) -> None:
    """On every reader of the station."""
    ids = [reader["id"] for reader in client.get("/readers")]
    client.post("/lanes", {"batch": batch, "readers": ids})


def lanes_ended(client: ApiClient) -> list[dict[str, Any]]:
    def all_ended() -> bool:
        return all(lane["state"] == "ended" for lane in client.get("/lanes"))

    assert eventually(all_ended, 0.05), f"the lanes do not end: {client.get('/lanes')}"
    lanes: list[dict[str, Any]] = client.get("/lanes")
    return lanes


def claim_of(home: ServiceDirectory, batch: str, chip: BoundChip) -> Claim:
    """What the dead station held: its claim, as it would come to the registry with it."""
    query = sqlalchemy.text(
        "SELECT d.id, d.member_id, d.token, c.lane, c.station, c.lease_until FROM dossiers d "
        "JOIN claims c ON c.token = d.token WHERE d.card_number = :number AND d.sequence = :sequence"
    )
    engine = sqlalchemy.create_engine(home.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        row = connection.execute(query, {"number": chip.card_number, "sequence": chip.sequence}).one()
    engine.dispose()
    return Claim(
        batch_id=batch,
        dossier_id=row.id,
        member_id=row.member_id,
        card_number=chip.card_number,
        sequence=chip.sequence,
        sealed=Sealed(issuer.custody().latest("seal"), b"", b""),
        profile_name="",
        profile_digest="",
        chip_serial=chip.chip_serial,
        lane=row.lane,
        station=row.station,
        token=row.token,
        lease_until=chip.lease_until,
        returning=False,
    )


def settle(home: ServiceDirectory) -> None:
    """Wait until the database server has done what the stations had sent before they stood still: it does not stand
    still with them."""
    if not home.url.startswith("postgresql"):
        return
    working = sqlalchemy.text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"
    )
    engine = sqlalchemy.create_engine(
        home.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for _ in range(3):  # a server that was not given the processor yet looks idle
            time.sleep(0.02)
            assert eventually(lambda: connection.execute(working).scalar_one() == 0)
    engine.dispose()


def killed_midway(
    home: ServiceDirectory, east: ServiceProcess, west: ServiceProcess, registry: Registry, batch: str
) -> list[BoundChip]:
    """Killed once it has made cards and has one in hand in every lane: those in hand. Both stations stand still while
    they are looked at, so that a slow look does not miss the batch."""

    def held() -> list[BoundChip]:
        for station in (west, east):
            station.process.send_signal(signal.SIGSTOP)
        settle(home)
        chips = [chip for chip in registry.line.bound_chips(batch) if chip.lane.endswith("/east")]
        if len(chips) == LANES and len(verified_in_east(home, registry, batch)) >= KILLED_AFTER:
            east.kill()
            west.process.send_signal(signal.SIGCONT)
            return chips
        for station in (west, east):
            station.process.send_signal(signal.SIGCONT)
        return []

    chips = eventually(held)
    assert chips, east.text()
    return chips


def verified_in_east(home: ServiceDirectory, registry: Registry, batch: str) -> list[str]:
    names = (f"chip-{card.chip_serial}.card" for card in registry.cards.of_batch(batch))
    return [name for name in names if any(stock(home, "east").rglob(name))]


def let_time_pass(registry: Registry, held: list[Claim]) -> None:
    """As if the leases of these claims had run out."""
    with registry._context.database.write() as conn:
        for claim in held:
            lease = {"lease_until": claim.lease_until - LEASE}
            conn.execute(claims.update().where(claims.c.token == claim.token).values(lease))


def carry_over(home: ServiceDirectory, chip: BoundChip) -> None:
    """Somebody takes the chip out of the dead station's reader and puts it into one of the other's."""
    name = f"chip-{chip.chip_serial}.card"
    (stock(home, "east") / name).rename(stock(home, "returned") / name)


def test_one_of_two_stations_is_killed(home: ServiceDirectory) -> None:
    cards = CARDS[home.url.partition(":")[0]]
    batch = batch_of(home, cards)
    token = home.token(Role.OPERATOR)
    with (
        running_service(home, *readers(*[stock(home, "east")] * LANES), name="east") as east,
        running_service(home, *readers(*[stock(home, "west")] * LANES, stock(home, "returned")), name="west") as west,
        east.client(token) as in_east,
        west.client(token) as in_west,
    ):
        run_lanes(in_east, batch)
        run_lanes(in_west, batch)
        with home.registry() as registry:
            held = killed_midway(home, east, west, registry, batch)
            old = [claim_of(home, batch, chip) for chip in held]
            lost, *carried = held
            refused = in_west.send("POST", f"/batches/{batch}/release", give_up(lost))
            assert refused.status_code == 409, "its lease still runs"

            assert not any(lane["fault"] for lane in lanes_ended(in_west))
            assert registry.batches.accounts(batch).claimed == len(held), (
                "all others are made, and these are nobody else's"
            )
            assert not any(chip.missing for chip in registry.line.bound_chips(batch))
            let_time_pass(registry, old)
            assert all(chip.missing for chip in registry.line.bound_chips(batch))
            for chip in carried:
                carry_over(home, chip)
            in_west.post(f"/batches/{batch}/release", give_up(lost))
            run_lanes(in_west, batch)
            assert not any(lane["fault"] for lane in lanes_ended(in_west))
            for claim in old:
                with pytest.raises(FenceLost):
                    registry.line.verified(claim, {"verdict": "ACTIVE"}, 1.0)
            check(home, registry, batch, cards, lost)
        shown = in_west.get(f"/batches/{batch}")
        assert (shown["batch"]["state"], shown["accounts"]["verified"]) == ("done", cards)
        assert west.stop() == 0


def give_up(chip: BoundChip) -> dict[str, str]:
    return {"chip_serial": chip.chip_serial, "reason": "fell behind the machine that died"}


def check(home: ServiceDirectory, registry: Registry, batch: str, count: int, lost: BoundChip) -> None:
    """As many cards as members, each on the chip that the registry names; both stations had their part."""
    accounts, cards = registry.batches.accounts(batch), registry.cards.of_batch(batch)
    assert accounts.balanced
    assert (accounts.verified, accounts.waiting, accounts.claimed, accounts.to_prepare) == (count, 0, 0, 0)
    assert registry.stock.accounts().balanced
    assert len(cards) == count
    assert len({card.member_id for card in cards}) == len({card.chip_serial for card in cards}) == count
    assert len({card.card_number for card in cards}) == count
    again = next(card for card in cards if card.card_number == lost.card_number)
    assert again.sequence == lost.sequence + 1, "the lost chip's member has a card, with other keys"
    assert again.chip_serial != lost.chip_serial
    assert [(reject.chip_serial, reject.card_number) for reject in registry.line.rejects(batch)] == [
        (lost.chip_serial, lost.card_number)
    ]
    assert lost.card_number in {entry.card_number for entry in registry.hotlist.entries()}
    places: Counter[str] = Counter()
    for card in cards:
        paths = home.directory.glob(f"*/**/chip-{card.chip_serial}.card")
        (file,) = [path for path in paths if path.parent.name != ".begun"]  # what a feeder has begun with
        assert card_on(VirtualCard.open(file)) == (card.card_number, card.sequence)
        places[file.relative_to(home.directory).parts[0]] += 1
    assert places["east"] >= KILLED_AFTER
    assert sum(places.values()) == count
