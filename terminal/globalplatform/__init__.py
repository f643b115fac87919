"""GlobalPlatform: secure channels (SCP02, SCP03) and card content management."""

from terminal.globalplatform.aid import ISD_AID, Aid
from terminal.globalplatform.cap import CapFile, CapPackage
from terminal.globalplatform.carddata import CardRecognition, KeyInformation
from terminal.globalplatform.channel import SecureChannel, open_channel
from terminal.globalplatform.content import InstallFor
from terminal.globalplatform.cplc import Cplc
from terminal.globalplatform.domain import SecurityDomain
from terminal.globalplatform.guard import AuthenticationGuard
from terminal.globalplatform.handshake import (
    EstablishedSession,
    HostAuthentication,
    KeySource,
    handshake,
    keys_from_master,
)
from terminal.globalplatform.identity import IdentitySource, tells_keys_apart
from terminal.globalplatform.inventory import StatusEntry, StatusScope
from terminal.globalplatform.levels import C_ENC, C_MAC, FULL, SecurityLevel
from terminal.globalplatform.lifecycle import ApplicationState, CardLifeCycleState, LoadFileState, Privileges
from terminal.globalplatform.storedata import DgiPart, StoreDataPart, StoreDataStructure
from terminal.globalplatform.update import InitializeUpdate

__all__ = [
    "C_ENC",
    "C_MAC",
    "FULL",
    "ISD_AID",
    "Aid",
    "ApplicationState",
    "AuthenticationGuard",
    "CapFile",
    "CapPackage",
    "CardLifeCycleState",
    "CardRecognition",
    "Cplc",
    "DgiPart",
    "EstablishedSession",
    "HostAuthentication",
    "IdentitySource",
    "InitializeUpdate",
    "InstallFor",
    "KeyInformation",
    "KeySource",
    "LoadFileState",
    "Privileges",
    "SecureChannel",
    "SecurityDomain",
    "SecurityLevel",
    "StatusEntry",
    "StatusScope",
    "StoreDataPart",
    "StoreDataStructure",
    "handshake",
    "keys_from_master",
    "open_channel",
    "tells_keys_apart",
]
