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

__all__ = [
    "GP_TEST_KEY",
    "Algorithm",
    "ApplicationKeys",
    "CardKeys",
    "Diversification",
    "KeyComponent",
    "KeyCustody",
    "KeyInfo",
    "KeyRef",
    "MemoryCustody",
    "OpenSession",
    "Purpose",
    "Scp",
    "Sealed",
    "SessionDek",
    "SessionRequest",
    "SoftwareKeystore",
    "Wrapped",
    "application_data",
]
