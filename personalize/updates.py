"""Changes on an issued chip while it is in a reader: what the office wants becomes a script, runs, and is recorded.

The order makes a tear harmless: the script is on record before its first command is sent, and how much of it ran is
asked of the card, in the same insertion or in the next. docs/redemption.md, Scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from registry.errors import RegistryConflict
from registry.members.updates import CardUpdates
from registry.members.wanted import OpenScript, UpdateKind, UpdateState, WantedChange
from terminal.apdu import Command, Sender
from terminal.emv.data.elements.element import Element
from terminal.errors import CardRefused, CodecError
from terminal.keys import KeyCustody, KeyRef, PinBlock, PinFormat
from terminal.member import elements
from terminal.member.card_data import read_data
from terminal.member.issuing import (
    ScriptStep,
    block_application,
    change_pin,
    put_data,
    unblock_application,
    unblock_pin,
    write_script,
)
from terminal.member.proven import ProvenCard
from terminal.member.scripts import MAC_LENGTH, CardScript, UpdateStatus, update
from terminal.member.values import Entitlement
from terminal.secret import Secret

ELEMENTS: Final[dict[UpdateKind, Element[Any]]] = {
    UpdateKind.ACTIVATION: elements.ACTIVATED_ON,
    UpdateKind.CATEGORY: elements.CATEGORY,
    UpdateKind.COVER: elements.COVER_ENDS,
    UpdateKind.CREDIT: elements.ENTITLEMENTS,
    UpdateKind.ENTITLEMENTS: elements.ENTITLEMENTS,
    UpdateKind.LAST_DATE: elements.LAST_REDEMPTION,
    UpdateKind.VALIDITY: elements.VALID_THROUGH,
}
"""The data element of each kind of change but blocks and PINs."""
_PUT_ENTITLEMENTS: Final = (0x04, 0xDA, elements.ENTITLEMENTS.tag >> 8, elements.ENTITLEMENTS.tag & 0xFF)
_BLOCK: Final = b"\x01"
_WRONG_MAC: Final = 0x6988
_NOT_THERE: Final = 0x6A88
_FIXED: Final = "this card has the value in a signed record, or not at all"
_NO_PIN: Final = "this card has no PIN"
_UNREADABLE: Final = "the value, or what the card has now, is in no form that a card should have"
_PIN_KEY: Final = "pek"
_PIN_VALUE: Final = 11
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What an insertion changed on a card: ``done`` is on the chip now, ``refused`` is a change with the reason why the
    chip does not take it."""

    done: tuple[WantedChange, ...] = ()
    refused: tuple[tuple[UpdateKind, str], ...] = ()
    unfinished: bool = False
    """The card left before its script was done: the next insertion finishes it."""
    elsewhere: tuple[UpdateKind, ...] = ()
    """What is on the chip now, by the word of an office that is elsewhere."""
    declined: bool = False
    """The card was asked for a cryptogram: it redeems only after a new verdict."""

    @property
    def kinds(self) -> tuple[UpdateKind, ...]:
        """What is on the chip now."""
        return (*(one.kind for one in self.done), *self.elsewhere)


