"""Changes on a chip that is in a reader elsewhere, written by an office that does not rely on the counter there.

What the card is and what ran is taken from the card's own signature and cryptogram, never from what the counter says.
docs/redemption.md, Changes at a distant counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Self

from personalize.updates import planned
from registry.members.updates import CardUpdates
from registry.members.wanted import OpenScript, SentScript, UpdateKind, UpdateState, WantedChange
from terminal.emv.data.tags import TAG_9F37_UNPREDICTABLE_NUMBER
from terminal.errors import CodecError, KeyNotFound
from terminal.keys import KeyCustody, KeyRef
from terminal.member import elements
from terminal.member.cvr import CvrFlag
from terminal.member.issuing import ScriptStep, proves, write_script
from terminal.member.proven import ProvenCard
from terminal.member.redemption.evidence import AAC, RedemptionEvidence
from terminal.member.scripts import MAC_LENGTH, CardScript

AT_WINDOWS: Final = frozenset((UpdateKind.PIN_CHANGE, UpdateKind.PIN_UNBLOCK, UpdateKind.LAST_DATE))
"""Changes that no distant counter gets: they need the member identified, or what the card does not prove."""
MOST: Final = 8
"""Commands of a script: the card proves how many ran modulo 16."""
_CRYPTOGRAMS, _MACS = "imk-ac", "imk-smi"
_PIN_COMMAND: Final = (0x84, 0x24)
_COUNTED: Final = 16


@dataclass(frozen=True, slots=True)
class ChipState:
    """What the cryptogram of a card says of it: the ATC, how many script commands ran since issue (modulo 16), whether
    the application is blocked, and whether a MAC was refused since the last command that ran."""

    atc: int
    scripts: int
    blocked: bool
    refused: bool

    @classmethod
    def proven(cls, custody: KeyCustody, evidence: RedemptionEvidence, challenge: bytes) -> Self | None:
        """None where the evidence is no AAC of its card over this number. Raises CustodyError."""
        try:
            data, sent = evidence.data, evidence.terminal_values
        except CodecError:
            return None
        if evidence.cid != AAC or data.approved or sent.get(TAG_9F37_UNPREDICTABLE_NUMBER) != challenge:
            return None
        newest = custody.latest(_CRYPTOGRAMS)
        versions = (KeyRef(newest.name, version) for version in range(newest.version, 0, -1))
        if not any(_proves(custody, master, evidence) for master in versions):
            return None
        flags = data.flags
        return cls(evidence.counter, data.scripts, CvrFlag.BLOCKED in flags, CvrFlag.SCRIPT_REFUSED in flags)


@dataclass(frozen=True, slots=True)
class DistantOffer:
    """What an insertion at a distant counter came to so far: ``done`` is on the chip, ``script`` is to run now."""

    done: tuple[WantedChange, ...] = ()
    script: OpenScript | None = None
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class _Sent:
    """The scripts of a card on record, oldest first."""

    scripts: tuple[SentScript, ...]

    @property
    def unfinished(self) -> OpenScript | None:
        """The one that may have run."""
        return next((OpenScript(one.id, one.script) for one in self.scripts if one.ran is None), None)

    @property
    def state(self) -> str:
        return f"{len(self.scripts)} {0 if self.unfinished is None else self.unfinished.id}"

    @property
    def counter(self) -> int:
        """The script counter of the card, once all of them have ended. Raises CodecError."""
        ran = 0
        for one in reversed(self.scripts):
            ran += one.ran or 0
            if one.script:
                return CardScript.decode(one.script).counter + ran
        return ran


@dataclass(frozen=True, slots=True)
class DistantUpdates:
    """Who changes cards, as ``UpdateRunner``: ``by`` is a token's name, ``place`` its outlet."""

    updates: CardUpdates
    custody: KeyCustody
    by: str
    place: str
    today: date

    def waits(self, card_number: str, sequence: int) -> bool:
        """Whether a distant counter has something to do with this card. Raises RegistryError, CodecError."""
        sent = self._sent(card_number, sequence)
        if sent.unfinished is not None:
            return not _has_pin(CardScript.decode(sent.unfinished.script))
        return any(one.kind not in AT_WINDOWS for one in self.updates.pending(card_number, sequence))

    def state(self, card_number: str, sequence: int) -> str:
        """What was sent to this card so far, for a proof that is worth nothing once more was. Raises RegistryError."""
        return self._sent(card_number, sequence).state

    def offer(self, card: ProvenCard, chip: ChipState, *, only_block: bool = False) -> DistantOffer:
        """Record what an earlier insertion left unfinished, and write the script of what is wanted now. The script is
        on record when this returns.

        ``card`` and ``chip`` are proven over one fresh number. Raises CustodyError, RegistryError, CodecError.
        """
        number, sequence = card.card_number, card.sequence
        before = self._finished(number, sequence, chip)
        if before.script is not None or before.unfinished:
            return before
        counter = self._sent(number, sequence).counter
        if counter % _COUNTED != chip.scripts:
            return replace(before, unfinished=True)  # no state that a script on record has left: a window finds out
        done = list(before.done)
        card = _as_proven(card, chip)
        held = card.card.get(elements.ENTITLEMENTS) or ()
        steps: list[tuple[int, ScriptStep]] = []
        settled: list[int] = []
        for one in self._wanted(number, sequence, only_block=only_block):
            step, after = planned(one, card, held, self.today)
            if isinstance(step, str):
                self.updates.refuse(one.id, step, by=self.by, place=self.place)
            elif step is None:
                settled.append(one.id)
            elif len(steps) < MOST:
                steps.append((one.id, step))
                held = after
        done += self.updates.settle(settled, by=self.by, place=self.place)
        if not steps:
            # Another counter may have begun what was wanted just now: for one state of a card there is one script.
            begun = self._finished(number, sequence, chip)
            return replace(begun, done=(*done, *begun.done))
        newest = self.custody.latest(_MACS).version
        script = self._written(number, sequence, [step for _, step in steps], newest, (chip.atc, counter))
        return DistantOffer(tuple(done), self._recorded(number, sequence, script, [key for key, _ in steps]))

    def confirm(self, card_number: str, sequence: int, script_id: int, chip: ChipState) -> DistantOffer:
        """Record what ran of a script, as the card's cryptogram says. Where the card refused the MAC, the script comes
        again under the next key. Repeated, it changes nothing. Raises CustodyError, RegistryError, CodecError."""
        unfinished = self._sent(card_number, sequence).unfinished
        if unfinished is None or unfinished.id != script_id:
            return DistantOffer()
        came_to = self._finished(card_number, sequence, chip)
        again = came_to.script is not None and came_to.script.id == script_id
        return DistantOffer(came_to.done, unfinished=True) if again else came_to

    def _sent(self, number: str, sequence: int) -> _Sent:
        return _Sent(self.updates.scripts(number, sequence))

    def _finished(self, number: str, sequence: int, chip: ChipState) -> DistantOffer:
        """The open script ended, where the card proves that nothing of it can run any more; else it is to run, or
        waits for a window where the card has a state that follows from no script."""
        unfinished = self._sent(number, sequence).unfinished
        if unfinished is None:
            return DistantOffer()
        script = CardScript.decode(unfinished.script)
        total = len(script.commands)
        ran = (chip.scripts - script.counter) % _COUNTED
        if ran > total or chip.atc < script.atc or (ran < total and chip.atc == script.atc and _has_pin(script)):
            return DistantOffer(unfinished=True)
        if ran < total and chip.atc == script.atc:
            again = self._under_next_key(number, sequence, unfinished, script) if chip.refused and not ran else None
            return DistantOffer(script=again or unfinished)
        return DistantOffer(self.updates.finish(unfinished.id, ran, by=self.by, place=self.place))

    def _wanted(self, number: str, sequence: int, *, only_block: bool) -> list[WantedChange]:
        pending = self.updates.pending(number, sequence)
        if only_block:
            return [one for one in pending if one.kind is UpdateKind.BLOCK]
        return [one for one in pending if one.kind not in AT_WINDOWS]

    def _under_next_key(
        self, number: str, sequence: int, unfinished: OpenScript, script: CardScript
    ) -> OpenScript | None:
        """The same commands under the key before that of this script, and under the newest behind the first: a card
        keeps the keys of its day. None where there is one key. Never other commands: for one state of a card there is
        one script, whoever holds it."""
        newest = self.custody.latest(_MACS).version
        if newest == 1:
            return None
        steps = [ScriptStep(one.cla, one.ins, one.p1, one.p2, one.data[:-MAC_LENGTH]) for one in script.commands]
        scripts = [
            self._written(number, sequence, steps, version, (script.atc, script.counter))
            for version in range(newest, 0, -1)
        ]
        at = next((place for place, one in enumerate(scripts) if one == script), -1)
        sent = [one.id for one in self.updates.of_card(number, sequence) if one.state is UpdateState.SENT]
        self.updates.finish(unfinished.id, 0, by=self.by, place=self.place)
        return self._recorded(number, sequence, scripts[(at + 1) % newest], sent)

    def _written(
        self, number: str, sequence: int, steps: Sequence[ScriptStep], version: int, counters: tuple[int, int]
    ) -> CardScript:
        smc = self.custody.latest("imk-smc")
        macs, ciphers = KeyRef(_MACS, version), KeyRef(smc.name, min(version, smc.version))
        masters = (self.custody.latest(_CRYPTOGRAMS), macs, ciphers)
        keys = self.custody.application_keys(masters, number, sequence)
        return write_script(self.custody, keys, steps, atc=counters[0], counter=counters[1])

    def _recorded(self, number: str, sequence: int, script: CardScript, ids: Sequence[int]) -> OpenScript:
        written = script.encode()
        return OpenScript(self.updates.begin(number, sequence, written, ids, by=self.by, place=self.place), written)


def _as_proven(card: ProvenCard, chip: ChipState) -> ProvenCard:
    """The card, blocked or not as its cryptogram says."""
    application = replace(card.card.application, blocked=chip.blocked)
    return replace(card, card=replace(card.card, application=application))


def _has_pin(script: CardScript) -> bool:
    return any((command.cla, command.ins) == _PIN_COMMAND for command in script.commands)


def _proves(custody: KeyCustody, master: KeyRef, evidence: RedemptionEvidence) -> bool:
    try:
        return proves(custody, master, evidence)
    except KeyNotFound:
        return False  # an older version that is no more
