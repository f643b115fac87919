"""PIN letters are printed each once, whatever breaks off, and their PINs are nowhere but on paper."""

from __future__ import annotations

import io
import logging
import os
import secrets
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pypdfium2
import pytest

from personalize.errors import LetterPrinterFault, LettersUnknown
from personalize.mailers import printing
from personalize.mailers.letters import LetterForm, PinLetter
from personalize.mailers.printing import LetterLayout, MailerOrder, PrintedLetters, print_letters
from personalize.sheets.letters import WINDOWS, LetterSender
from registry.errors import RegistryConflict
from registry.handover.mailers import MailerState, PinKind
from registry.store import Registry
from simulators.readers.reader import SimCard
from terminal.apdu import stack
from terminal.errors import KeyMisuse
from terminal.keys import MemoryCustody
from terminal.member.pin import verify_pin
from terminal.member.reading import select
from terminal.secret import Secret
from tests.support import issuer
from tests.support.cards.card_bench import Bench, Killed, Rack, card_on, fast_directory
from tests.support.leaks import LeakSearch

LAYOUT = LetterLayout(LetterSender("石家庄市总工会", "Federation"), LetterForm.SEALED, WINDOWS["gb"])
CARDS = 3


class PaperTray:
    """A printer in memory: the text of each page that it printed. ``breaks`` is called in the middle of a document."""

    def __init__(self, name: str = "lp:tray", at_once: int = 2, breaks: Callable[[], None] = lambda: None) -> None:
        self.name, self.at_once, self.breaks, self.text = name, at_once, breaks, list[str]()

    def ready(self) -> None:
        return

    def send(self, document: bytearray) -> None:
        if document.startswith(b"%PDF"):
            pages = pypdfium2.PdfDocument(io.BytesIO(bytes(document)))
            self.text += [page.get_textpage().get_text_range() for page in pages]
        else:
            self.text += document.decode().split()
        self.breaks()

    @property
    def pins(self) -> list[str]:
        """The line below the title of the field, of each page."""
        return [next(line for line in page.splitlines() if line.isdecimal() and len(line) == 6) for page in self.text]


@pytest.fixture(scope="module")
def issued() -> Iterator[tuple[Path, Rack, str]]:
    """The directory of a batch whose cards are on chips, the rack with these, and the batch."""
    with fast_directory() as directory:
        bench = Bench(directory, CARDS)
        rack = Rack(bench.chip() for _ in range(CARDS))
        assert not bench.run(rack).fault
        chips = [chip for placed in rack.bins.values() for chip in placed]
        rack.chips.extend(chips)
        bench.registry.close()
        yield directory, rack, bench.batch


@pytest.fixture
def directory(issued: tuple[Path, Rack, str], tmp_path: Path) -> Path:
    shutil.copyfile(issued[0] / "registry.db", tmp_path / "registry.db")
    return tmp_path


@pytest.fixture
def registry(directory: Path) -> Iterator[Registry]:
    with issuer.registry(f"sqlite:///{directory / 'registry.db'}") as opened:
        yield opened


