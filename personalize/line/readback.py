"""Read-back: a fresh session reads what a counter and the issuer can read, and compares it with the dossier."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from personalize.applications import APPLICATIONS
from personalize.dossiers.dossier import Dossier
from personalize.errors import ReadBackError
from personalize.line.chipkeys import stock_versions
from personalize.profiles.profile import LineSection
from personalize.protocols import ReadBackRun
from personalize.reasons import RejectCode
from terminal.apdu import Sender
from terminal.globalplatform import (
    C_ENC,
    AuthenticationGuard,
    CardLifeCycleState,
    HostAuthentication,
    SecurityDomain,
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
    line: LineSection,
) -> dict[str, str]:
    """Facts for the journal, such as the verdict of a counter, when everything on the chip equals the dossier.
    ``sender`` reaches a chip that was just reset; ``chip`` is the serial that the dossier is bound to; ``line`` says
    what identifies it and which stock keys it had.

    Raises ReadBackError naming the first difference, CardError and TransportError where the chip cannot be read.
    """
    run = ReadBackRun(sender, dossier, custody, guard, trust, at)
    facts: dict[str, str] = {}
    for kind in APPLICATIONS:
        for application in dossier.of_kind(kind.kind):
            facts |= kind.read_back(run, application)
    _domain(sender, final, custody, guard, chip, line)
    return facts


def _domain(
    sender: Sender, final: CardKeys, custody: KeyCustody, guard: AuthenticationGuard, chip: str, line: LineSection
) -> None:
    """Check what the line changed in the security domain: the serial is that of the bound chip, the final key set is
    there and opens the channel, the stock keys open none, the card is SECURED. Other key sets are not its business."""
    domain = SecurityDomain(sender, custody, guard)
    domain.select()
    if domain.identify(line.identity) != chip:
        other = "the chip gives another serial than when it was bound"
        raise ReadBackError("the production data", other, RejectCode.READ_BACK_CHIP)
    versions = domain.key_versions()
    if versions and final.version not in versions:
        raise _wrong_keys(f"the chip names {_listed(versions)}; {final.version:02X} must be among them", versions)
    if left := stock_versions(domain, custody, line, versions - {final.version}):
        raise _wrong_keys(f"the stock keys still open {_listed(left)}", left)
    domain.authenticate(HostAuthentication(final, C_ENC, final.version))
    if domain.own_entry().state != CardLifeCycleState.SECURED:
        raise ReadBackError("the life cycle", "the card is not SECURED", RejectCode.READ_BACK_OPEN)


def _wrong_keys(sentence: str, versions: Iterable[int]) -> ReadBackError:
    return ReadBackError("the key sets", sentence, RejectCode.READ_BACK_KEYS, named=_listed(versions))


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(f"{version:02X}" for version in sorted(versions))