@dataclass(frozen=True, slots=True)
class UpdateRunner:
    """Who changes cards: the record of what is wanted, the keys, the acting person, the station, and the day."""

    updates: CardUpdates
    custody: KeyCustody
    by: str
    place: str
    today: date

    def run(self, sender: Sender, card: ProvenCard, *, only_block: bool = False) -> UpdateReport:
        """Finish an unfinished script of the selected application, then run what is wanted of this card.

        ``only_block``: only a block or unblock, for a card that is on the hotlist. Raises TransportError where the card
        left: the next insertion finishes it; CardRefused, CardMalformed, CustodyError, RegistryError.
        """
        number, sequence = card.card_number, card.sequence
        held = card.card.get(elements.ENTITLEMENTS) or ()
        done: list[WantedChange] = []
        refused: list[tuple[UpdateKind, str]] = []
        unfinished = self.updates.open_script(number, sequence)
        if unfinished is not None:
            result = self._send(sender, unfinished, last=False)
            done += result.done or ()
            held = held if result.entitlements is None else result.entitlements
        wanted = [
            one for one in self.updates.pending(number, sequence) if not only_block or one.kind is UpdateKind.BLOCK
        ]
        steps: list[tuple[WantedChange, ScriptStep]] = []
        settled: list[int] = []
        for one in wanted:
            step, held = self._step(sender, one, card, held)
            if isinstance(step, str):
                self.updates.refuse(one.id, step, by=self.by, place=self.place)
                refused.append((one.kind, step))
            elif step is None:
                settled.append(one.id)
            else:
                steps.append((one, step))
        done += self.updates.settle(settled, by=self.by, place=self.place)
        if steps:
            done += self._write(sender, card, steps)
            still = {one.id for one in done}
            ended = self.updates.of_card(number, sequence)
            refused += [(one.kind, one.refusal) for one in ended if one.refusal and _sent(one, steps, still)]
        return UpdateReport(tuple(done), tuple(refused))

    def activate(self, sender: Sender, card: ProvenCard, shown: str) -> UpdateReport:
        """Activate the selected application, with its member present; ``shown`` is what identified the member. What
        else is wanted of the card runs too. An activation that was torn is finished.

        Raises as ``run``, and RegistryConflict for a card that was activated, or needs no activation.
        """
        number, sequence = card.card_number, card.sequence
        rows = self.updates.of_card(number, sequence)
        if any(one.kind is UpdateKind.ACTIVATION and one.state is UpdateState.SENT for one in rows):
            return self.run(sender, card)
        if not card.card.has(elements.ACTIVATED_ON):
            sentence = f"card {number} needs no activation"
            raise RegistryConflict(sentence, reason="card-needs-no-activation", card=number)
        if (activated := card.card.get(elements.ACTIVATED_ON)) is not None:
            sentence = f"card {number} was activated on {activated}"
            raise RegistryConflict(sentence, reason="card-activated", card=number, day=activated.isoformat())
        day = elements.ACTIVATED_ON.encode(self.today)
        self.updates.activate(number, sequence, day, by=self.by, shown=shown, place=self.place)
        return self.run(sender, card)

    def change_pin(
        self, sender: Sender, card: ProvenCard, shown: str, pin: Secret, *, second: str = ""
    ) -> UpdateReport:
        """Give the selected application a new PIN (4 to 12 digits), with its member present; ``shown`` is what
        identified the member, ``second`` the person who consents where the PIN is blocked. What else is wanted runs
        too.

        Raises as ``run``, and RegistryConflict for a card without a PIN, for a blocked PIN without a second person, and
        as ``CardUpdates.change_pin``.
        """
        number, sequence = card.card_number, card.sequence
        tries = _data(sender, elements.PIN_TRIES)
        if tries is None:
            raise RegistryConflict(f"card {number} has no PIN", reason="card-no-pin", card=number)
        if not tries and not second:
            sentence = f"the PIN of card {number} is blocked: a second person consents to a new one"
            raise RegistryConflict(sentence, reason="pin-blocked", card=number)
        block = self.custody.encrypt_pin(self.custody.latest(_PIN_KEY), PinFormat.ISO0, pin, number)
        value = _PinValue.of(block).encode()
        self.updates.change_pin(number, sequence, value, by=self.by, shown=shown, place=self.place, second=second)
        return self.run(sender, card)

    def _step(
        self, sender: Sender, one: WantedChange, card: ProvenCard, held: tuple[Entitlement, ...]
    ) -> tuple[ScriptStep | str | None, tuple[Entitlement, ...]]:
        """The command of a wanted change; None where the chip has the value already, and why where it does not take it.
        With the entitlements behind it; ``held`` are those before it. Raises CardRefused, CardMalformed,
        TransportError."""
        try:
            if one.kind in (UpdateKind.PIN_UNBLOCK, UpdateKind.PIN_CHANGE):
                return (_NO_PIN if _data(sender, elements.PIN_TRIES) is None else _pin_step(one)), held
            if one.kind is UpdateKind.LAST_DATE:
                return _date_step(sender, one), held
        except CodecError:
            return _UNREADABLE, held
        return planned(one, card, held, self.today)

    def _write(
        self, sender: Sender, card: ProvenCard, steps: Sequence[tuple[WantedChange, ScriptStep]]
    ) -> tuple[WantedChange, ...]:
        """Write and run a script, under the newest master key and then under the earlier ones: a card keeps the keys of
        its day, and says only by the MAC which they are."""
        number, sequence = card.card_number, card.sequence
        commands, ids = [step for _, step in steps], [one.id for one, _ in steps]
        ac, smi, smc = (self.custody.latest(name) for name in ("imk-ac", "imk-smi", "imk-smc"))
        for version in range(smi.version, 0, -1):
            masters = (ac, KeyRef(smi.name, version), KeyRef(smc.name, min(version, smc.version)))
            keys = self.custody.application_keys(masters, number, sequence)
            atc, counter = read_data(sender, elements.TRANSACTION_COUNTER), read_data(sender, elements.SCRIPT_COUNTER)
            script = write_script(self.custody, keys, commands, atc=atc, counter=counter).encode()
            script_id = self.updates.begin(number, sequence, script, ids, by=self.by, place=self.place)
            result = self._send(sender, OpenScript(script_id, script), last=version == 1)
            if result.done is not None:
                return result.done
        return ()

    def _send(self, sender: Sender, open_script: OpenScript, *, last: bool) -> _ScriptResult:
        """Run a script and record what ran. ``last``: there is no other key to try after a wrong MAC."""
        script = CardScript.decode(open_script.script)
        outcome = update(sender, script)
        ran = outcome.before + outcome.ran
        again = not last and not ran and outcome.refusal == _WRONG_MAC
        refusal = str(outcome.refusal) if outcome.status is UpdateStatus.REFUSED and not again else ""
        done = self.updates.finish(open_script.id, ran, refusal=refusal, by=self.by, place=self.place)
        written = _entitlements_in(script.commands[outcome.before : ran])
        return _ScriptResult(None if again else done, written)


