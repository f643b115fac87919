"""Printing of PIN letters, each once: its row is committed, then custody opens the PIN, and the document goes to the
printer; then the row is confirmed. Whatever breaks in between leaves a row that nobody prints again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import LettersUnknown
from personalize.mailers.letters import LetterForm, PinLetter, overwrite, pin_letters
from personalize.mailers.printers import LetterPrinter
from personalize.sheets.fonts import chinese_font
from personalize.sheets.letters import EnvelopeWindow, LetterSender
from registry.errors import RegistryConflict
from registry.handover.mailers import DueCard, MailerTarget, PinKind
from registry.store import Registry
from terminal.errors import MembercardError
from terminal.keys import KeyCustody, Sealed

_PIN: Final = 0x8010
"""DGI of the offline PIN. EMV CPS 1.1, annex A."""
_CHUNK: Final = 200
LetterKey = tuple[str, int, PinKind]
"""Card number, sequence, and whose PIN."""


@dataclass(frozen=True, slots=True)
class MailerOrder:
    """Which letters of a batch, and the two people who print them. ``most`` letters, 0 for all."""

    batch_id: str
    by: str
    second: str
    unit: str = ""
    card_numbers: frozenset[str] = frozenset()
    kinds: frozenset[PinKind] = frozenset(PinKind)
    most: int = 0


@dataclass(frozen=True, slots=True)
class LetterLayout:
    """How the letters look."""

    sender: LetterSender
    form: LetterForm
    window: EnvelopeWindow


@dataclass(slots=True)
class PrintedLetters:
    """What a run did: letters printed, letters that others began meanwhile, and letters that are left."""

    printed: list[MailerTarget] = field(default_factory=list)
    others: int = 0
    left: int = 0


def print_letters(
    registry: Registry,
    custody: KeyCustody,
    order: MailerOrder,
    layout: LetterLayout,
    printer: LetterPrinter,
    progress: Callable[[int], None] = lambda printed: None,
) -> PrintedLetters:
    """Print the letters of an order that were never begun. ``progress`` is called after each job.

    Raises NotOnRecord, RegistryConflict, NoChineseFont, LetterPrinterFault before any PIN is opened, and LettersUnknown
    where a job broke off: its letters stay unknown, those before it are printed.
    """
    chinese_font()  # before a letter is begun
    opened = custody.pins_opened(order.batch_id)  # before the rows are counted, which come first
    begun = len(registry.pin_mailers.of_batch(order.batch_id))
    if opened > begun:
        sentence = (
            f"the keystore opened {opened} PINs of batch {order.batch_id} and the registry knows of {begun} letters: "
            "it is older, and a PIN could be printed twice"
        )
        raise RegistryConflict(sentence, reason="mailers-restored", batch=order.batch_id, opened=opened, begun=begun)
    wanted = sealed_pins(registry, custody, order)
    keys = list(wanted)[: order.most or None]
    most = printer.at_once if printer.name == "-" else len(keys)  # a pipe takes one document
    done = PrintedLetters(left=len(wanted) - len(keys[:most]))
    waiting = iter(keys[:most])
    while job := list(islice(waiting, printer.at_once)):
        printer.ready()
        targets = registry.pin_mailers.begin(
            order.batch_id, job, by=order.by, second=order.second, printer=printer.name
        )
        done.others += len(job) - len(targets)
        if targets:
            _job(registry, custody, order, layout, printer, wanted, targets)
            done.printed += targets
            progress(len(done.printed))
    return done


def sealed_pins(registry: Registry, custody: KeyCustody, order: MailerOrder) -> Mapping[LetterKey, Sealed]:
    """The sealed PINs of an order whose letters were never begun, in the order of delivery. No PIN is opened. Raises
    NotOnRecord."""
    due = registry.pin_mailers.due(order.batch_id, unit=order.unit, card_numbers=order.card_numbers)
    return dict(_sealed(registry, custody, order, due))


def _sealed(
    registry: Registry, custody: KeyCustody, order: MailerOrder, due: Sequence[DueCard]
) -> Iterator[tuple[LetterKey, Sealed]]:
    for start in range(0, len(due), _CHUNK):
        chunk = due[start : start + _CHUNK]
        stored = registry.dossiers.stored(order.batch_id, [card.card_number for card in chunk])
        of_card = {(one.card_number, one.sequence): one.sealed for one in stored}
        for card in chunk:
            sealed = of_card.get((card.card_number, card.sequence))
            missing = order.kinds - card.letters
            if sealed is not None and missing:
                yield from _pins_of(Dossier.decode(custody.open(sealed).reveal()), missing)


def _pins_of(dossier: Dossier, kinds: Collection[PinKind]) -> Iterator[tuple[LetterKey, Sealed]]:
    for kind in sorted(kinds):
        for application in dossier.of_kind(kind.value):
            for part in application.parts:
                if part.number == _PIN and isinstance(part.value, Sealed):
                    yield (dossier.card_number, dossier.sequence, kind), part.value


def _job(
    registry: Registry,
    custody: KeyCustody,
    order: MailerOrder,
    layout: LetterLayout,
    printer: LetterPrinter,
    wanted: Mapping[LetterKey, Sealed],
    targets: Sequence[MailerTarget],
) -> None:
    """Open, print and confirm letters whose rows are committed. Raises LettersUnknown."""
    try:
        pins = custody.open_pins(
            [wanted[one.card_number, one.sequence, one.kind] for one in targets],
            order.batch_id,
            by=order.by,
            second=order.second,
        )
        letters = [PinLetter(target, pin) for target, pin in zip(targets, pins, strict=True)]
        day = registry.pin_mailers.today()
        document = pin_letters(letters, layout.sender, layout.form, layout.window, day)
        del letters, pins
        try:
            printer.send(document)
        finally:
            overwrite(document)
        registry.pin_mailers.printed(order.batch_id, [one.id for one in targets], by=order.by)
    except MembercardError as e:
        raise LettersUnknown(order.batch_id, len(targets), str(e)) from e
