"""Data preparation: an approved member becomes a card dossier. Pure but for key custody.

What goes where is docs/card-layout.md; certificates are EMV 4.4 Book 2, chapters 5 and 6.
"""

from __future__ import annotations

from datetime import date

from personalize.applications import APPLICATIONS
from personalize.certificates.chains import IssuingChains, rsa_chain, sm_chain
from personalize.dossiers.dossier import Dossier
from personalize.encoding import years_after
from personalize.errors import PrepareError
from personalize.keypool import ChipKey
from personalize.payment.linter import BatchLinter
from personalize.preparation.printed import face_texts
from personalize.preparation.stripe import StripePreparer
from personalize.profiles.profile import Profile
from personalize.protocols import CardToPrepare, PreparationRun
from registry.values import MemberToPrepare, NewDossier
from terminal.keys import KeyCustody


def make_chains(profile: Profile, custody: KeyCustody, today: date) -> IssuingChains:
    """Every issuer key that the profile needs, certified by its CA. Raises CustodyError, PrepareError."""
    trust, payment = profile.trust, profile.payment
    member = rsa_chain(
        custody,
        trust.ca_key,
        trust.issuer_key,
        identifier=profile.card_number.prefix,
        expires=years_after(today, trust.certificate_years),
    )
    if payment is None or not payment.authenticates:
        return IssuingChains(member)
    own, prefix = payment.trust, payment.pan.prefix
    expires = years_after(today, own.certificate_years)
    rsa = rsa_chain(custody, own.ca_key, own.issuer_key, identifier=prefix, expires=expires) if payment.rsa else None
    sm = sm_chain(custody, own.sm_ca_key, own.sm_issuer_key, identifier=prefix, expires=expires) if payment.sm else None
    return IssuingChains(member, rsa, sm)


class Preparer:
    """Makes dossiers for one profile on one day. Thread-safe when ``custody`` is.

    Raises CustodyError when a key is missing, PrepareError when a member's data do not fit the card.
    """

    def __init__(
        self,
        profile: Profile,
        custody: KeyCustody,
        *,
        today: date,
        chain: IssuingChains | None = None,
    ) -> None:
        self.profile, self.today = profile, today
        self._custody = custody
        self._seal_key = custody.latest("seal")
        self.chain = chain or make_chains(profile, custody, today)
        run = PreparationRun(profile, custody, today, self.chain)
        prepared = (kind.preparer(run) for kind in APPLICATIONS)
        self._preparers = tuple(preparer for preparer in prepared if preparer is not None)
        self._stripe = StripePreparer(run)
        self._digest = profile.digest
        self._linter, self._linted = BatchLinter(profile), False

    @property
    def key_names(self) -> tuple[str, ...]:
        """Every key that making a dossier uses, for a worker's snapshot."""
        names = (name for preparer in self._preparers for name in preparer.key_names)
        return (*names, *self._stripe.key_names)

    def new_dossier(
        self, member: MemberToPrepare, card_number: str, key: ChipKey, pan: str = "", payment_key: ChipKey | None = None
    ) -> NewDossier:
        """The dossier as the registry stores it: sealed."""
        dossier = self.prepare(member, card_number, key, pan, payment_key)
        if dossier.payment is not None and not self._linted:
            self._refuse_unsound(dossier)
        sealed = self._custody.seal(self._seal_key, dossier.encode(), dossier.context)
        name = self.profile.profile
        return NewDossier(member.member_id, card_number, member.sequence, sealed, name, self._digest, pan)

    def prepare(
        self, member: MemberToPrepare, card_number: str, key: ChipKey, pan: str = "", payment_key: ChipKey | None = None
    ) -> Dossier:
        """One dossier, from the same values as ``CardToPrepare``."""
        card = CardToPrepare(member, card_number, key, pan, payment_key)
        applications = tuple(one for preparer in self._preparers for one in preparer.applications(card))
        face = face_texts(
            self.profile,
            self.today,
            name=member.person.name,
            unit=member.unit_name,
            member_number=member.member_number,
            card_number=card_number,
            pan=pan,
        )
        return Dossier(card_number, member.sequence, applications, self._stripe.tracks(card), face)

    def _refuse_unsound(self, dossier: Dossier) -> None:
        """Lint the first dossier: what all of them share is in it."""
        if findings := self._linter.lint(dossier):
            raise PrepareError("the payment application is unsound:\n" + "\n".join(map(str, findings)))
        self._linted = self._linter.settled
