"""The one exception tree. Faults raise; outcomes (a declined card, a rejected row) are values and are not here.

::

    MembercardError
    ├── CodecError                 bytes or text that break their format; also a ValueError
    │   ├── TlvError               BER-TLV, DOL or DGI, with the offset
    │   ├── ApduError              a command or response that cannot exist
    │   ├── AtrError               an answer to reset that breaks ISO/IEC 7816-3
    │   └── CapError               a file that is no loadable CAP file
    ├── CryptoError                an operation that cannot be done, or a check that failed
    │   └── IntegrityError         a MAC, tag or signature that does not match
    ├── TransportError             the way to the card; carries .retryable
    │   ├── ReaderNotFound         no such reader, or an unknown scheme in a reader URL
    │   ├── ReaderFault            the reader or the PC/SC service failed (retryable once it is back)
    │   ├── ReaderBusy             another program holds the reader (retryable)
    │   ├── NoCard                 nothing in the slot (retryable)
    │   ├── CardGone               the card was there and is not any more, or lost power (retryable)
    │   └── DeadlineExceeded       no answer in time
    ├── CardError                  the card spoke, and what it said is the problem
    │   ├── CardRefused            a status word that is not success; carries .operation and .sw
    │   │   └── AuthenticationRefused   names key set, KCV and tries left
    │   ├── CardMalformed          a successful answer that breaks its format
    │   └── NotGenuine             the card's cryptogram or MAC is wrong: it does not hold the key
    ├── SecureChannelError         misuse or loss of a secure channel on this side
    │   └── AuthenticationGuarded  a key set that failed before is not tried again on this card
    └── CustodyError               keys
        ├── KeystoreLocked         wrong or missing passphrase
        ├── KeystoreDamaged        the file is not a keystore, or was changed
        ├── KeystoreUnavailable    the file cannot be read or written now: absent, disk full, read-only, in use
        ├── KeyNotFound            no key of that name or version
        ├── KeyMisuse              a key used against its purpose
        └── KeyRefused             a key that may not be used here: a published test key, a wrong KCV

The registry and personalize rooms hang their own leaves under MembercardError in their own ``errors.py``.
A message says what was being done and never holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal.apdu.status import StatusWord


class MembercardError(Exception):
    """Root of all faults this program raises on purpose."""


class CodecError(MembercardError, ValueError):
    """Bytes or text that break their format.

    ``offset`` is the position of the fault in the input in bytes, where it is known.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset})")
        self.offset = offset


class TlvError(CodecError):
    """BER-TLV, DOL or DGI that is truncated, overlong, or has trailing bytes."""


class ApduError(CodecError):
    """A command or response APDU that cannot exist. ISO/IEC 7816-3:2006, 12.1."""


class AtrError(CodecError):
    """An answer to reset that breaks ISO/IEC 7816-3:2006, 8.2."""


class CapError(CodecError):
    """A file that is no loadable CAP file. Java Card Virtual Machine Specification 3.0.5, chapter 6."""


class CryptoError(MembercardError):
    """An operation that cannot be done with this key or data, or a check that failed."""


class IntegrityError(CryptoError):
    """A MAC, authentication tag or signature that does not match."""


class TransportError(MembercardError):
    """The way to the card failed. ``retryable`` says whether the same call may succeed later."""

    retryable: bool = False


class ReaderNotFound(TransportError):
    """No such reader, or an unknown scheme in a reader URL."""


class ReaderFault(TransportError):
    """The reader or the PC/SC service failed; a new connection may succeed once it is back."""

    retryable = True


class ReaderBusy(TransportError):
    """Another program holds the reader."""

    retryable = True


class NoCard(TransportError):
    """Nothing in the slot, or a card that does not answer to reset."""

    retryable = True


class CardGone(TransportError):
    """The card was there and is not any more: pulled, reset by another, or without power."""

    retryable = True


class DeadlineExceeded(TransportError):
    """No answer within the deadline."""

    retryable = True


class CardError(MembercardError):
    """The card spoke, and what it said is the problem."""


class CardRefused(CardError):
    """The card answered a status word that is not success."""

    def __init__(self, operation: str, sw: StatusWord) -> None:
        super().__init__(f"{operation}: card answered {sw}")
        self.operation = operation
        self.sw = sw


class AuthenticationRefused(CardRefused):
    """The card refused EXTERNAL AUTHENTICATE; ``key`` names key set and KCV, and tries where the card tells."""

    def __init__(self, operation: str, sw: StatusWord, key: str) -> None:
        super().__init__(f"{operation} with {key}", sw)
        self.key = key


class CardMalformed(CardError):
    """A successful answer whose data break their format."""


class NotGenuine(CardError):
    """The card's cryptogram or MAC is wrong: it does not hold the key we expect."""


class SecureChannelError(MembercardError):
    """Misuse or loss of a secure channel on this side."""


class AuthenticationGuarded(SecureChannelError):
    """A key set that failed on this card is not tried again, so that the card's try counter survives."""


class CustodyError(MembercardError):
    """Something is wrong with keys or their store."""


class KeystoreLocked(CustodyError):
    """Wrong or missing passphrase."""


class KeystoreDamaged(CustodyError):
    """The file is not a keystore, or it was changed."""


class KeystoreUnavailable(CustodyError):
    """The keystore file cannot be read or written now: absent, full disk, read-only directory, another writer."""


class KeyNotFound(CustodyError):
    """No key of that name or version."""


class KeyMisuse(CustodyError):
    """A key used against its purpose."""


class KeyRefused(CustodyError):
    """A key that may not be used here: a published test key in production, or a wrong check value."""
