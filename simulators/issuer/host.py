"""An issuing bank for developers and tests: verifies cryptograms, authorizes, responds with ARPC and scripts.

It derives card keys and session keys itself, from the specifications, and thereby also checks the custodian that
personalized the card. EMV 4.4 Book 2, chapter 8; Book 3, 10.8 to 10.11.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final

from simulators.cryptograms.algorithms import IssuerMasters, arpc, card_keys, cryptogram
from simulators.cryptograms.schemes import CVN10, CVN17, CVN18, CVN22, PBOC, PBOC_SM4, Cipher, IadFormat, IssuerScheme
from simulators.issuer.accounts import AccountStatus, BankAccount, BankAccounts
from simulators.issuer.pin import read_pin
from simulators.issuer.request import CryptogramKind, IssuerRequest
from simulators.issuer.scripts import IssuerScriptResult, ScriptContext, fitting
from terminal.errors import CodecError
from terminal.secret import Secret
from terminal.tlv import tlv

APPROVED: Final = "00"
VERSIONS: Final[Mapping[int, IssuerScheme]] = MappingProxyType(
    {0x01: PBOC, 0x0A: CVN10, 0x11: CVN17, 0x12: CVN18, 0x22: CVN22}
)
"""Schemes by cryptogram version of 9F10, unless the keys define others."""

_STATUS_CODES: Final = {
    AccountStatus.BLOCKED: "62",
    AccountStatus.LOST: "41",
    AccountStatus.STOLEN: "43",
    AccountStatus.CLOSED: "14",
}
_APPROVE_CSU: Final = 0x80


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """The bank's keys. ``versions`` gives the scheme of each cryptogram version; ``sm4_scheme`` is that of cards whose
    issuer application data state SM4."""

    masters: Mapping[Cipher, IssuerMasters] = field(repr=False)
    pin_tdes: Secret | None = None
    pin_aes: Secret | None = None
    versions: Mapping[int, IssuerScheme] = field(default_factory=lambda: VERSIONS)
    sm4_scheme: IssuerScheme = PBOC_SM4

    def scheme(self, data: IadFormat) -> IssuerScheme:
        """The scheme of a card. Raises CodecError for an unknown version and without keys for its cipher."""
        scheme = self.sm4_scheme if data.sm4 else self.versions.get(data.version)
        if scheme is None or scheme.cipher not in self.masters:
            raise CodecError(f"a cryptogram of version {data.version:02X}, for which this issuer has no keys")
        return scheme


@dataclass(frozen=True, slots=True)
class IssuerResponse:
    """The decision of the issuer: response code (ISO 8583:1987, field 39, two characters), reason in words, and data
    objects for the terminal: 8A, then 91 and 71 or 72 if any."""

    code: str
    reason: str
    data: bytes = field(repr=False)

    @property
    def approved(self) -> bool:
        return self.code == APPROVED


class _Decline(Exception):
    """A decline with its response code; an outcome, not a fault."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class IssuerHost:
    """The test bank. Thread-safe: decides one transaction at a time. ``today`` gives the bank's date."""

    def __init__(
        self,
        keys: IssuerKeys,
        accounts: BankAccounts | None = None,
        *,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self.keys = keys
        self.accounts = accounts or BankAccounts()
        self._today = today
        self._mutex = threading.Lock()

    def answer(self, data: bytes) -> IssuerResponse:
        """Authorize a request (9F27 states an ARQC), or record the end of a transaction (TC or AAC). Never raises: any
        bytes get a response."""
        with self._mutex:
            try:
                request = IssuerRequest.parse(data)
                scheme = self.keys.scheme(request.issuer_data)
                amount = request.amount
            except CodecError as fault:
                return _response("30", str(fault))
            try:
                account, context = self._authenticate(request, scheme)
                if request.kind is not CryptogramKind.ARQC:
                    return self._complete(request, account, amount)
                return self._authorize(request, account, context, amount)
            except _Decline as decline:
                return _response(decline.code, decline.reason)

    def _authenticate(self, request: IssuerRequest, scheme: IssuerScheme) -> tuple[BankAccount, ScriptContext]:
        """Verify the cryptogram; the account of the card. Nothing is opened, stored or disclosed before that."""
        account = self.accounts.find(request.pan, request.sequence)
        if account is None and not self.accounts.may_open(request.pan):
            raise _Decline("14", "no such card")
        keys = card_keys(self.keys.masters[scheme.cipher], scheme.cipher, request.pan, request.sequence)
        expected = cryptogram(scheme, keys, request.atc, request.covered(scheme))
        if not hmac.compare_digest(expected, request.cryptogram):
            raise _Decline("88", f"the {request.kind.name} is not of this card's key")
        if account is None:
            account = self.accounts.open_account(request.pan, request.sequence, date.max)
        return account, ScriptContext(scheme, keys, request.atc, request.cryptogram)

    def _authorize(
        self, request: IssuerRequest, account: BankAccount, context: ScriptContext, amount: int
    ) -> IssuerResponse:
        if request.counter <= account.highest_online or request.counter in account.ended:
            raise _Decline("94", "this transaction counter was used before, or a later one was")
        account.highest_online = request.counter
        try:
            self._allow(request, account, amount)
        except _Decline as decline:
            return self._respond(account, context, decline.code, decline.reason)
        account.balance -= amount
        account.holds[request.counter] = amount
        return self._respond(account, context, APPROVED, "approved")

    def _allow(self, request: IssuerRequest, account: BankAccount, amount: int) -> None:
        """Check account status, expiry, PIN, limit and balance. Raises _Decline."""
        if account.status in _STATUS_CODES:
            raise _Decline(_STATUS_CODES[account.status], f"the card is {account.status}")
        if account.expires < self._today():
            raise _Decline("54", "the card has expired")
        self._check_pin(request, account)
        if account.limit is not None and amount > account.limit:
            raise _Decline("61", "above the limit of one transaction")
        if amount > account.balance:
            raise _Decline("51", "not enough money")

    def _check_pin(self, request: IssuerRequest, account: BankAccount) -> None:
        if request.pin_block is None:
            if request.pin_entered:
                raise _Decline("30", "a PIN was entered, but its block (99) did not come")
            return
        if account.pin is None:
            raise _Decline("55", "this card has no PIN")
        if not account.pin_tries:
            raise _Decline("75", "no PIN tries are left")
        try:
            pin = read_pin(request.pin_block, account.pan, tdes=self.keys.pin_tdes, aes_key=self.keys.pin_aes)
        except CodecError as fault:
            # A block that does not decipher under the key costs the cardholder no try.
            raise _Decline("88", str(fault)) from None
        if pin != account.pin:
            account.pin_tries -= 1
            raise _Decline("55", "the PIN is wrong")
        account.pin_tries = account.pin_limit

    def _respond(self, account: BankAccount, context: ScriptContext, code: str, reason: str) -> IssuerResponse:
        """The response to a genuine card: issuer authentication data and pending scripts."""
        response = code.encode("ascii")
        if context.scheme.arpc == 2:
            # Card status update: PIN tries in the low nibble of byte 1. EMV 4.4 Book 3, annex C10.
            verdict = _APPROVE_CSU if code == APPROVED else 0
            response = bytes((account.pin_tries & 0x0F, verdict, 0, 0))
        authentication_data = arpc(context.scheme, context.keys, context.atc, context.cryptogram, response) + response
        return _response(code, reason, tlv(0x91, authentication_data).encode() + fitting(account.scripts, context))

    def _complete(self, request: IssuerRequest, account: BankAccount, amount: int) -> IssuerResponse:
        """A TC settles, an AAC releases the hold; each transaction counter ends once."""
        counter = request.counter
        if counter in account.ended:
            raise _Decline("94", "this transaction was over before")
        try:
            account.drop_completed(IssuerScriptResult.parse(request.script_results))
        except CodecError as fault:
            raise _Decline("30", str(fault)) from None
        account.ended.add(counter)
        hold = account.holds.pop(counter, None)
        if request.kind is CryptogramKind.AAC:
            account.balance += hold or 0
            return _response(APPROVED, "noted: declined" if hold is None else "noted: declined, the hold is given back")
        account.balance -= amount - (hold or 0)
        return _response(APPROVED, "settled, approved offline" if hold is None else "settled")


def _response(code: str, reason: str, data: bytes = b"") -> IssuerResponse:
    return IssuerResponse(code, reason, tlv(0x8A, code.encode("ascii")).encode() + data)
