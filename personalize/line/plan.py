"""The plan: from a dossier and the state of the chip to the steps that are left. Pure and printable.

The state of the chip itself decides: a fresh chip gets every step, a returning one only the steps it still needs. The
table of states is in docs/personalization-line.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.errors import ChipUnfit
from personalize.machines.protocols import StripeTracks
from personalize.reasons import RejectCode
from registry.line.machines import PRINT, STRIPE
from terminal.globalplatform.lifecycle import ApplicationState, CardLifeCycleState
from terminal.keys import CardKeys


class PlannedKeys(StrEnum):
    """The keys that open the security domain now."""

    STOCK = "stock"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class ChipKeyState:
    """State of an authenticated chip: card life cycle, life cycle of each instance by AID, load files.

    ``sources`` is the load file of each instance, where the chip gives it; ``beside`` are the versions of key sets
    other than the one that opened the chip.
    """

    key_set: PlannedKeys
    key_version: int
    life_cycle: int
    instances: Mapping[bytes, int]
    packages: frozenset[bytes]
    sources: Mapping[bytes, bytes] = field(default_factory=dict)
    beside: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Install:
    """INSTALL [for install and make selectable]; ``delete_first`` where another or a broken instance has the AID."""

    application: DossierApplication
    delete_first: bool

    def __str__(self) -> str:
        verb = "delete and install" if self.delete_first else "install"
        return f"{verb} {self.application.instance_aid.hex().upper()} from {self.application.package_aid.hex().upper()}"


@dataclass(frozen=True, slots=True)
class Personalize:
    """INSTALL [for personalization], then STORE DATA with every data grouping, from the first."""

    application: DossierApplication

    def __str__(self) -> str:
        lines = [f"store data for {self.application.instance_aid.hex().upper()}:"]
        for part in self.application.parts:
            lines.append(f"    DGI {part.number:04X}  {'secret' if part.secret else 'plain '}  {part.describe()}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """PUT KEY: the issuer's card keys replace the stock keys."""

    old_version: int
    new: CardKeys

    def __str__(self) -> str:
        return f"replace key set {self.old_version:02X} by {self.new}"


@dataclass(frozen=True, slots=True)
class Secure:
    """SET STATUS through the remaining states."""

    states: tuple[CardLifeCycleState, ...]

    def __str__(self) -> str:
        return "set the card life cycle to " + ", then ".join(state.name for state in self.states)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A fresh session: what a counter reads must equal the dossier."""

    def __str__(self) -> str:
        return "reset, read back as a counter would, compare with the dossier"


@dataclass(frozen=True, slots=True)
class WriteStripe:
    """The stripe, from the same dossier: written, read back, compared."""

    tracks: StripeTracks

    def __str__(self) -> str:
        return f"write the stripe, {self.tracks.describe()}, read it back and compare"


@dataclass(frozen=True, slots=True)
class PrintFace:
    """The face, printed once."""

    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"print the face: {', '.join(self.fields)}"


Step = Install | Personalize | RotateKeys | Secure | ReadBack | WriteStripe | PrintFace

NAMES: dict[type, str] = {
    Install: "install",
    Personalize: "store",
    RotateKeys: "keys",
    Secure: "secure",
    ReadBack: "read back",
    WriteStripe: STRIPE,
    PrintFace: PRINT,
}
"""Name of each step in the journal, in the order of the line."""


def plan(dossier: Dossier, chip: ChipKeyState, final: CardKeys, *, body: bool = True) -> tuple[Step, ...]:
    """The steps left for this card; those of its ``body`` last, if they are the lane's. Raises ChipUnfit for a chip in
    a state that is not in the table."""
    if chip.life_cycle not in (CardLifeCycleState.OP_READY, CardLifeCycleState.INITIALIZED, CardLifeCycleState.SECURED):
        state = f"{chip.life_cycle:02X}"
        raise ChipUnfit(f"the chip's life cycle is {state}: locked or terminated", RejectCode.LOCKED, state=state)
    steps: list[Step] = []
    for application in dossier.applications:
        steps += _application_steps(application, chip)
    if chip.key_set is PlannedKeys.FINAL and steps:
        sentence = "the chip has the final keys but is not personalized: it is not in a state this line leaves"
        raise ChipUnfit(sentence, RejectCode.NOT_OURS)
    if chip.key_set is PlannedKeys.STOCK:
        if final.version in chip.beside:
            version = f"{final.version:02X}"
            sentence = f"key version {version} of the final keys is taken by a key set of another use; choose another"
            raise ChipUnfit(sentence, RejectCode.KEY_VERSION_TAKEN, version=version)
        steps.append(RotateKeys(chip.key_version, final))
    ahead = tuple(
        state for state in (CardLifeCycleState.INITIALIZED, CardLifeCycleState.SECURED) if state > chip.life_cycle
    )
    if ahead:
        steps.append(Secure(ahead))
    steps.append(ReadBack())
    return (*steps, *body_steps(dossier)) if body else tuple(steps)


def body_steps(dossier: Dossier) -> tuple[WriteStripe | PrintFace, ...]:
    """The steps that make the card's body. Whether one was done before is in the journal: no card shows it."""
    tracks = StripeTracks(*dossier.stripe)
    stripe = (WriteStripe(tracks),) if tracks else ()
    face = (PrintFace(tuple(dossier.face)),) if dossier.face else ()
    return (*stripe, *face)


def _application_steps(application: DossierApplication, chip: ChipKeyState) -> list[Step]:
    state = chip.instances.get(application.instance_aid)
    # Another applet under this AID would receive every secret of the card.
    ours = chip.sources.get(application.instance_aid, application.package_aid) == application.package_aid
    if state == ApplicationState.PERSONALIZED and ours:
        return []
    if application.package_aid not in chip.packages:
        package = application.package_aid.hex().upper()
        raise ChipUnfit(f"the chip has no load file {package}: not this stock", RejectCode.WRONG_STOCK, package=package)
    personalize = Personalize(application)
    if state == ApplicationState.SELECTABLE and ours:
        return [personalize]
    return [Install(application, delete_first=state is not None), personalize]


def describe(dossier: Dossier, steps: tuple[Step, ...]) -> str:
    """The printed plan: key check values and lengths, never keys or personal data."""
    lines = [f"card {dossier.card_number} sequence {dossier.sequence:02d}"]
    lines += [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    return "\n".join(lines)
