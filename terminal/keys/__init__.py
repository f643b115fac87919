"""Keys: references, attributes, and the custodians that operate on them.

``custody`` defines the KeyCustody protocol and its values, ``schemes`` the cryptogram schemes. ``table`` is the state
of a custodian and ``management`` changes it; ``derivation``, ``cryptograms``, ``payment``, ``sealing`` and
``transport`` do the operations. ``memory`` is the custodian in memory, ``keystore`` the one in a file (``keyfile`` its
format, ``storage`` its reading and writing). ``standard`` lists the keys of an issuer, ``published`` the keys that
production refuses.
"""

from terminal.keys.custody import (
    Algorithm,
    ApplicationKeys,
    CardKeys,
    Diversification,
    KeyCustody,
    KeyInfo,
    KeyRef,
    OpenSession,
    PinBlock,
    PinFormat,
    Purpose,
    Scp,
    Sealed,
    SealedKeys,
    SessionDek,
    SessionRequest,
    Udks,
    WrappedSecret,
    application_data,
)
from terminal.keys.keystore import SoftwareKeystore
from terminal.keys.management import KeyComponent
from terminal.keys.memory import MemoryCustody
from terminal.keys.published import GP_TEST_KEY
from terminal.keys.schemes import (
    CVN10,
    CVN18,
    CVN22,
    EMV_CSK,
    PBOC_DES,
    PBOC_SM4,
    SCHEMES,
    CryptogramScheme,
)
from terminal.keys.transport import TRACKS_MARK

__all__ = [
    "CVN10",
    "CVN18",
    "CVN22",
    "EMV_CSK",
    "GP_TEST_KEY",
    "PBOC_DES",
    "PBOC_SM4",
    "SCHEMES",
    "TRACKS_MARK",
    "Algorithm",
    "ApplicationKeys",
    "CardKeys",
    "CryptogramScheme",
    "Diversification",
    "KeyComponent",
    "KeyCustody",
    "KeyInfo",
    "KeyRef",
    "MemoryCustody",
    "OpenSession",
    "PinBlock",
    "PinFormat",
    "Purpose",
    "Scp",
    "Sealed",
    "SealedKeys",
    "SessionDek",
    "SessionRequest",
    "SoftwareKeystore",
    "Udks",
    "WrappedSecret",
    "application_data",
]
