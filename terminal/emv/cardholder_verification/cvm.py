"""Cardholder verification: the rules of the card's CVM list, applied in order until one succeeds or ends the list.

EMV 4.4 Book 3, 10.5; Book 4, 6.3.4. The card verifies an offline PIN itself, in clear or enciphered: Book 3, 10.5.1;
Book 2, 7. No PIN is held longer than it takes to send it. PIN blocks are in ``terminal.crypto.pinblock``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from terminal.apdu import Command, Sender
from terminal.crypto.pinblock import format2
from terminal.crypto.rsa import RsaPublic, public
from terminal.emv.authentication.chains import Chain
from terminal.emv.authentication.rsa import OdaFailed
from terminal.emv.data.bits import AIP, TSI, TVR, TerminalCapabilities
from terminal.emv.data.cvm_list import CvmCode, CvmCondition, CvmList, CvmResult, CvmResults, CvmRule, method_text
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F2A_CURRENCY,
    TAG_8E_CVM_LIST,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F17_PIN_TRY_COUNTER,
    TAG_9F33_TERMINAL_CAPABILITIES,
    TAG_9F34_CVM_RESULTS,
    TAG_9F35_TERMINAL_TYPE,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_82_AIP,
)
from terminal.emv.selection.application import card_number
from terminal.emv.transaction.exchange import FAULTY_ICC, get_data, transmit
from terminal.emv.transaction.protocols import Cardholder, Pin
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import NO_TVR, KernelStage
from terminal.errors import CodecError, CryptoError

OnlinePin = Callable[[Pin, str], bytes]
"""Enciphers a PIN for the issuer: PIN and card number to the PIN block of the online request."""
Random = Callable[[int], bytes]
"""Returns the given number of random bytes."""

_STAGE: Final = KernelStage.CARDHOLDER
_SOURCE: Final = "EMV 4.4 Book 3, 10.5"
_OFFLINE: Final = "EMV 4.4 Book 3, 10.5.1"
_ONLINE: Final = "EMV 4.4 Book 3, 10.5.2"
_CASH, _CASHBACK = (0x01, 0x17), 0x09
_PLAIN_PIN, _ENCIPHERED_PIN = 0x80, 0x88
"""P2 of VERIFY. EMV 4.4 Book 3, 6.5.12, table 24."""
_CHALLENGE = 8
_BLOCKED = (0x6983, 0x6984)
_HEADER: Final = b"\x7f"
"""First byte of the data that a PIN is enciphered in. EMV 4.4 Book 2, 7.2, table 25."""

_NEEDS: Final[dict[CvmCode, TerminalCapabilities]] = {
    CvmCode.PLAINTEXT_PIN: TerminalCapabilities.PLAINTEXT_PIN,
    CvmCode.ONLINE_PIN: TerminalCapabilities.ONLINE_PIN,
    CvmCode.PLAINTEXT_PIN_AND_SIGNATURE: TerminalCapabilities.PLAINTEXT_PIN | TerminalCapabilities.SIGNATURE,
    CvmCode.ENCIPHERED_PIN: TerminalCapabilities.ENCIPHERED_PIN,
    CvmCode.ENCIPHERED_PIN_AND_SIGNATURE: TerminalCapabilities.ENCIPHERED_PIN | TerminalCapabilities.SIGNATURE,
    CvmCode.SIGNATURE: TerminalCapabilities.SIGNATURE,
    CvmCode.NO_CVM: TerminalCapabilities.NO_CVM,
}
"""The methods that this kernel recognises, with the terminal capabilities that each needs. Biometrics and the identity
document of JR/T 0025 are not among them: they count as unrecognised."""
_OFFLINE_PIN: Final = frozenset(_NEEDS) - {CvmCode.SIGNATURE, CvmCode.NO_CVM, CvmCode.ONLINE_PIN}
_ANY_OFFLINE_PIN: Final = (TerminalCapabilities.PLAINTEXT_PIN, TerminalCapabilities.ENCIPHERED_PIN)
_ENCIPHERED: Final = (CvmCode.ENCIPHERED_PIN, CvmCode.ENCIPHERED_PIN_AND_SIGNATURE)
_SIGNED: Final = (
    CvmCode.PLAINTEXT_PIN_AND_SIGNATURE,
    CvmCode.ENCIPHERED_PIN_AND_SIGNATURE,
    CvmCode.SIGNATURE,
)


@dataclass(frozen=True, slots=True)
class CardholderVerification:
    """How the cardholder was verified. ``results`` is 9F34, 3 bytes; ``signature``: the receipt needs one;
    ``pin_block`` goes online to the issuer."""

    results: bytes
    signature: bool = False
    pin_block: bytes | None = field(default=None, repr=False)


def verify_cardholder(
    state: TransactionState,
    sender: Sender,
    chain: Chain,
    cardholder: Cardholder | None,
    *,
    online_pin: OnlinePin | None = None,
    pin_pad: bool = True,
    random: Random = secrets.token_bytes,
) -> CardholderVerification:
    """Apply the card's CVM list. The results also go into ``state.terminal`` (9F34).

    ``chain`` gives the key for an enciphered PIN; ``cardholder`` None or ``pin_pad`` False: no working
    PIN pad; ``random`` pads an enciphered PIN. Raises Stop for a CVM list out of form and for an unexpected
    answer to VERIFY, and TransportError. EMV 4.4 Book 3, 10.5.
    """
    pad = cardholder if pin_pad else None
    verification = _Verifier(state, pad, online_pin, OfflinePin(state, sender, chain, pad, random)).run()
    state.terminal[TAG_9F34_CVM_RESULTS] = verification.results
    return verification


class _Verifier:
    """One pass through the list."""

    def __init__(
        self, state: TransactionState, pad: Cardholder | None, online_pin: OnlinePin | None, offline: OfflinePin
    ) -> None:
        self._state = state
        self._pad = pad
        self._online_pin = online_pin
        self._offline = offline
        self._pin_block: bytes | None = None
        self._capable = state.terminal.get(TAG_9F33_TERMINAL_CAPABILITIES, b"")
        ability = state.terminal.get(TAG_9F35_TERMINAL_TYPE, b"\x00")[0] & 0x0F
        self._attended, self._offline_only = ability <= 3, ability in (3, 6)
        """By the terminal type. EMV 4.4 Book 4, Annex A1."""

    def run(self) -> CardholderVerification:
        cvm_list = self._list()
        if cvm_list is None:
            return CardholderVerification(_results(None, CvmResult.UNKNOWN))
        performed: CvmRule | None = None
        for number, rule in enumerate(cvm_list.rules, 1):
            if not self._applies(rule, cvm_list):
                self._note(f"rule {number} ({rule}): its condition is not met")
                continue
            outcome = self._apply(rule, number)
            if outcome is not None:
                performed = rule
            if outcome in (CvmResult.SUCCESSFUL, CvmResult.UNKNOWN):
                return self._succeeded(rule, outcome)
            if not rule.apply_next or rule.method is CvmCode.FAIL:
                break
        text = "no rule of the list verified the cardholder"
        self._state.note(_STAGE, text, _SOURCE, tvr=TVR.CVM_NOT_SUCCESSFUL, tsi=TSI.CVM_PERFORMED)
        return CardholderVerification(_results(performed, CvmResult.FAILED))

    def _list(self) -> CvmList | None:
        """The card's list; None where cardholder verification does not take place."""
        if not AIP.CARDHOLDER_VERIFICATION.set_in(self._state.card.get(TAG_82_AIP, b"")):
            self._note("the card does not ask for cardholder verification (AIP)")
            return None
        raw = self._state.card.get(TAG_8E_CVM_LIST)
        try:
            cvm_list = CvmList.decode(raw) if raw is not None else None
        except CodecError as fault:
            self._state.stop(_STAGE, f"the CVM list is out of form: {fault}", FAULTY_ICC)
        if cvm_list is None or not cvm_list.rules:
            text = "the card asks for cardholder verification and has no CVM list, or one without rules"
            self._state.note(_STAGE, text, _SOURCE, tvr=TVR.ICC_DATA_MISSING)
            return None
        return cvm_list

    def _applies(self, rule: CvmRule, cvm_list: CvmList) -> bool:
        """Whether the rule's condition is met; a reserved condition, or one whose data are missing, is not met."""
        match rule.condition:
            case CvmCondition.ALWAYS:
                return True
            case CvmCondition.TERMINAL_SUPPORTS:
                return rule.method is not None and self._supports(rule.method)
            case CvmCondition.UNDER_X | CvmCondition.OVER_X:
                return self._compares(cvm_list.x, under=rule.condition is CvmCondition.UNDER_X)
            case CvmCondition.UNDER_Y | CvmCondition.OVER_Y:
                return self._compares(cvm_list.y, under=rule.condition is CvmCondition.UNDER_Y)
        kind = int.from_bytes(self._state.terminal.get(TAG_9C_TRANSACTION_TYPE, b"\x00"), "big")
        attended = self._attended
        match rule.condition:
            case CvmCondition.UNATTENDED_CASH:
                return kind in _CASH and not attended
            case CvmCondition.MANUAL_CASH:
                return kind in _CASH and attended
            case CvmCondition.CASHBACK:
                return self._cashback(kind)
            case CvmCondition.NOT_CASH_OR_CASHBACK:
                return kind not in _CASH and not self._cashback(kind)
        return False

    def _cashback(self, kind: int) -> bool:
        """A purchase that gives out cash, by its type or its second amount (9F03), as in processing restrictions."""
        return kind == _CASHBACK or (kind not in _CASH and any(self._state.terminal.get(TAG_9F03_AMOUNT_OTHER, b"")))

    def _compares(self, limit: int, *, under: bool) -> bool:
        """The amount against X or Y, which count in the application currency only. An equal amount is neither."""
        currency, raw = self._state.card.get(TAG_9F42_APPLICATION_CURRENCY), self._state.terminal.get(TAG_9F02_AMOUNT)
        if raw is None or currency is None or currency != self._state.terminal.get(TAG_5F2A_CURRENCY):
            return False
        amount = int(raw.hex())
        return amount < limit if under else amount > limit

    def _supports(self, method: CvmCode) -> bool:
        """Whether the terminal supports the method; "fail" needs no support. Whatever 9F33 says, nobody compares a
        signature where nobody attends, and no issuer verifies a PIN for a terminal that is offline only."""
        if (method in _SIGNED and not self._attended) or (method is CvmCode.ONLINE_PIN and self._offline_only):
            return False
        needs = _NEEDS.get(method)
        return method is CvmCode.FAIL or (needs is not None and needs.set_in(self._capable))

    def _apply(self, rule: CvmRule, number: int) -> CvmResult | None:
        """The result of one rule; None when its method was not carried out."""
        method = rule.method
        if method is CvmCode.FAIL:
            self._note(f"rule {number} ({rule}): the list says to fail")
            return CvmResult.FAILED
        if method is None or method not in _NEEDS:
            text = f"rule {number} ({rule}): {method_text(rule.code)} is not known to this terminal"
            self._note(text, tvr=TVR.CVM_UNRECOGNISED)
            return None
        if not self._supports(method):
            # One form of offline PIN counts as a PIN pad for the other. EMV 4.4 Book 3, 10.5, step 1.
            any_offline = any([form.set_in(self._capable) for form in _ANY_OFFLINE_PIN])
            no_pad = method is CvmCode.ONLINE_PIN or (method in _OFFLINE_PIN and not any_offline)
            missing = TVR.PIN_PAD_NOT_WORKING if no_pad else NO_TVR
            self._note(f"rule {number} ({rule}): the terminal does not support it", tvr=missing)
            return None
        if method is CvmCode.NO_CVM:
            return CvmResult.SUCCESSFUL
        if method is CvmCode.SIGNATURE:
            return CvmResult.UNKNOWN
        if method is CvmCode.ONLINE_PIN:
            return CvmResult.UNKNOWN if self._ask_online() else CvmResult.FAILED
        if not self._offline.verify(enciphered=method in _ENCIPHERED):
            return CvmResult.FAILED
        return CvmResult.UNKNOWN if method in _SIGNED else CvmResult.SUCCESSFUL

    def _ask_online(self) -> bool:
        """Have the PIN entered for the issuer. EMV 4.4 Book 3, 10.5.2."""
        if self._offline.bypassed:
            self._state.note(_STAGE, "no PIN: its entry was bypassed before", _ONLINE)
            return False
        number = card_number(self._state.card.get(TAG_5A_PAN, b""))
        if self._pad is None or self._online_pin is None or number is None:
            self._state.note(_STAGE, "no PIN pad for an online PIN", _ONLINE, tvr=TVR.PIN_PAD_NOT_WORKING)
            return False
        pin = self._pad.pin(None, False)
        if pin is None:
            self._offline.bypassed = True
            self._state.note(_STAGE, "the PIN entry was bypassed", _ONLINE, tvr=TVR.PIN_NOT_ENTERED)
            return False
        self._pin_block = self._online_pin(pin, number)
        self._state.note(_STAGE, "the PIN goes online to the issuer", _ONLINE, tvr=TVR.ONLINE_CVM_CAPTURED)
        return True

    def _succeeded(self, rule: CvmRule, outcome: CvmResult) -> CardholderVerification:
        text = f"cardholder verification: {method_text(rule.code)}, result {outcome.text}"
        self._state.note(_STAGE, text, _SOURCE, tsi=TSI.CVM_PERFORMED)
        return CardholderVerification(_results(rule, outcome), rule.method in _SIGNED, self._pin_block)

    def _note(self, text: str, tvr: TVR = NO_TVR) -> None:
        self._state.note(_STAGE, text, _SOURCE, tvr=tvr)