@dataclass(frozen=True, slots=True)
class _ScriptResult:
    """What a script came to. ``done`` is None where the MAC of its first command is wrong and another key is to be
    tried: everything is pending again. ``entitlements``: what it has put into DF28 in this insertion, after the
    verdict; None where it has not."""

    done: tuple[WantedChange, ...] | None
    entitlements: tuple[Entitlement, ...] | None


def planned(
    wanted: WantedChange, card: ProvenCard, held: tuple[Entitlement, ...], today: date
) -> tuple[ScriptStep | str | None, tuple[Entitlement, ...]]:
    """As ``step_for``, with why in place of a command that the card does not take. For any change but those of a PIN
    and of the last date, for which the card is asked."""
    try:
        return (_FIXED, held) if _fixed(wanted, card) else step_for(wanted, card, held, today)
    except CodecError:
        return _UNREADABLE, held


def step_for(
    wanted: WantedChange, card: ProvenCard, held: tuple[Entitlement, ...], today: date
) -> tuple[ScriptStep | None, tuple[Entitlement, ...]]:
    """The command of a wanted change, None where the chip has the value already, and the entitlements behind it.
    ``held`` are those that the chip has before it. Raises CodecError for a value that is none."""
    if wanted.kind is UpdateKind.BLOCK:
        block = wanted.value == _BLOCK
        if block is card.card.application.blocked:
            return None, held
        return (block_application() if block else unblock_application()), held
    element = ELEMENTS[wanted.kind]
    value = element.decode(wanted.value)
    if element is not elements.ENTITLEMENTS:
        same = element.encode(value) == card.card.values.get(element.tag)
        return (None if same else put_data(element, value)), held
    after = credited(value, held) if wanted.kind is UpdateKind.CREDIT else merged(value, held, today)
    return (None if after == held else put_data(element, after)), after


def credited(credit: tuple[Entitlement, ...], held: tuple[Entitlement, ...]) -> tuple[Entitlement, ...]:
    """The entitlements of a chip with uses given back (``registry.members.credits``), never more than were used. A
    period that began since, or a class that is gone, has nothing to give back."""
    back = {(one.benefit_class, one.start): one.used for one in credit}
    return tuple([one._replace(used=max(0, one.used - back.get((one.benefit_class, one.start), 0))) for one in held])


def merged(wanted: tuple[Entitlement, ...], held: tuple[Entitlement, ...], today: date) -> tuple[Entitlement, ...]:
    """The wanted entitlements with what the chip has counted: uses of the period that goes on stay used, and a series
    of periods that the chip has begun goes on until the wanted one begins of itself."""
    counted = {entitlement.benefit_class: entitlement for entitlement in held}
    return tuple([_counted(new, counted.get(new.benefit_class), today) for new in wanted])


