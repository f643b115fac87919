"""PSE and PPSE: the directories in which a terminal finds the payment application.

EMV 4.4 Book 1, 12.2 (PSE); EMV Contactless Book B 2.11, 3.3.1 (PPSE).
"""

from __future__ import annotations

from personalize.dossiers.dossier import DossierApplication, DossierPart
from personalize.encoding import record
from personalize.profiles.payment import PaymentApplication
from terminal.tlv import Tlv, tlv

PACKAGE, MODULE = bytes.fromhex("315041592E"), bytes.fromhex("315041592E01")
PSE, PPSE = b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"

_FCI, _FIRST_RECORD, _DIRECTORY_SFI = 0x9102, 0x0101, 1


def directories(profile: PaymentApplication) -> tuple[DossierApplication, ...]:
    """The directory applications of a card with this payment application: PSE, and PPSE where it has an antenna."""
    made = [_pse(profile)]
    if profile.contactless:
        made.append(_ppse(profile))
    return tuple(made)


def _pse(profile: PaymentApplication) -> DossierApplication:
    items = [tlv(0x88, bytes((_DIRECTORY_SFI,))), tlv(0x5F2D, profile.language.encode("ascii", "replace"))]
    if profile.preferred_name:
        items.append(tlv(0x9F11, bytes.fromhex(f"{profile.code_table:02d}")))
    listed = record(tlv(0x61, _entry(profile, preferred=True)).encode())
    parts = (DossierPart(_FCI, tlv(0xA5, items).encode()), DossierPart(_FIRST_RECORD, listed))
    return DossierApplication(PACKAGE, MODULE, PSE, parts)


def _ppse(profile: PaymentApplication) -> DossierApplication:
    fci = tlv(0xA5, [tlv(0xBF0C, [tlv(0x61, _entry(profile, preferred=False))])])
    return DossierApplication(PACKAGE, MODULE, PPSE, (DossierPart(_FCI, fci.encode()),))


def _entry(profile: PaymentApplication, *, preferred: bool) -> list[Tlv]:
    """An application's entry: AID, label, preferred name, priority. EMV 4.4 Book 1, 12.2.3."""
    entry = [tlv(0x4F, bytes.fromhex(profile.aid)), tlv(0x50, profile.label.encode("ascii", "replace"))]
    if preferred and profile.preferred_name:
        entry.append(tlv(0x9F12, profile.preferred_name.encode(f"iso8859_{profile.code_table}", "replace")))
    return [*entry, tlv(0x87, bytes((profile.priority,)))]
