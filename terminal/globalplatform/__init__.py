"""GlobalPlatform: secure channels (SCP02, SCP03) and the management of what is on a card."""

from terminal.globalplatform.aid import ISD_AID, Aid
from terminal.globalplatform.cap import CapFile, Package
from terminal.globalplatform.carddata import CardRecognition, KeyInformation
from terminal.globalplatform.channel import SecureChannel, open_channel
from terminal.globalplatform.content import InstallFor
from terminal.globalplatform.cplc import Cplc
from terminal.globalplatform.domain import SecurityDomain
from terminal.globalplatform.guard import Guard
from terminal.globalplatform.handshake import Authentication, Established, KeySource, derived, handshake
from terminal.globalplatform.inventory import Entry, Scope
from terminal.globalplatform.levels import C_ENC, C_MAC, FULL, SecurityLevel
from terminal.globalplatform.lifecycle import ApplicationState, CardState, LoadFileState, Privileges
from terminal.globalplatform.storedata import DgiPart, Part, Structure
from terminal.globalplatform.update import InitializeUpdate

__all__ = [
    "C_ENC",
    "C_MAC",
    "FULL",
    "ISD_AID",
    "Aid",
    "ApplicationState",
    "Authentication",
    "CapFile",
    "CardRecognition",
    "CardState",
    "Cplc",
    "DgiPart",
    "Entry",
    "Established",
    "Guard",
    "InitializeUpdate",
    "InstallFor",
    "KeyInformation",
    "KeySource",
    "LoadFileState",
    "Package",
    "Part",
    "Privileges",
    "Scope",
    "SecureChannel",
    "SecurityDomain",
    "SecurityLevel",
    "Structure",
    "derived",
    "handshake",
    "open_channel",
]