def _results(performed: CvmRule | None, result: CvmResult) -> bytes:
    """Tag 9F34; where no method was carried out, its first bytes are 3F 00. EMV 4.4 Book 4, 6.3.4.5, table 2."""
    return CvmResults(performed or CvmRule(CvmCode.NONE_PERFORMED, 0), result).encode()


class OfflinePin:
    """Has the PIN entered and verified by the card until it is right, bypassed or blocked.

    A bypass and an exceeded try limit hold for every later rule of the list, too.
    """

    def __init__(
        self, state: TransactionState, sender: Sender, chain: Chain, pad: Cardholder | None, random: Random
    ) -> None:
        self._state = state
        self._sender = sender
        self._chain = chain
        self._pad = pad
        self._random = random
        self._exceeded = False
        self.bypassed = False

    def verify(self, *, enciphered: bool) -> bool:
        """Whether the card found the PIN right. Raises Stop for an unexpected status word."""
        if self.bypassed or self._exceeded:
            self._note(f"no PIN: {'its entry was bypassed' if self.bypassed else 'its try limit was exceeded'} before")
            return False
        if self._pad is None:
            self._note("no PIN pad, or it does not work", TVR.PIN_PAD_NOT_WORKING)
            return False
        try:
            key = self._chain.pin_key() if enciphered else None
        except OdaFailed as failure:
            self._note(f"no key to encipher the PIN under: {failure}")
            return False
        tries = self._tries_left()
        if tries == 0:
            return self._limit("the card has no PIN try left")
        return self._ask(self._pad, key, tries)

    def _ask(self, pad: Cardholder, key: RsaPublic | None, tries: int | None) -> bool:
        while True:
            if tries == 1:
                self._note("the cardholder is warned: this is the last PIN try")
            pin = pad.pin(tries, tries == 1)
            if pin is None:
                self.bypassed = True
                self._note("the PIN entry was bypassed", TVR.PIN_NOT_ENTERED)
                return False
            left = self._send(pin, key)
            if left is None:
                return False
            if left < 0:
                self._note("the card found the PIN right")
                return True
            if not left:
                return self._limit("the PIN was wrong and no try is left")
            self._note(f"the PIN was wrong, {_tries(left)} left")
            if tries is not None and left >= tries:
                self._note("the card's tries do not become fewer: it is asked no more")
                return False
            tries = left

    def _send(self, pin: Pin, key: RsaPublic | None) -> int | None:
        """VERIFY: the tries left after a wrong PIN, -1 for a right one; None where the command could not be sent."""
        if key is None:
            data, p2 = format2(pin).reveal(), _PLAIN_PIN
        else:
            challenge = self._challenge()
            if challenge is None:
                return None
            try:
                data, p2 = encipher_for_card(pin, key, challenge, self._random), _ENCIPHERED_PIN
            except CryptoError:
                self._note("the PIN cannot be enciphered under the card's key")
                return None
        operation = "verifying the PIN"
        response = transmit(self._state, _STAGE, self._sender, Command(0x00, 0x20, 0x00, p2, data), operation)
        if response.sw.ok:
            return -1
        if response.sw in _BLOCKED:
            return 0
        left = response.sw.tries_left
        if left is None:
            self._state.stop(_STAGE, f"{operation}: the card answered {response.sw}", FAULTY_ICC)
        return left

    def _challenge(self) -> bytes | None:
        """GET CHALLENGE: the card's unpredictable number. EMV 4.4 Book 2, 7.2; Book 3, 6.5.6."""
        operation = "getting a challenge for the PIN"
        response = transmit(self._state, _STAGE, self._sender, Command(0x00, 0x84, ne=256), operation)
        if response.sw.ok and len(response.data) == _CHALLENGE:
            return response.data
        self._note(f"no challenge of {_CHALLENGE} bytes: {len(response.data)} bytes, {response.sw}")
        return None

    def _tries_left(self) -> int | None:
        """The PIN try counter; None where the card does not give it. EMV 4.4 Book 3, 10.5.1."""
        value = get_data(self._sender, TAG_9F17_PIN_TRY_COUNTER, self._state, _STAGE)
        if value is None or len(value) != 1:
            self._note("the card does not tell how many PIN tries are left")
            return None
        self._note(f"the card has {_tries(value[0], 'PIN ')} left")
        return value[0]

    def _limit(self, text: str) -> bool:
        self._exceeded = True
        self._note(text, TVR.PIN_TRY_LIMIT_EXCEEDED)
        return False

    def _note(self, text: str, tvr: TVR = NO_TVR) -> None:
        self._state.note(_STAGE, text, _OFFLINE, tvr=tvr)


def _tries(count: int, kind: str = "") -> str:
    return f"{count} {kind}{'try' if count == 1 else 'tries'}"


def encipher_for_card(pin: Pin, key: RsaPublic, challenge: bytes, random: Random = secrets.token_bytes) -> bytes:
    """The data of VERIFY for an enciphered PIN, as long as the modulus. ``challenge`` are the card's 8 bytes.

    Raises CryptoError when the key is too small for it. EMV 4.4 Book 2, 7.2.
    """
    plain = _HEADER + format2(pin).reveal() + challenge
    return public(key, plain + random(max(0, key.size - len(plain))))
