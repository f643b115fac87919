"""PIN letters on paper: each PIN once on its page, nothing that names the card, and the field between the folds."""

from __future__ import annotations

from datetime import date

import pypdfium2
import pytest

from personalize.mailers.letters import LetterForm, PinLetter, overwrite, pin_letters
from personalize.sheets.letters import FOLDS, WINDOWS, LetterSender
from registry.handover.mailers import MailerTarget, PinKind
from terminal.secret import Secret
from tests.unit.personalize.sheets.test_sheets import LONG, pages

DAY = date(2026, 11, 22)
SENDER = LetterSender("石家庄市总工会", "Shijiazhuang Federation", "12351")


def letter(number: int, *, name: str = "欧阳", unit: str = LONG, kind: PinKind = PinKind.MEMBER) -> PinLetter:
    target = MailerTarget(number, f"621226{number:013d}", 1, kind, unit, f"{name}{number:03d}", "X20261122-001", number)
    return PinLetter(target, Secret(f"{918000 + number}".encode()))


def printed(*letters: PinLetter, form: LetterForm = LetterForm.SCRATCH) -> bytearray:
    return pin_letters(letters, SENDER, form, WINDOWS["gb"], DAY)


def test_many_letters_have_each_pin_once_on_its_page_and_are_overwritten() -> None:
    document = printed(*(letter(number) for number in range(1, 61)))
    text = pages(bytes(document))
    for number, page in enumerate(text, start=1):
        assert (page.count(f"{918000 + number}"), f"欧阳{number:03d}收" in page) == (1, True)
    whole = "".join(text)
    assert all(whole.count(f"{918000 + number}") == 1 for number in range(1, 61))
    size = len(document)
    overwrite(document)
    assert bytes(document) == bytes(size)


@pytest.mark.parametrize(("form", "darkest"), [(LetterForm.SCRATCH, 150), (LetterForm.SEALED, 0)])
def test_a_pin_is_grey_under_a_label_and_black_inside_a_sealed_letter(form: LetterForm, darkest: int) -> None:
    name = "阿卜杜热合曼·买买提依明江·𬱖𬱖"
    document = bytes(printed(letter(17, name=name), letter(18, kind=PinKind.PAYMENT), form=form))
    member, bank = pages(document)
    assert f"{name}017收" in member
    assert "石家庄铁道大学四方学院基层工会委员会" in member
    assert ("会员应用密码" in member, "银行应用脱机密码" in bank) == (True, True)
    assert ("Cardnumberendsin0017" in member, "6212260000000000017" in member) == (True, False)
    page = pypdfium2.PdfDocument(document)[0]
    position = page.get_textpage().search("918017").get_next()
    assert position is not None
    left, bottom, right, top = page.get_textpage().get_charbox(position[0])
    down, scale = page.get_height(), 4
    picture = page.render(scale=scale, grayscale=True).to_pil()
    upper, lower = int((down - top) * scale), int((down - bottom) * scale)
    digit = picture.crop((int(left * scale), upper, int(right * scale), lower))
    assert digit.getextrema()[0] == darkest
    height = (down - bottom) / 72 * 25.4
    assert FOLDS[0] + 20 < height < FOLDS[1] - 20, "inside the folded letter"


def test_a_letter_does_not_show_its_pin_when_printed_by_a_program() -> None:
    assert "918017" not in repr(letter(17))
    assert "欧阳" not in repr(letter(17))
