"""The exception tree. Faults raise; outcomes (a declined card, a rejected row) are values and are not here.

::

    MembercardError
    ├── CodecError                 bytes or text in a wrong format; also a ValueError
    │   ├── TlvError               BER-TLV, DOL or DGI, with the offset
    │   ├── ApduError              an invalid command or response
    │   ├── AtrError               an invalid answer to reset
    │   └── CapError               a file that is not a loadable CAP file
    ├── CryptoError                an operation that is impossible, or a check that failed
    │   └── IntegrityError         a MAC, tag or signature that does not match
    ├── TransportError             the connection to the card; carries .retryable
    │   ├── ReaderNotFound         no such reader, or an unknown scheme in a reader URL
    │   ├── ReaderFault            the reader or the PC/SC service failed (retryable once it is back)
    │   │   └── LineFault          characters lost or altered on the line to the card
    │   ├── ReaderBusy             another program holds the reader (retryable)
    │   ├── NoCard                 no card in the slot (retryable)
    │   ├── CardGone               the card was removed or lost power (retryable)
    │   └── DeadlineExceeded       no answer in time
    │       └── CardTooSlow        the reader works, and its card takes too long
    ├── CardError                  the card answered, and its answer is the problem
    │   ├── CardRefused            a status word that is not success; carries .operation and .sw
    │   │   └── AuthenticationRefused   names the key set and its KCVs
    │   ├── CardMalformed          a successful answer in a wrong format
    │   │   └── ResponseLost       the command was executed, and its response cannot be fetched
    │   ├── NotRedeemable          a card that counts no benefits: no CDA, or another data object list
    │   └── NotGenuine             the card's cryptogram or MAC is wrong: it does not hold the key
    ├── SecureChannelError         misuse or loss of a secure channel on this side
    │   └── AuthenticationGuarded  a key set that failed on this card is not tried again
    ├── NotPrivate                 a file with members or keys that every user of the machine may read
    └── CustodyError               keys and their store
        ├── KeystoreLocked         wrong or missing passphrase
        ├── KeystoreDamaged        the file is not a keystore, or was changed
        ├── KeystoreUnavailable    the file cannot be read or written now: absent, disk full, read-only, in use
        ├── KeyNotFound            no key of that name or version
        ├── KeyMisuse              a key used against its purpose
        └── KeyRefused             a key that may not be used here: a published test key, a wrong KCV

The registry and personalize packages add their own exceptions under MembercardError in their own ``errors.py``.
A message names the operation that failed and never contains a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal.apdu.status import StatusWord


class MembercardError(Exception):
    """Root of all exceptions that this program raises on purpose."""


class NotPrivate(MembercardError):
    """A file with members or keys that every user of the machine may read, and that this user cannot change."""


class CodecError(MembercardError, ValueError):
    """Bytes or text in a wrong format.

    ``offset`` is the position of the fault in the input in bytes, or None.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset})")
        self.offset = offset


class TlvError(CodecError):
    """BER-TLV, DOL or DGI that is truncated, overlong, or has trailing bytes."""


class ApduError(CodecError):
    """An invalid command or response APDU. ISO/IEC 7816-3:2006, 12.1."""


class AtrError(CodecError):
    """An answer to reset that does not conform to ISO/IEC 7816-3:2006, 8.2."""


class CapError(CodecError):
    """A file that is not a loadable CAP file. Java Card Virtual Machine Specification 3.0.5, chapter 6."""


class CryptoError(MembercardError):
    """An operation that is impossible with this key or data, or a check that failed."""


class IntegrityError(CryptoError):
    """A MAC, authentication tag or signature that does not match."""


class TransportError(MembercardError):
    """The connection to the card failed. ``retryable`` says whether the same call may succeed later."""

    retryable: bool = False


class ReaderNotFound(TransportError):
    """No such reader, or an unknown scheme in a reader URL."""


class ReaderFault(TransportError):
    """The reader or the PC/SC service failed; a new connection may succeed once it is back."""

    retryable = True


class LineFault(ReaderFault):
    """Characters between reader and card were lost, doubled or altered; whether the card executed the command is not
    known."""


class ReaderBusy(TransportError):
    """Another program holds the reader."""

    retryable = True


class NoCard(TransportError):
    """No card in the slot, or a card that does not answer to reset."""

    retryable = True


class CardGone(TransportError):
    """The card was removed, was reset by another program, or lost power."""

    retryable = True


class DeadlineExceeded(TransportError):
    """No answer within the deadline."""

    retryable = True


class CardTooSlow(DeadlineExceeded):
    """The card answers, and takes longer over it than any sound card: it is to blame, not its reader or driver."""


class CardError(MembercardError):
    """The card answered, and its answer is the problem."""


class CardRefused(CardError):
    """The card answered a status word other than success; ``operation`` says to what."""

    def __init__(self, operation: str, sw: StatusWord) -> None:
        super().__init__(f"{operation}: card answered {sw}")
        self.operation = operation
        self.sw = sw


class AuthenticationRefused(CardRefused):
    """The card refused EXTERNAL AUTHENTICATE; ``key`` names the key set and its check values."""

    def __init__(self, operation: str, sw: StatusWord, key: str) -> None:
        super().__init__(f"{operation} with {key}", sw)
        self.key = key


class CardMalformed(CardError):
    """A successful answer whose data are in a wrong format."""


class ResponseLost(CardMalformed):
    """The card executed a command (61xx) and then refused GET RESPONSE: the data of its response are lost."""


class NotRedeemable(CardError):
    """The card is sound and counts no benefits: it has no CDA, or does not ask for what makes a redemption."""


class NotGenuine(CardError):
    """The card's cryptogram or MAC is wrong: it does not hold the expected key."""


class SecureChannelError(MembercardError):
    """Misuse or loss of a secure channel on this side."""


class AuthenticationGuarded(SecureChannelError):
    """A key set that failed on this card is not tried again, so that the card's try counter survives."""


class CustodyError(MembercardError):
    """A fault of keys or their store."""


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
