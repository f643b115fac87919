"""Keys: references, attributes and the custodians that do the work with them."""

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
    SessionDek,
    SessionRequest,
    Wrapped,
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

__all__ = [
    "CVN10",
    "CVN18",
    "CVN22",
    "EMV_CSK",
    "GP_TEST_KEY",
    "PBOC_DES",
    "PBOC_SM4",
    "SCHEMES",
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
    "SessionDek",
    "SessionRequest",
    "SoftwareKeystore",
    "Wrapped",
    "application_data",
]
