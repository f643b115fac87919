"""A counter's verdict on the card in its reader. EMV 4.4 Book 2, 5-6; Book 3, 10.1-10.4; docs/card-layout.md.

The order of the checks: application, issuer, authenticity, hotlist, dates, activation, and last whether clock and
hotlist can be relied on. Dates and hotlist are checked only on a genuine card, so that a forged card never gets the
verdict "expired". Reading stops as soon as the verdict is certain, but for a blocked application. ``verify`` raises
nothing for faults of card or reader.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Final

from terminal.apdu import Sender
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication import rsa as oda
from terminal.emv.authentication.authorities import CaKey
from terminal.emv.authentication.rsa import OdaFailed, PublicKey, Signed
from terminal.emv.data.elements.element import Element
from terminal.emv.data.records import static_data
from terminal.emv.data.tags import TAG_9F1A_TERMINAL_COUNTRY, TAG_9F37_UNPREDICTABLE_NUMBER, TAG_82_AIP
from terminal.errors import CardError, CardMalformed, CardRefused, CodecError, TransportError
from terminal.member import elements
from terminal.member.elements import MEMBER_AID
from terminal.member.hotlist import Hotlist, HotlistReason
from terminal.member.lists import HotlistState, ListPolicy
from terminal.member.outcome import MemberFacts, Proof, Verdict, VerdictCode
from terminal.member.proven import ProvenCard
from terminal.member.reading import (
    CERTIFICATE_SFI,
    Aip,
    MemberCard,
    SelectedApplication,
    internal_authenticate,
    read_records,
    select,
    start,
)
from terminal.member.trust import TrustList
from terminal.tlv import Dol

DYNAMIC_HASH: Final = "dynamic data hash"
CHINA: Final = bytes.fromhex("0156")

_ABSENT: Final = frozenset((0x6A81, 0x6A82, 0x6D00, 0x6E00, 0x6999))
"""Status words to SELECT of cards without the application: EMV and JavaCard, memory and transit cards."""
_NOT_PERSONALIZED: Final = 0x6985
_EXECUTION_FAULT: Final = (0x64, 0x65, 0x66, 0x6F)
_POLICY: Final = ListPolicy()
_LISTED: Final[Mapping[HotlistReason, VerdictCode]] = {
    HotlistReason.LOST: VerdictCode.LOST,
    HotlistReason.STOLEN: VerdictCode.LOST,
    HotlistReason.DAMAGED: VerdictCode.REPLACED,
    HotlistReason.REPLACED: VerdictCode.REPLACED,
    HotlistReason.REJECTED: VerdictCode.REPLACED,
    HotlistReason.WITHDRAWN: VerdictCode.WITHDRAWN,
    HotlistReason.SUSPENDED: VerdictCode.SUSPENDED,
}


class _Decided(Exception):
    """The verdict is certain before everything was read."""

    def __init__(self, code: VerdictCode, sentence: str, check: str | None = None, proof: Proof = Proof.NONE) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.check = check
        self.proof = proof


def verify(
    sender: Sender,
    *,
    trust: TrustList,
    hotlist: Hotlist | None,
    at: datetime,
    policy: ListPolicy = _POLICY,
    unpredictable: bytes | None = None,
    aid: bytes = MEMBER_AID,
    country: bytes = CHINA,
) -> Verdict:
    """Read and verify the card behind ``sender``.

    ``trust`` names the scheme CA keys; ``hotlist`` None: none is available, and no card is ACTIVE. ``at`` is the time
    of the counter with its time zone: its date is the day of the validity checks. ``policy`` says how old a hotlist may
    be, and which time the clock has reached before. ``unpredictable`` is 4 fresh bytes (None: from the system).
    ``country`` is the numeric country code, 2 bytes. Raises ValueError for malformed arguments, and nothing for faults
    of card or reader.
    """
    number = secrets.token_bytes(4) if unpredictable is None else unpredictable
    if len(number) != 4 or len(country) != 2 or at.tzinfo is None:
        raise ValueError("an unpredictable number of 4 bytes, a country of 2 and a time with its zone are needed")
    terminal = {TAG_9F37_UNPREDICTABLE_NUMBER: number, TAG_9F1A_TERMINAL_COUNTRY: country}
    counter = _Counter(sender, trust, hotlist, at, policy, terminal)
    try:
        counter.judge(aid)
    except _Decided as decided:
        return counter.verdict(decided)
    except OdaFailed as failed:
        check = f"{failed.kind.label}: {failed.check}"
        return counter.verdict(_Decided(VerdictCode.NOT_GENUINE, f"The card is not genuine: {failed}.", check))
    except TransportError as fault:
        return counter.verdict(_Decided(VerdictCode.CARD_FAULT, f"The card could not be read to the end: {fault}."))
    except (CardError, CodecError) as fault:
        return counter.verdict(_Decided(VerdictCode.CARD_FAULT, f"The card does not answer as it should: {fault}."))
    return counter.verdict(
        _Decided(VerdictCode.ACTIVE, "The card is genuine and the membership is valid.", None, counter.proof)
    )


class _Counter:
    """One verification: what is known so far, and the steps in their order."""

    def __init__(
        self,
        sender: Sender,
        trust: TrustList,
        hotlist: Hotlist | None,
        at: datetime,
        policy: ListPolicy,
        terminal: Mapping[int, bytes],
    ) -> None:
        self.sender = sender
        self.trust = trust
        self.hotlist = hotlist
        self.at = at
        self.policy = policy
        self.today = at.date()
        self.terminal = terminal
        self.proof = Proof.NONE
        self.facts: MemberFacts | None = None
        self.card: ProvenCard | None = None

    def judge(self, aid: bytes) -> None:
        """Raises _Decided, OdaFailed, CardError, TransportError; returns when the card is good."""
        if not self.trust.current(self.at):
            issue = self.trust.issue
            period = f"it is from {issue.issued:%Y-%m-%d} to {issue.expires:%Y-%m-%d}"
            advice = "update it" if self.at > issue.expires else "check the clock"
            raise _Decided(
                VerdictCode.UNKNOWN_ISSUER,
                f"This counter's trust list is not in force ({period}); {advice}.",
                "trust list in force",
            )
        application = self._select(aid)
        if application.blocked:
            raise self._blocked(application)
        facts, keys = self._identify(application)
        self._refused(facts)
        self._dates(facts, keys)
        if not facts.activated:
            sentence = "The card is genuine and the membership is valid, but the member has not activated the card."
            raise _Decided(VerdictCode.NOT_ACTIVATED, sentence, "activated on", self.proof)
        self._doubts()

    def _select(self, aid: bytes) -> SelectedApplication:
        try:
            application = select(self.sender, aid)
        except CardRefused as refused:
            if refused.sw in _ABSENT:
                raise _not_ours(
                    "This card has no union member application: it is another card, or a blank one"
                ) from None
            if refused.sw == _NOT_PERSONALIZED:
                raise _not_ours("The chip of this card has not been personalized") from None
            raise
        return application

    def _blocked(self, application: SelectedApplication) -> _Decided:
        """The verdict on a blocked application. Its records are read where that goes: whoever unblocks it, or finishes
        a torn redemption, needs to know the card."""
        with suppress(CardError, CodecError, _Decided):
            self._identify(application)
        proof = Proof.NONE if self.facts is None else self.proof
        sentence = "The member application on this card is blocked."
        return _Decided(VerdictCode.SUSPENDED, sentence, "application blocked", proof)

    def _identify(self, application: SelectedApplication) -> tuple[MemberFacts, list[tuple[Signed, PublicKey]]]:
        """Read and authenticate the card: the facts, and the certificates for their dates."""
        if not self.trust.knows(application.rid):
            raise self._unknown_issuer(application.rid.hex().upper())
        card, authority = self._read(application)
        keys = self._prove(card, authority)
        self.facts = facts = MemberFacts.of(card)
        return facts, keys

    def _read(self, application: SelectedApplication) -> tuple[MemberCard, CaKey]:
        """Read the certificates first: other records only for a card of a trusted federation."""
        try:
            options = start(self.sender, application, self.terminal)
        except CardRefused as refused:
            if refused.sw == _NOT_PERSONALIZED:
                raise _not_ours("The chip of this card has not been personalized") from None
            raise
        places = list(options.afl.records())
        if not any(sfi == CERTIFICATE_SFI or signed for sfi, _, signed in places):
            raise CardMalformed("it shows no certificates over this interface; insert it into a contact reader")
        first = [place for place in places if place[0] == CERTIFICATE_SFI]
        records = read_records(self.sender, first)
        self._authority(MemberCard.of(application, options, records))
        records += read_records(self.sender, [place for place in places if place[0] != CERTIFICATE_SFI])
        order = {(sfi, number): at for at, (sfi, number, _) in enumerate(places)}
        records.sort(key=lambda record: order[record.sfi, record.number])
        card = MemberCard.of(application, options, records)
        authority = self._authority(card)
        if authority is None:
            raise OdaFailed(Signed.ISSUER, oda.Check.DATA, elements.CA_KEY_INDEX.name)
        return card, authority

    def _authority(self, card: MemberCard) -> CaKey | None:
        """The CA key named in the records read so far; None while there is none."""
        index = card.get(elements.CA_KEY_INDEX)
        if index is None:
            return None
        ca_key = self.trust.find(card.application.rid, index, self.today)
        if ca_key is None:
            raise self._unknown_issuer(f"{card.application.rid.hex().upper()}/{index:02X}")
        return ca_key

    def _unknown_issuer(self, key: str) -> _Decided:
        return _Decided(
            VerdictCode.UNKNOWN_ISSUER,
            f"No federation this counter trusts issued the card: its scheme key {key} is not in force on the "
            f"trust list (version {self.trust.issue.version}).",
            "scheme CA key on the trust list",
        )

    def _prove(self, card: MemberCard, authority: CaKey) -> list[tuple[Signed, PublicKey]]:
        """Authenticate the card; returns the certificates of the chain, for their dates. Raises OdaFailed, _Decided."""
        pan = card.need(elements.CARD_NUMBER)
        issuer = oda.issuer_key(
            authority.key,
            _signed_part(card, elements.ISSUER_CERTIFICATE, Signed.ISSUER),
            remainder=card.get(elements.ISSUER_REMAINDER) or b"",
            exponent=_signed_part(card, elements.ISSUER_EXPONENT, Signed.ISSUER),
            pan=pan,
        )
        keys = [(Signed.ISSUER, issuer)]
        if Aip.DDA in card.options.can:
            icc = oda.icc_key(
                issuer.key,
                _signed_part(card, elements.ICC_CERTIFICATE, Signed.ICC),
                remainder=card.get(elements.ICC_REMAINDER) or b"",
                exponent=_signed_part(card, elements.ICC_EXPONENT, Signed.ICC),
                pan=pan,
                static=_static(card, Signed.ICC),
            )
            self._prove_dynamic(card, icc.key)
            keys.append((Signed.ICC, icc))
        else:
            self._prove_static(card, issuer.key)
        return keys

    def _prove_static(self, card: MemberCard, issuer: RsaPublic) -> None:
        """Accept a static signature only from a card whose signed AIP has no dynamic method."""
        signature = _signed_part(card, elements.STATIC_SIGNATURE, Signed.STATIC)
        if card.get(elements.STATIC_TAG_LIST) != bytes((TAG_82_AIP,)):
            raise OdaFailed(Signed.STATIC, oda.Check.DATA, "the application interchange profile is not signed")
        oda.static_signature(issuer, signature, static=_static(card, Signed.STATIC))
        if card.unsigned:
            raise _not_proven("it has no dynamic signature, so nothing proves the records that change")
        self.proof = Proof.OFFLINE_STATIC

    def _prove_dynamic(self, card: MemberCard, key: RsaPublic) -> None:
        ddol = card.get(elements.DDOL) or Dol.of((TAG_9F37_UNPREDICTABLE_NUMBER, 4))
        if (TAG_9F37_UNPREDICTABLE_NUMBER, 4) not in ddol.entries:
            raise OdaFailed(Signed.DYNAMIC, oda.Check.DATA, "its data object list asks for no unpredictable number")
        data = ddol.fill(self.terminal, elements.FORMATS)
        try:
            signature = internal_authenticate(self.sender, data)
        except CardRefused as refused:
            if refused.sw.sw1 in _EXECUTION_FAULT:
                raise
            raise OdaFailed(Signed.DYNAMIC, oda.Check.DATA, f"card answered {refused.sw}") from None
        dynamic = oda.dynamic_signature(key, signature, terminal_data=data)
        if not dynamic.rest and card.unsigned:
            raise _not_proven("it does not sign the records that change (validity, entitlements)")
        if dynamic.rest and not hmac.compare_digest(dynamic.rest, hashlib.sha256(card.unsigned).digest()):
            raise _not_proven("a record was changed between the chip and this counter")
        self.proof = Proof.OFFLINE_DYNAMIC
        self.card = ProvenCard(card, key)

    def _refused(self, facts: MemberFacts) -> None:
        entry = self.hotlist.find(facts.card_number, facts.sequence) if self.hotlist is not None else None
        if entry is None:
            return
        sentence = f"The card is on the hotlist since {entry.since:%Y-%m-%d}: {entry.reason}."
        raise _Decided(_LISTED[entry.reason], sentence, "hotlist", self.proof)

    def _dates(self, facts: MemberFacts, keys: list[tuple[Signed, PublicKey]]) -> None:
        today = self.today
        if facts.effective is not None and today < facts.effective:
            raise self._out_of_time(
                VerdictCode.NOT_YET_VALID, "The card is valid only from", facts.effective, "effective date"
            )
        if today > facts.expires:
            raise self._out_of_time(
                VerdictCode.EXPIRED, "The card was valid through", facts.expires, "card expiry date"
            )
        if today > facts.valid_through:
            raise self._out_of_time(
                VerdictCode.EXPIRED, "The membership was valid through", facts.valid_through, "membership valid through"
            )
        for what, key in keys:
            if oda.expired(key, what, today) is not None:
                raise self._out_of_time(
                    VerdictCode.EXPIRED, f"The {what.label} was valid through", key.expires, f"{what.label}: expiry"
                )

    def _doubts(self) -> None:
        """A good card is no ACTIVE one where the clock or the hotlist cannot be relied on."""
        policy, hotlist = self.policy, self.hotlist
        if policy.clock_seen is not None and policy.clock_behind(self.at):
            before = policy.clock_seen.astimezone(self.at.tzinfo)
            sentence = f"The clock of this counter was at {_minute(before)} before and shows {_minute(self.at)} now: "
            sentence += "no date can be relied on."
            raise _Decided(VerdictCode.CLOCK_BEHIND, sentence, "clock", self.proof)
        state = policy.state(hotlist, self.at)
        if state is HotlistState.CURRENT:
            return
        if hotlist is None:
            sentence = "This counter has no hotlist: it does not know whether the card was reported lost."
            raise _Decided(VerdictCode.HOTLIST_MISSING, sentence, "hotlist in force", self.proof)
        version, issue = f"The hotlist (version {hotlist.version})", hotlist.issue
        if state is HotlistState.NOT_YET_VALID:
            sentence = f"{version} is issued for {_minute(issue.issued)}, which is to come: check the clock."
            raise _Decided(VerdictCode.HOTLIST_NOT_YET_VALID, sentence, "hotlist in force", self.proof)
        if state is HotlistState.EXPIRED:
            sentence = f"{version} was in force until {_minute(issue.expires)}; update it."
        else:
            sentence = f"{version} is {hotlist.age(self.at).days} days old, and {policy.oldest / timedelta(days=1):g} "
            sentence += "are allowed; update it."
        raise _Decided(VerdictCode.HOTLIST_OUT_OF_DATE, sentence, "hotlist in force", self.proof)

    def _out_of_time(self, code: VerdictCode, says: str, day: date, check: str) -> _Decided:
        return _Decided(code, f"{says} {day:%Y-%m-%d}.", check, self.proof)

    def verdict(self, decided: _Decided) -> Verdict:
        genuine = decided.proof is not Proof.NONE
        return Verdict(
            code=decided.code,
            sentence=decided.sentence,
            check=decided.check,
            proof=decided.proof,
            at=self.at,
            member=self.facts if genuine else None,
            entitlements=self.facts.entitlements_on(self.today) if genuine and self.facts is not None else (),
            trust_version=self.trust.issue.version,
            hotlist_version=None if self.hotlist is None else self.hotlist.version,
            hotlist_age=None if self.hotlist is None else self.hotlist.age(self.at),
            hotlist_state=self.policy.state(self.hotlist, self.at),
            card=self.card if genuine else None,
        )


def _signed_part(card: MemberCard, element: Element[bytes], what: Signed) -> bytes:
    value = card.get(element)
    if value is None:
        raise OdaFailed(what, oda.Check.DATA, f"no {element.name}")
    return value


def _static(card: MemberCard, what: Signed) -> bytes:
    try:
        return static_data(card.records, aip=card.options.aip, tag_list=card.get(elements.STATIC_TAG_LIST))
    except CodecError as error:
        raise OdaFailed(what, oda.Check.DATA, str(error)) from None


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


def _not_ours(sentence: str) -> _Decided:
    return _Decided(VerdictCode.NOT_A_MEMBER_CARD, f"{sentence}.")


def _not_proven(why: str) -> _Decided:
    return _Decided(VerdictCode.NOT_GENUINE, f"The card is not genuine: {why}.", DYNAMIC_HASH)
