"""Batch preparation: makes every missing dossier, in this process or on an Executor."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from personalize.certificates.chains import IssuingChains
from personalize.errors import LineStopped
from personalize.keypool import KeyPool
from personalize.payment.pan import assign, load_numbers
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from personalize.protocols import CardToPrepare
from personalize.reasons import RejectCode
from registry.db.context import UNNAMED_ACTOR
from registry.errors import NOT_WANTED, RegistryConflict
from registry.store import Registry
from registry.values import Batch, MemberToPrepare, NewDossier
from terminal.keys import MemoryCustody
from terminal.localtime import date_time
from terminal.secret import Secret

CHUNK = 50
"""Dossiers stored in one transaction, and so the most that an interruption can lose."""

AHEAD = 64
"""Chunks given to workers at once: enough for any machine. An interruption wastes at most the chip keys of these."""

CLOCK_SKEW = timedelta(minutes=10)
"""How far the clocks of two stations may differ."""

Numbers = tuple[MemberToPrepare, str, str]
"""A member, the card number, and the account number of the payment application (empty where there is none)."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker needs to prepare dossiers: profile, day, certificate chains and a snapshot of the keys.

    Picklable, for any Executor; the scheme CA key is not in it. The snapshot opens with a transport secret that is
    passed separately: in a file readable by its owner only, which each worker reaches under the same name.
    """

    profile: Profile
    today: date
    chain: IssuingChains
    snapshot: bytes = field(repr=False)
    transport: Path


@contextmanager
def worker_spec(preparer: Preparer, custody: MemoryCustody) -> Iterator[WorkerSpec]:
    """A spec that is valid while the block runs; then its transport secret is deleted. Raises OSError, KeyNotFound."""
    transport = Secret(secrets.token_bytes(32))
    with NamedTemporaryFile(prefix="membercard-") as file:  # mode 0600
        file.write(transport.reveal())
        file.flush()
        snapshot = custody.snapshot(transport, preparer.key_names)
        yield WorkerSpec(preparer.profile, preparer.today, preparer.chain, snapshot, Path(file.name))


@lru_cache(maxsize=1)
def _preparer(spec: WorkerSpec) -> Preparer:
    custody = MemoryCustody.from_snapshot(spec.snapshot, Secret(spec.transport.read_bytes()))
    return Preparer(spec.profile, custody, today=spec.today, chain=spec.chain)


def prepare_chunk(spec: WorkerSpec, tasks: Sequence[CardToPrepare]) -> list[NewDossier]:
    """Run by a worker: sealed dossiers of some members."""
    return [_preparer(spec).new_dossier(*task) for task in tasks]


def refuse_wrong_day(batch: Batch, now: datetime, dossier_days: int) -> None:
    """Compare the clock with the approval of the batch, before cards are dated by it. Raises LineStopped for a clock
    that is before the approval, or more than ``dossier_days`` after it."""
    approved = batch.approved_at
    if approved is None or approved - CLOCK_SKEW <= now <= approved + timedelta(days=dossier_days):
        return
    shown, at = (date_time(moment, now.tzinfo) for moment in (approved, now))
    sentence = f"batch {batch.id} was approved at {shown}, and this machine's clock says {at}"
    late = "" if now < approved else f", more than {dossier_days} days later (dossier_days)"
    raise LineStopped(f"{sentence}{late}: see that its clock is right", RejectCode.DATES, dated=shown, now=at)


def prepare_batch(
    registry: Registry,
    batch_id: str,
    preparer: Preparer,
    pool: KeyPool,
    *,
    payment_pool: KeyPool | None = None,
    executor: tuple[Executor, WorkerSpec] | None = None,
    tick: Callable[[int], None] = lambda count: None,
    by: str = UNNAMED_ACTOR,
) -> int:
    """Make and store every missing dossier of the batch; returns how many. ``payment_pool`` has RSA keys for payment
    applications, where the profile asks for them; ``by`` is the actor for the audit.

    After an interruption, a second call makes the rest. ``tick`` is called with the size of each stored chunk.
    Raises RegistryConflict where another station prepares the same batch and was first; ProfileError, PrepareError,
    CustodyError, KeyPoolError, RegistryError.
    """
    members = registry.dossiers.to_prepare(batch_id)
    chunks = _chunks(_numbered(registry, preparer.profile, members))
    tasks = (
        [
            CardToPrepare(member, card, pool.take(), pan, payment_pool.take() if payment_pool is not None else None)
            for member, card, pan in c
        ]
        for c in chunks
    )
    total = 0
    for dossiers in _prepared(preparer, tasks, executor):
        stored = _store(registry, batch_id, dossiers, by)
        total += stored
        tick(stored)
    return total


def _store(registry: Registry, batch_id: str, dossiers: Sequence[NewDossier], by: str) -> int:
    """Store a chunk of dossiers without those that another station stored meanwhile; returns how many."""
    try:
        registry.dossiers.add(batch_id, dossiers, by=by)
    except RegistryConflict as e:
        if e.reason != NOT_WANTED:
            raise
    else:
        return len(dossiers)
    wanted = registry.dossiers.member_ids_to_prepare(batch_id)
    left = [dossier for dossier in dossiers if dossier.member_id in wanted]
    if not left:
        sentence = f"another station is preparing batch {batch_id}; wait until it is done there"
        raise RegistryConflict(sentence, reason="prepared-elsewhere", batch=batch_id)
    registry.dossiers.add(batch_id, left, by=by)
    return len(left)


def _prepared(
    preparer: Preparer, tasks: Iterator[list[CardToPrepare]], executor: tuple[Executor, WorkerSpec] | None
) -> Iterator[list[NewDossier]]:
    if executor is None:
        for chunk in tasks:
            yield [preparer.new_dossier(*task) for task in chunk]
        return
    workers, spec = executor
    ahead: deque[Future[list[NewDossier]]] = deque()
    for chunk in tasks:
        ahead.append(workers.submit(prepare_chunk, spec, chunk))
        if len(ahead) == AHEAD:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _numbered(registry: Registry, profile: Profile, members: Sequence[MemberToPrepare]) -> Iterator[Numbers]:
    """Members with their card and account numbers: kept where they have some, else the next of the profile's ranges."""
    new = sum(member.card_number is None for member in members)
    serials = iter(registry.cards.allocate_serials(profile.card_number.prefix, new) if new else ())
    cards = [(member, member.card_number or profile.card_number.number(next(serials))) for member in members]
    pans = [""] * len(cards)
    if profile.payment:
        rule = profile.payment.pan
        pans = assign(registry, rule, cards, load_numbers(Path(rule.file), rule) if rule.file else None)
    for (member, card), pan in zip(cards, pans, strict=True):
        yield member, card, pan


def _chunks(items: Iterator[Numbers]) -> Iterator[list[Numbers]]:
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
