"""A card of a bank has two PINs, and a letter for each: the chip's applications take the PIN of their letter."""

from __future__ import annotations

import pypdfium2

from personalize.line.execute import process
from personalize.line.outcome import CardOutcome
from personalize.mailers.letters import LetterForm
from personalize.mailers.printing import LetterLayout, MailerOrder, print_letters
from personalize.sheets.letters import WINDOWS, LetterSender
from registry.handover.mailers import PinKind
from simulators.readers.reader import SimCard
from terminal.apdu import stack
from terminal.member.pin import verify_pin
from terminal.member.reading import MEMBER_AID, select
from terminal.secret import Secret
from tests.support import bank, issuer
from tests.support.cards.card_bench import Bench, fast_directory

LAYOUT = LetterLayout(LetterSender(), LetterForm.SCRATCH, WINDOWS["din"])


class PdfTray:
    """A printer that keeps its documents in memory."""

    name, at_once = "lp:tray", 20

    def __init__(self) -> None:
        self.documents: list[bytes] = []

    def ready(self) -> None:
        return

    def send(self, document: bytearray) -> None:
        self.documents.append(bytes(document))


def test_each_application_takes_the_pin_of_its_own_letter() -> None:
    profile = bank.profile()
    assert profile.payment
    tray = PdfTray()
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=profile)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        assert process(card, bench.job(), "lane 1", lambda serial: True).outcome is CardOutcome.VERIFIED
        card.close()
        order = MailerOrder(bench.batch, "李娜", "王芳")
        done = print_letters(bench.registry, issuer.custody(), order, LAYOUT, tray)
        bench.registry.close()
    assert [target.kind for target in done.printed] == [PinKind.MEMBER, PinKind.PAYMENT]
    (document,) = tray.documents
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(document)]
    aids = (MEMBER_AID, bytes.fromhex(profile.payment.aid))
    pins = [next(line for line in page.splitlines() if line.isdecimal() and len(line) == 6) for page in pages]
    for aid, pin, page in zip(aids, pins, pages, strict=True):
        assert page.count(pin) == 1
        sender = stack(SimCard(chip, chip.config.protocol))
        select(sender, aid)
        assert verify_pin(sender, Secret(pin.encode())).verified
        chip.power_off()
