"""PSE and PPSE: the directories in which a terminal finds the payment application.

EMV 4.4 Book 1, 12.2 (PSE); EMV Contactless Book B 2.11, 3.3.1 (PPSE).
"""

from __future__ import annotations

from personalize.dossiers.dossier import DIRECTORY, DossierApplication, DossierPart
from personalize.encoding import record
from personalize.payment.elements import code_table, item, priority
from personalize.profiles.payment import PaymentApplication
from personalize.protocols import CardToPrepare, PreparationRun
from terminal.emv.data.tags import (
    TAG_4F_ADF_NAME,
    TAG_5F2D_LANGUAGES,
    TAG_9F12_PREFERRED_NAME,
    TAG_50_LABEL,
    TAG_61_DIRECTORY_ENTRY,
    TAG_88_SFI,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.tlv import Tlv, tlv

PACKAGE, MODULE = bytes.fromhex("315041592E"), bytes.fromhex("315041592E01")
PSE, PPSE = b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"

_FCI, _FIRST_RECORD, _DIRECTORY_SFI = 0x9102, 0x0101, 1


def directories(profile: PaymentApplication) -> tuple[DossierApplication, ...]:
    """The directory applications of a card with this payment application: PSE, and PPSE where it is contactless."""
    applications = [_pse(profile)]
    if profile.contactless:
        applications.append(_ppse(profile))
    return tuple(applications)


class DirectoryPreparer:
    """The directories of one profile, the same on every card."""

    key_names: tuple[str, ...] = ()

    def __init__(self, profile: PaymentApplication) -> None:
        self._directories = directories(profile)

    @classmethod
    def for_run(cls, run: PreparationRun) -> DirectoryPreparer | None:
        return cls(run.profile.payment) if run.profile.payment else None

    def applications(self, card: CardToPrepare) -> tuple[DossierApplication, ...]:
        return self._directories


def _pse(profile: PaymentApplication) -> DossierApplication:
    items = [
        tlv(*item(TAG_88_SFI, _DIRECTORY_SFI)),
        tlv(TAG_5F2D_LANGUAGES, profile.language.encode("ascii", "replace")),
    ]
    if profile.preferred_name:
        items.append(tlv(*code_table(profile)))
    listed = record(tlv(TAG_61_DIRECTORY_ENTRY, _entry(profile, preferred=True)).encode())
    parts = (DossierPart(_FCI, tlv(TAG_A5_FCI_PROPRIETARY, items).encode()), DossierPart(_FIRST_RECORD, listed))
    return DossierApplication(DIRECTORY, PACKAGE, MODULE, PSE, parts)


def _ppse(profile: PaymentApplication) -> DossierApplication:
    fci = tlv(
        TAG_A5_FCI_PROPRIETARY,
        [tlv(TAG_BF0C_FCI_DISCRETIONARY, [tlv(TAG_61_DIRECTORY_ENTRY, _entry(profile, preferred=False))])],
    )
    return DossierApplication(DIRECTORY, PACKAGE, MODULE, PPSE, (DossierPart(_FCI, fci.encode()),))


def _entry(profile: PaymentApplication, *, preferred: bool) -> list[Tlv]:
    """An application's entry: AID, label, preferred name, priority. EMV 4.4 Book 1, 12.2.3."""
    entry = [
        tlv(TAG_4F_ADF_NAME, bytes.fromhex(profile.aid)),
        tlv(TAG_50_LABEL, profile.label.encode("ascii", "replace")),
    ]
    if preferred and profile.preferred_name:
        entry.append(
            tlv(TAG_9F12_PREFERRED_NAME, profile.preferred_name.encode(f"iso8859_{profile.code_table}", "replace"))
        )
    return [*entry, tlv(*priority(profile))]