def custodian() -> MemoryCustody:
    """The issuer's keys in a custodian that was just unlocked."""
    transport = Secret(secrets.token_bytes(32))
    return MemoryCustody.from_snapshot(issuer.custody().snapshot(transport), transport)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of nothing but the PINs, where no test is about paper."""

    def plain_letters(letters: Sequence[PinLetter], *layout: object) -> bytearray:
        return bytearray(b"\n".join(letter.pin.reveal() for letter in letters))

    monkeypatch.setattr(printing, "pin_letters", plain_letters)


def order(batch: str, **changes: object) -> MailerOrder:
    return MailerOrder(batch, "李娜", "王芳", **changes)  # type: ignore[arg-type]


def run(registry: Registry, batch: str, tray: PaperTray, **changes: object) -> PrintedLetters:
    return print_letters(registry, custodian(), order(batch, **changes), LAYOUT, tray)


def states(registry: Registry, batch: str) -> list[MailerState]:
    return [letter.state for letter in registry.pin_mailers.of_batch(batch)]


def test_each_card_takes_the_pin_of_its_letter(issued: tuple[Path, Rack, str], registry: Registry) -> None:
    _, rack, batch = issued
    tray = PaperTray()
    done = run(registry, batch, tray)
    assert [len(done.printed), done.others, done.left] == [CARDS, 0, 0]
    chips = {card_on(chip)[0]: chip for chip in rack.chips}
    for target, page, pin in zip(done.printed, tray.text, tray.pins, strict=True):
        assert page.count(pin) == 1
        assert target.card_number[-4:] in page
        chip = chips[target.card_number]
        sender = stack(SimCard(chip, chip.config.protocol))
        select(sender)
        assert verify_pin(sender, Secret(pin.encode())).verified
        chip.power_off()
    assert states(registry, batch) == [MailerState.PRINTED] * CARDS
    assert run(registry, batch, tray).printed == [], "and never again"


@pytest.mark.usefixtures("plain")
def test_a_pipe_takes_one_document_and_an_order_may_be_a_part(
    issued: tuple[Path, Rack, str], registry: Registry
) -> None:
    batch, pipe = issued[2], PaperTray("-", at_once=2)
    number = registry.cards.of_batch(batch)[2].card_number
    assert run(registry, batch, pipe, unit="another").printed == []
    assert [one.card_number for one in run(registry, batch, pipe, card_numbers=frozenset({number})).printed] == [number]
    one = run(registry, batch, pipe, most=1)
    assert (len(one.printed), one.left) == (1, 1)
    assert run(registry, batch, pipe, kinds=frozenset({PinKind.PAYMENT})).printed == []
    assert len(run(registry, batch, pipe).printed) == 1
    assert len(set(pipe.pins)) == CARDS


def killed() -> None:
    raise Killed


def jammed() -> None:
    raise LetterPrinterFault("the paper is jammed")


class _Torn:
    """An object one method of which does its work, or does not, and then fails."""

    def __init__(self, torn: object, method: str, *, after: bool, fails: Callable[[], None]) -> None:
        self._torn, self._method, self._after, self._fails = torn, method, after, fails

    def __getattr__(self, name: str) -> object:
        real = getattr(self._torn, name)
        if name != self._method:
            return real

        def call(*args: object, **named: object) -> object:
            result = real(*args, **named) if self._after else None
            self._fails()
            return result

        return call


class _TornRegistry:
    """A registry whose letters are torn."""

    def __init__(self, registry: Registry, method: str, *, after: bool, fails: Callable[[], None]) -> None:
        self._registry = registry
        self.pin_mailers = _Torn(registry.pin_mailers, method, after=after, fails=fails)

    def __getattr__(self, name: str) -> object:
        return getattr(self._registry, name)


STEPS = [
    ("printer", "ready", False),
    ("registry", "begin", False),
    ("registry", "begin", True),
    ("custody", "open_pins", False),
    ("custody", "open_pins", True),
    ("printer", "send", False),
    ("printer", "send", True),
    ("registry", "printed", False),
    ("registry", "printed", True),
]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("fails", [killed, jammed])
@pytest.mark.parametrize(("what", "method", "after"), STEPS)
def test_no_pin_is_printed_twice_whatever_breaks_off(
    issued: tuple[Path, Rack, str], registry: Registry, what: str, method: str, after: bool, fails: Callable[[], None]
) -> None:
    batch, tray = issued[2], PaperTray()
    torn: dict[str, object] = {"registry": registry, "custody": custodian(), "printer": tray}
    wrap = _TornRegistry if what == "registry" else _Torn
    torn[what] = wrap(torn[what], method, after=after, fails=fails)  # type: ignore[arg-type]
    with pytest.raises((Killed, LetterPrinterFault, LettersUnknown)) as fault:
        print_letters(torn["registry"], torn["custody"], order(batch), LAYOUT, torn["printer"])  # type: ignore[arg-type]
    begun = (what, method, after) not in STEPS[:2]
    confirmed = method == "printed" and after
    torn_state = MailerState.PRINTED if confirmed else MailerState.UNKNOWN
    assert states(registry, batch) == ([torn_state] * 2 if begun else [])
    if begun and fails is jammed and (what, method) != ("registry", "begin"):
        assert fault.type is LettersUnknown
        assert "2 PIN letters" in str(fault.value)
    again = run(registry, batch, tray)
    assert len(again.printed) == (1 if begun else CARDS), "the rest, and nothing that was begun"
    assert len(tray.pins) == len(set(tray.pins))


@pytest.mark.usefixtures("plain")
def test_two_who_print_at_once_print_each_letter_once(issued: tuple[Path, Rack, str], directory: Path) -> None:
    batch, trays = issued[2], [PaperTray(at_once=1), PaperTray(at_once=1)]
    barrier = threading.Barrier(2)

    def work(tray: PaperTray) -> None:
        with issuer.registry(f"sqlite:///{directory / 'registry.db'}") as own:
            barrier.wait()
            run(own, batch, tray)

    threads = [threading.Thread(target=work, args=(tray,)) for tray in trays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pins = trays[0].pins + trays[1].pins
    assert (len(pins), len(set(pins))) == (CARDS, CARDS)


@pytest.mark.usefixtures("plain")
def test_one_person_prints_nothing(issued: tuple[Path, Rack, str], registry: Registry) -> None:
    tray, custody = PaperTray(), custodian()
    with pytest.raises(RegistryConflict, match="two different people"):
        print_letters(registry, custody, MailerOrder(issued[2], "李娜", "李娜"), LAYOUT, tray)
    assert (tray.text, states(registry, issued[2]), custody.audit()) == ([], [], custodian().audit())


@pytest.mark.usefixtures("plain")
def test_no_pin_is_printed_twice_where_an_older_registry_was_restored(
    issued: tuple[Path, Rack, str], directory: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody, tray = custodian(), PaperTray()
    print_letters(registry, custody, order(issued[2]), LAYOUT, tray)
    registry.close()
    shutil.copyfile(issued[0] / "registry.db", directory / "older.db")
    with issuer.registry(f"sqlite:///{directory / 'older.db'}") as older:
        with pytest.raises(RegistryConflict, match=r"opened 3 PINs of batch .* knows of 0 letters"):
            print_letters(older, custody, order(issued[2]), LAYOUT, tray)
        assert states(older, issued[2]) == []
        monkeypatch.setattr(custody, "pins_opened", lambda purpose: 0)
        with pytest.raises(LettersUnknown) as fault:
            print_letters(older, custody, order(issued[2]), LAYOUT, tray)
    assert isinstance(fault.value.__cause__, KeyMisuse)
    assert len(tray.pins) == CARDS


def test_pins_are_nowhere_but_on_paper(
    issued: tuple[Path, Rack, str],
    registry: Registry,
    directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scratch, batch, tray, custody = tmp_path_factory.mktemp("scratch"), issued[2], PaperTray(at_once=1), custodian()
    monkeypatch.setenv("TMPDIR", str(scratch))
    written: list[str] = []
    watching = True

    def watch(event: str, args: tuple[object, ...]) -> None:
        if watching and event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            written.append(str(args[0]))

    sys.addaudithook(watch)  # which stays, and looks at nothing after this test
    with caplog.at_level(logging.DEBUG):
        done = print_letters(registry, custody, order(batch, most=2), LAYOUT, tray)
        tray.breaks = jammed
        with pytest.raises(LettersUnknown) as fault:
            print_letters(registry, custody, order(batch), LAYOUT, tray)
    watching = False
    search = LeakSearch()
    for number, pin in enumerate(tray.pins):
        search.plant_pin(f"pin {number}", pin)
    shown = "\n".join(
        [caplog.text, repr(done), *traceback.format_exception(fault.value), repr(custody.audit())]
        + [repr(letter) for letter in registry.pin_mailers.of_batch(batch)]
        + [repr(row) for row in registry.audit.page(None, 50).items]
    )
    registry.close()
    assert len(tray.pins) == CARDS
    assert list(scratch.iterdir()) == [], "no temporary file"
    assert [path for path in written if not path.startswith((str(directory), "/dev/null"))] == []
    assert search.look("shown", shown) == []
    assert search.look_through(directory.iterdir()) == []


def test_only_pins_are_opened_of_a_dossier(issued: tuple[Path, Rack, str], registry: Registry) -> None:
    pins = printing.sealed_pins(registry, custodian(), order(issued[2]))
    assert {sealed.context.rpartition("/")[2] for sealed in pins.values()} == {"8010"}
    assert {kind for _, _, kind in pins} == {PinKind.MEMBER}
    assert len(pins) == CARDS
