"""What printers and their operators are told, in Chinese too."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from membercard import language
from membercard.commands.issuing.line_display import show_prompts
from membercard.language import Language, sentence
from personalize.machines.evolis.answers import LETTERS, WORDS
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.manual import PUT, ManualMachine
from personalize.machines.protocols import TO_PRINTER, MachineBin
from personalize.machines.reader import MachineReader
from simulators.machines.evolis.slots import reader_inside

ENGLISH = re.compile("[a-z]{2,} [a-z]{2,}")


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    language.choose(Language.CHINESE)
    yield
    language.choose(None)


@pytest.mark.parametrize("error", [*LETTERS.values(), *WORDS.values()])
def test_each_error_of_a_printer_and_its_remedy_is_chinese(error: object) -> None:
    fault = MachineFault("evolis:/dev/ttyS9", *error)  # type: ignore[misc]
    shown = sentence(str(fault))

    assert "evolis:/dev/ttyS9：" in shown
    assert not ENGLISH.search(shown)


@pytest.mark.parametrize(
    "detail",
    [
        "the encoder does not answer",
        "the encoder does not switch to high coercivity",
        "the text of track 2 has characters that no track holds",
        "the printer refuses for an unknown reason (3F)",
        "it has no reject box (reject=)",
        "the print did not end within 180 s",
        "CUPS did not accept the print",
        "the cards have track 3, which it does not read back (tracks=)",
        "the printer answers a text that is none of its errors",
        "no card is inside",
    ],
)
def test_each_cause_is_chinese(detail: str) -> None:
    shown = sentence(str(MachineFault("cups:Zebra", MachineFaultCode.COMMAND, detail)))

    assert "cups:Zebra：" in shown
    assert not ENGLISH.search(shown.replace("MSR605", ""))


@pytest.mark.parametrize(
    "english", [*PUT.values(), TO_PRINTER, "cups:Zebra is named twice, and a machine serves one lane"]
)
def test_each_line_for_an_operator_is_chinese(english: str) -> None:
    assert not ENGLISH.search(sentence(english))


def test_a_lane_shows_where_a_person_puts_the_card() -> None:
    slot = reader_inside("lane-1")
    machine, lines = ManualMachine("manual:x", slot), []
    show_prompts([MachineReader(machine), slot], lines.append)
    machine.screen.show(PUT[MachineBin.REJECT])

    assert lines == [f"{slot.name}: 请将卡片放入废卡盒"]
