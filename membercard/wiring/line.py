"""Wiring of a personalization line: key pools, trust list, batches of a station."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial

from membercard import settings
from membercard.wiring.faces import check_faces, face_renderer, refuse_unprintable_members
from personalize.keypool import KeyPool
from personalize.line.job import BodyMaking, Job
from personalize.lists import own_trust
from personalize.payment.bankfile_batch import refuse_remaking
from personalize.payment.proof import TransactionProof, authorities
from personalize.preparation.batch import prepare_batch, refuse_wrong_day
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from registry.store import Registry
from terminal.emv.authentication.cakeys import CaStore, load_ca_store
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import KeyCustody, MemoryCustody
from terminal.member.trust import TrustList

POOL_LEVEL = 32
"""Chip keys available while a line runs, for dossiers that have to be made again."""


def payment_authorities(custody: KeyCustody, profile: Profile) -> CaStore | None:
    """The payment scheme's CA keys: from the file in the data directory, as terminals have it, or the issuer's own.

    None for a profile without payment section. Raises CodecError, CustodyError.
    """
    if profile.payment is None:
        return None
    listed = settings.load().ca_keys
    return load_ca_store(listed) if listed.exists() else authorities(profile.payment, custody)


def open_pool(custody: MemoryCustody, profile: Profile) -> KeyPool:
    """The pool of chip keys in the data directory."""
    member = profile.member
    return KeyPool(
        settings.load().data_dir / "keypool", custody, bits=member.icc_key_bits, exponent=member.icc_exponent
    )


def open_payment_pool(custody: MemoryCustody, profile: Profile, members: KeyPool) -> KeyPool | None:
    """The pool of RSA keys for payment applications: the same as for member applications where size and exponent are
    equal; None for a profile that needs none."""
    member, payment = profile.member, profile.payment
    if payment is None or not (payment.rsa and payment.chip_key):
        return None
    rsa = payment.chip_rsa
    if (rsa.bits, rsa.exponent) == (member.icc_key_bits, member.icc_exponent):
        return members
    return KeyPool(settings.load().data_dir / "keypool", custody, bits=rsa.bits, exponent=rsa.exponent)


def trust_of(custody: MemoryCustody, profile: Profile, at: datetime) -> TrustList:
    """A trust list with the issuer's own scheme CA only, for the read-back."""
    # Valid since yesterday, so that a clock set back while the line runs does not fail every card.
    return own_trust(custody, profile.trust, at - timedelta(days=1))


def pool_levels(cards: int, pool: KeyPool, payment_pool: KeyPool | None) -> dict[KeyPool, int]:
    """How many keys each pool must hold for so many cards."""
    levels = {pool: cards}
    if payment_pool is not None:
        levels[payment_pool] = levels.get(payment_pool, 0) + cards
    return levels


class StationLine:
    """Prepares and runs the batches of a station, one after the other or at once, from any thread.

    It keeps the settings active at its creation; what depends on the day is created again for each batch.
    """

    def __init__(self, registry: Registry, profile: Profile, custody: MemoryCustody, station: str) -> None:
        self._registry, self._profile, self._custody, self._station = registry, profile, custody, station
        self._pool = open_pool(custody, profile)
        self._payment_pool = open_payment_pool(custody, profile, self._pool)
        self._settings = settings.load()
        self._authorities = payment_authorities(custody, profile)

    def prepare(self, batch_id: str, tick: Callable[[int], None] = lambda count: None, *, by: str) -> int:
        """Make every missing dossier; returns how many. ``tick`` is called with the size of each stored chunk, ``by``
        is the actor for the audit."""
        missing = self._registry.batches.batch(batch_id).to_prepare
        refuse_unprintable_members(self._registry, self._profile, batch_id, self._settings.today())
        for keys, level in pool_levels(missing, self._pool, self._payment_pool).items():
            keys.fill(level)
        return self._prepare(batch_id, tick, by)

    def remake(self, batch_id: str) -> int:
        """Make the dossiers that rejects left missing; returns how many. Raises DossierError for cards that a bank
        prepared."""
        refuse_remaking(self._registry, self._custody, batch_id)
        return self._prepare(batch_id, lambda count: None, self._station)

    def job(self, batch_id: str, body: BodyMaking | None = None) -> Job:
        """What all cards of a run of this batch share. ``body``: where stripe and face are made,
        as the settings have it where it is None. Raises DesignError."""
        profile, custody = self._profile, self._custody
        making = body or BodyMaking(self._settings.card_body)
        payment = profile.payment
        proof = TransactionProof(payment, custody, self._authorities) if payment else None
        trust = trust_of(custody, profile, self._settings.now())
        printed = making is BodyMaking.HERE and profile.face is not None
        return Job(
            self._registry,
            custody,
            profile,
            AuthenticationGuard(),
            trust,
            batch_id,
            self._station,
            self._settings.now,
            lease=timedelta(seconds=self._settings.lease_seconds),
            dossier_days=self._settings.dossier_days,
            payment_proof=proof,
            render=face_renderer(self._registry, profile) if making is BodyMaking.HERE else None,
            body=making,
            check_faces=partial(check_faces, self._registry, custody, profile, batch_id) if printed else None,
        )

    def pools_filled(self, lanes: int) -> AbstractContextManager[None]:
        """Keep chip keys available while lanes run, for dossiers that have to be made again."""
        return self._pool.refilled_to(min(POOL_LEVEL, max(4, lanes)))

    def _prepare(self, batch_id: str, tick: Callable[[int], None], by: str) -> int:
        now = self._settings.now()
        refuse_wrong_day(self._registry.batches.batch(batch_id), now, self._settings.dossier_days)
        preparer = Preparer(self._profile, self._custody, today=now.date())
        payment_pool = self._payment_pool
        return prepare_batch(
            self._registry, batch_id, preparer, self._pool, payment_pool=payment_pool, tick=tick, by=by
        )