def encoded(kind: UpdateKind, value: object) -> bytes:
    """The value of a wanted change as it is stored: a date, a category, entitlements, for a block whether the card
    is to be blocked, and nothing to unblock the PIN. Raises CodecError, also for two entitlements of one class, which
    no card takes."""
    if kind is UpdateKind.BLOCK:
        return _BLOCK if value else b"\x00"
    if kind is UpdateKind.PIN_UNBLOCK:
        return b""
    if isinstance(value, tuple) and len({entitlement.benefit_class for entitlement in value}) < len(value):
        raise CodecError("DF28 (entitlements): a class comes twice")
    return ELEMENTS[kind].encode(value)


def value_of(wanted: WantedChange) -> object:
    """The wanted value, as ``encoded`` took it; None where a PIN is concerned. Raises CodecError."""
    if wanted.kind in (UpdateKind.PIN_UNBLOCK, UpdateKind.PIN_CHANGE):
        return None
    return wanted.value == _BLOCK if wanted.kind is UpdateKind.BLOCK else ELEMENTS[wanted.kind].decode(wanted.value)


def _entitlements_in(commands: Sequence[Command]) -> tuple[Entitlement, ...] | None:
    """What the last of these commands that sets DF28 sets."""
    for command in reversed(commands):
        if (command.cla, command.ins, command.p1, command.p2) == _PUT_ENTITLEMENTS:
            return elements.ENTITLEMENTS.decode(command.data[:-MAC_LENGTH])
    return None


def _counted(new: Entitlement, old: Entitlement | None, today: date) -> Entitlement:
    if old is None or old.period is not new.period:
        return new
    goes_on = old.on(max(today, new.start)).start == new.on(max(today, new.start)).start
    return new._replace(used=old.used, start=old.start) if goes_on else new


@dataclass(frozen=True, slots=True, repr=False)
class _PinValue:
    """The stored value of a new PIN: its block under a PIN key in custody, in ISO format 0 for the card number.

    Version 01, the version of the key, the block.
    """

    key_version: int
    block: bytes

    @classmethod
    def of(cls, pin: PinBlock) -> _PinValue:
        return cls(pin.key.version, pin.block)

    @classmethod
    def decode(cls, data: bytes) -> _PinValue:
        """Raises CodecError."""
        if len(data) != _PIN_VALUE or data[0] != 1:
            raise CodecError("this is no stored PIN")
        return cls(int.from_bytes(data[1:3], "big"), data[3:])

    def encode(self) -> bytes:
        return b"\x01" + self.key_version.to_bytes(2, "big") + self.block

    def for_card(self, card_number: str) -> PinBlock:
        return PinBlock(KeyRef(_PIN_KEY, self.key_version), PinFormat.ISO0, self.block, card_number)


def _pin_step(wanted: WantedChange) -> ScriptStep:
    """Raises CodecError."""
    if wanted.kind is UpdateKind.PIN_UNBLOCK:
        return unblock_pin()
    return change_pin(_PinValue.decode(wanted.value).for_card(wanted.card_number))


def _date_step(sender: Sender, wanted: WantedChange) -> ScriptStep | str | None:
    """Set the last date back, never forward. Raises CodecError, and as ``read_data``."""
    day = elements.LAST_REDEMPTION.decode(wanted.value)
    if _data(sender, elements.DATE_SET_BACK, absent=_NOTHING) is _NOTHING:
        return _FIXED
    held = read_data(sender, elements.LAST_REDEMPTION)
    if held is None or (day is not None and held <= day):
        return None
    return put_data(elements.LAST_REDEMPTION, day)


def _data(sender: Sender, element: Element[Any], *, absent: object = None) -> Any:
    """A data object of the selected application, or ``absent`` where the card does not have it. Raises as
    ``read_data``."""
    try:
        return read_data(sender, element)
    except CardRefused as refused:
        if refused.sw == _NOT_THERE:
            return absent
        raise


def _fixed(wanted: WantedChange, card: ProvenCard) -> bool:
    """Whether no script can change this on the card."""
    if wanted.kind is UpdateKind.BLOCK:
        return False
    tag = ELEMENTS[wanted.kind].tag
    return not any(not record.signed and any(x.tag == tag for x in record.objects) for record in card.card.records)


def _sent(ended: WantedChange, steps: Sequence[tuple[WantedChange, ScriptStep]], done: set[int]) -> bool:
    return ended.id not in done and any(ended.id == one.id for one, _ in steps)
