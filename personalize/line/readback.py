"""Read-back: a fresh session reads what a counter and the issuer can read, and compares it with the dossier."""

from __future__ import annotations

from datetime import datetime

from personalize.applications import APPLICATIONS
from personalize.dossiers.dossier import Dossier
from personalize.errors import ReadBackError
from personalize.protocols import ReadBackRun
from personalize.reasons import RejectCode
from terminal.apdu import Sender
from terminal.globalplatform import (
    C_ENC,
    AuthenticationGuard,
    CardLifeCycleState,
    HostAuthentication,
    SecurityDomain,
    StatusScope,
)
from terminal.keys import CardKeys, KeyCustody
from terminal.member.trust import TrustList


def read_back(
    sender: Sender,
    dossier: Dossier,
    final: CardKeys,
    custody: KeyCustody,
    guard: AuthenticationGuard,
    trust: TrustList,
    at: datetime,
    chip: str,
) -> dict[str, str]:
    """Facts for the journal, such as the verdict of a counter, when everything on the chip equals the dossier.
    ``sender`` reaches a chip that was just reset; ``chip`` is the serial that the dossier is bound to.

    Raises ReadBackError naming the first difference, CardError and TransportError where the chip cannot be read.
    """
    run = ReadBackRun(sender, dossier, custody, guard, trust, at)
    facts: dict[str, str] = {}
    for kind in APPLICATIONS:
        for application in dossier.of_kind(kind.kind):
            facts |= kind.read_back(run, application)
    _domain(sender, final, custody, guard, chip)
    return facts


def _domain(sender: Sender, final: CardKeys, custody: KeyCustody, guard: AuthenticationGuard, chip: str) -> None:
    """Check the security domain: the serial is that of the bound chip, only the final key set is there and opens the
    channel, the card is SECURED."""
    domain = SecurityDomain(sender, custody, guard)
    domain.select()
    if domain.chip() != chip:
        other = "the chip gives another serial than when it was bound"
        raise ReadBackError("the production data", other, RejectCode.READ_BACK_CHIP)
    versions = {key.version for key in domain.key_information()}
    if versions != {final.version}:
        named = ", ".join(f"{version:02X}" for version in sorted(versions))
        sentence = f"the chip names {named}; only {final.version:02X} may be left"
        raise ReadBackError("the key sets", sentence, RejectCode.READ_BACK_KEYS, named=named)
    domain.authenticate(HostAuthentication(final, C_ENC, final.version))
    states = [entry.state for entry in domain.status(StatusScope.ISSUER_DOMAIN)]
    if states != [CardLifeCycleState.SECURED]:
        raise ReadBackError("the life cycle", "the card is not SECURED", RejectCode.READ_BACK_OPEN)
