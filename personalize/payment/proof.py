"""Proof by use: the kernel runs a transaction with the new card, and custody, as the issuer, checks the cryptogram.

The issuer declines, so that nothing is booked or logged; the card still must authenticate itself, go online with a
valid cryptogram, and accept the issuer's answer. EMV 4.4 Book 2, 8.1 and 8.2; Book 3, 10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hmac import compare_digest

from personalize.dossiers.dossier import Dossier
from personalize.errors import LineStopped, PrepareError, ReadBackError
from personalize.payment.image import inside
from personalize.payment.prepare import KEYS
from personalize.profiles.payment import PaymentApplication
from personalize.reasons import RejectCode
from terminal.apdu import Sender
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store
from terminal.emv.authentication.rsa import OdaFailed
from terminal.emv.data.bits import TVR
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_8F_CA_KEY_INDEX,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_70_RECORD,
    TAG_82_AIP,
    TAG_95_TVR,
)
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.config import TerminalConfig, shipped_config
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.transaction import Transaction
from terminal.keys import ApplicationKeys, KeyCustody, SealedKeys, Udks
from terminal.keys.schemes import SCHEMES, CryptogramScheme
from terminal.localtime import date_time

_AMOUNT = 100
_COVERED = (
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_95_TVR,
    TAG_5F2A_CURRENCY,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_82_AIP,
    TAG_9F36_ATC,
)
_COVERED_17 = (TAG_9F02_AMOUNT, TAG_9F37_UNPREDICTABLE_NUMBER, TAG_9F36_ATC)
_DECLINED = b"05"
_PBOC, _SM4_ALGORITHM = b"\x07", b"\x04"
_FAULTS = TVR.SDA_FAILED | TVR.ICC_DATA_MISSING | TVR.DDA_FAILED | TVR.CDA_FAILED | TVR.ISSUER_AUTHENTICATION_FAILED
_OF_THE_DAY = TVR.EXPIRED | TVR.NOT_YET_EFFECTIVE


@dataclass
class _Issuer:
    """The host of one transaction. ``sound``: a valid cryptogram arrived."""

    custody: KeyCustody
    profile: PaymentApplication
    dossier: Dossier
    sound: bool = False

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        data = request.data
        arqc, atc, own = data.get(TAG_9F26_AC, b""), data.get(TAG_9F36_ATC, b""), data.get(TAG_9F10_IAD, b"")
        sm = not self.profile.rsa or (self.profile.sm and own[:1] == _PBOC and own[7:8] == _SM4_ALGORITHM)
        keys, scheme = self._keys(sm), self._scheme(sm)
        covered = _COVERED_17 if self.profile.cryptogram == "cvn17" and not sm else _COVERED
        message = b"".join(data.get(tag, b"") for tag in covered) + self._own(own, sm)
        if not compare_digest(self.custody.cryptogram(keys, scheme, atc, message), arqc):
            return Unable("the cryptogram is wrong", sent=True)
        self.sound = True
        if self.profile.cryptogram in ("cvn18", "cvn22") and not sm:
            status = bytes(4)
            arpc = self.custody.arpc(keys, scheme, atc, arqc, status, 2)
            return OnlineResponse(_DECLINED, arpc + status)
        return OnlineResponse(_DECLINED, self.custody.arpc(keys, scheme, atc, arqc, _DECLINED, 1) + _DECLINED)

    def _keys(self, sm: bool) -> Udks:
        number = int(self.profile.keys.sm4_dgi, 16) if sm else KEYS
        for part in self.dossier.payment.parts if self.dossier.payment else ():
            if part.number == number and isinstance(part.value, ApplicationKeys | SealedKeys):
                return part.value
        raise PrepareError(f"the dossier has no payment keys in DGI {number:04X}")

    def _scheme(self, sm: bool) -> CryptogramScheme:
        return replace(SCHEMES["pboc-sm4"], fold=self.profile.sm4_fold) if sm else SCHEMES[self.profile.cryptogram]

    def _own(self, data: bytes, sm: bool) -> bytes:
        """The part of the issuer application data that the cryptogram covers: verification results, or all of it."""
        if sm or self.profile.cryptogram in ("pboc-des", "cvn10"):
            return data[3:7]
        return data[4:5] if self.profile.cryptogram == "cvn17" else data


class TransactionProof:
    """The proof for one profile and its keys: a ``PaymentProof``. ``known`` are the CA keys of a scheme of others.

    Raises CustodyError when a CA key of the profile is missing.
    """

    def __init__(
        self,
        profile: PaymentApplication,
        custody: KeyCustody,
        known: CaStore | None = None,
    ) -> None:
        self._profile, self._custody = profile, custody
        self._authorities = known or authorities(profile, custody)
        self._config = shipped_config()

    def __call__(self, sender: Sender, dossier: Dossier, at: datetime) -> str:
        """One transaction for each algorithm of the card. Raises ReadBackError with the failed step, LineStopped."""
        algorithms = {"rsa": (False,), "sm": (True,), "both": (False, True)}[self._profile.algorithms]
        for sm in algorithms:
            self._transaction(sender, dossier, at, sm)
        return "cryptogram checked by the issuer"

    def _transaction(self, sender: Sender, dossier: Dossier, at: datetime, sm: bool) -> None:
        self._refuse_missing_key(dossier, at, sm)
        issuer = _Issuer(self._custody, self._profile, dossier)
        paid = Transaction(_AMOUNT, at, force_online=True)
        config = self._terminal(dossier, sm)
        outcome = run_transaction(sender, config, paid, keys=self._authorities, host=issuer, pin_pad=False)
        if outcome.tvr & _OF_THE_DAY:
            now = date_time(at, at.tzinfo or UTC)
            sentence = f"a terminal of {now} finds the card not yet effective or expired"
            raise LineStopped(f"{sentence}: see that clock and time_zone are right", RejectCode.DATES)
        if not issuer.sound:
            reason = f"the issuer never saw a right one: {outcome.reason}"
            raise ReadBackError("the cryptogram", reason, RejectCode.READ_BACK_PAYMENT)
        faults = outcome.tvr & (_FAULTS | (TVR.ODA_NOT_PERFORMED if self._profile.authenticates else TVR(0)))
        if faults or outcome.result is not Result.DECLINED_ONLINE:
            reason = f"{outcome.result}, {outcome.reason} (TVR faults {faults!r})"
            raise ReadBackError("the transaction", reason, RejectCode.READ_BACK_PAYMENT)

    def _refuse_missing_key(self, dossier: Dossier, at: datetime, sm: bool) -> None:
        """Raises LineStopped where terminals of that day have no CA key for the card, whatever the chip does."""
        application = dossier.payment
        if application is None or not self._profile.authenticates:
            return
        rid, find = application.instance_aid[:5], self._authorities.sm_key if sm else self._authorities.rsa_key
        missing: OdaFailed | None = None
        for record in application.records().values():
            if index := inside(record, TAG_70_RECORD).get(TAG_8F_CA_KEY_INDEX):
                try:
                    find(rid, int.from_bytes(index, "big"), at.date())
                except OdaFailed as fault:  # a card with both algorithms names a key of each
                    missing = fault
                else:
                    return
        if missing is not None:
            raise LineStopped(f"{missing}: see ca-keys.yaml, the clock and time_zone", RejectCode.TRUST)

    def _terminal(self, dossier: Dossier, sm: bool) -> TerminalConfig:
        """The shipped terminal configuration for exactly this application, with or without SM."""
        known = self._config.applications[0]
        aid = dossier.payment.instance_aid.hex().upper() if dossier.payment else known.aid
        mine = known.model_copy(update={"aid": aid, "partial": False, "sm": sm, "version": self._profile.version})
        return self._config.model_copy(update={"applications": (mine,)})


def authorities(profile: PaymentApplication, custody: KeyCustody) -> CaStore:
    """The CA keys of the profile's scheme (payment.trust), RSA and SM2 as the profile needs them. Raises
    CustodyError."""
    trust, keys = profile.trust, list[CaKey | SmCaKey]()
    rid = bytes.fromhex(trust.rid)
    if profile.authenticates and profile.rsa:
        info = custody.info(custody.latest(trust.ca_key))
        if info.modulus is not None and info.exponent is not None:
            keys.append(CaKey(rid, int(trust.ca_index, 16), RsaPublic(info.modulus, info.exponent)))
    if profile.authenticates and profile.sm:
        point = custody.info(custody.latest(trust.sm_ca_key)).point
        if point is not None:
            keys.append(SmCaKey(rid, int(trust.sm_ca_index, 16), point))
    return ca_store(keys)
