"""Made-up cards for the proof of a design: short and long names, units of one and of two lines."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from personalize.encoding import years_after
from personalize.profiles.face import FaceText
from personalize.profiles.fields import luhn_digit

_NAMES: Final = ("张伟", "王小芳", "欧阳建国", "李娜", "买买提·艾力", "赵静", "诸葛明轩", "刘洋", "孙波磊", "陈晓明")
_UNITS: Final = ("示例机械厂工会", "示例市第一建筑工程集团有限责任公司第三分公司工会委员会")
_BACKGROUNDS: Final = ("#8fb8dd", "#ffffff", "#c8463c")
_PREFIX: Final = "9156130000"


def specimen_texts(number: int, day: date) -> dict[str, str]:
    """The texts of a made-up card; ``number`` from 0."""
    body, account = f"{_PREFIX}{number + 1:08d}", f"62109713{number + 1:010d}"
    return {
        FaceText.NAME.value: _NAMES[number % len(_NAMES)],
        FaceText.UNIT.value: _UNITS[number % len(_UNITS)],
        FaceText.MEMBER_NUMBER.value: f"13000{number + 1:07d}",
        FaceText.CARD_NUMBER.value: body + luhn_digit(body),
        FaceText.PAN.value: account + luhn_digit(account),
        FaceText.VALID_FROM.value: day.isoformat(),
        FaceText.VALID_UNTIL.value: years_after(day, 10).isoformat(),
    }


def specimen_photo(number: int = 0) -> bytes:
    """A drawn head, which is nobody's."""
    image = Image.new("RGB", (480, 640), _BACKGROUNDS[number % len(_BACKGROUNDS)])
    draw = ImageDraw.Draw(image)
    draw.ellipse((58, 430, 422, 900), fill="#20304f")
    draw.polygon([(196, 440), (284, 440), (240, 566)], fill="#f4f4f4")
    draw.rounded_rectangle((204, 350, 276, 460), 30, fill="#e3b493")
    draw.ellipse((152, 128, 328, 402), fill="#efc4a2")
    draw.pieslice((140, 108, 340, 336), 180, 360, fill="#241a16")
    picture = BytesIO()
    image.save(picture, "JPEG", quality=90)
    return picture.getvalue()
