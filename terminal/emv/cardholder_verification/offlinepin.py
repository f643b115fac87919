"""The PIN that the card verifies itself, in clear or enciphered. EMV 4.4 Book 3, 10.5.1; Book 2, 7."""

from __future__ import annotations

from typing import Final

from terminal.apdu import Command, Sender
from terminal.crypto.pinblock import format2
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.chains import Chain
from terminal.emv.authentication.rsa import OdaFailed
from terminal.emv.cardholder_verification.pinblock import Random, encipher_for_card
from terminal.emv.data.bits import TVR
from terminal.emv.transaction.exchange import FAULTY_ICC, ask
from terminal.emv.transaction.getdata import get_data
from terminal.emv.transaction.protocols import Cardholder, Pin
from terminal.emv.transaction.state import NO_TVR, KernelStage, TransactionState
from terminal.errors import CryptoError

_STAGE: Final = KernelStage.CARDHOLDER
_SOURCE: Final = "EMV 4.4 Book 3, 10.5.1"
_TRY_COUNTER = 0x9F17
_PLAIN, _ENCIPHERED = 0x80, 0x88
"""P2 of VERIFY. EMV 4.4 Book 3, 6.5.12, table 24."""
_CHALLENGE = 8
_BLOCKED = (0x6983, 0x6984)


class OfflinePin:
    """Asks the cardholder and the card until the PIN is right, bypassed or blocked.

    A bypass and a try limit that is reached hold for every later rule of the list, too.
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
        """Whether the card found the PIN right. Raises Stop for a status word that nothing explains."""
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
        """VERIFY: the tries left after a wrong PIN, -1 for a right one; None where it could not be asked."""
        if key is None:
            data, p2 = format2(pin).reveal(), _PLAIN
        else:
            challenge = self._challenge()
            if challenge is None:
                return None
            try:
                data, p2 = encipher_for_card(pin, key, challenge, self._random), _ENCIPHERED
            except CryptoError:
                self._note("the PIN cannot be enciphered under the card's key")
                return None
        doing = "verifying the PIN"
        response = ask(self._state, _STAGE, self._sender, Command(0x00, 0x20, 0x00, p2, data), doing)
        if response.sw.ok:
            return -1
        if response.sw in _BLOCKED:
            return 0
        left = response.sw.tries_left
        if left is None:
            self._state.stop(_STAGE, f"{doing}: the card answered {response.sw}", FAULTY_ICC)
        return left

    def _challenge(self) -> bytes | None:
        """GET CHALLENGE: the card's unpredictable number. EMV 4.4 Book 2, 7.2; Book 3, 6.5.6."""
        doing = "getting a challenge for the PIN"
        response = ask(self._state, _STAGE, self._sender, Command(0x00, 0x84, ne=256), doing)
        if response.sw.ok and len(response.data) == _CHALLENGE:
            return response.data
        self._note(f"no challenge of {_CHALLENGE} bytes: {len(response.data)} bytes, {response.sw}")
        return None

    def _tries_left(self) -> int | None:
        """The PIN try counter; None where the card does not tell. EMV 4.4 Book 3, 10.5.1."""
        value = get_data(self._sender, _TRY_COUNTER)
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
        self._state.note(_STAGE, text, _SOURCE, tvr=tvr)


def _tries(count: int, kind: str = "") -> str:
    return f"{count} {kind}{'try' if count == 1 else 'tries'}"
