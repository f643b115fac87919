"""The declaration of a registration form: its columns, their titles, code lists, and which of them are required."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from personalize.errors import ProfileError
from personalize.intake.documents import named_document
from personalize.intake.header import FIELDS, NEEDED
from personalize.intake.text import squeeze
from personalize.profiles.fields import Section
from terminal.emv.transaction import yamlfile
from terminal.errors import CodecError

SHIPPED: Final = ("hebei", "beijing", "tianjin")
_WHAT: Final = "registration form"
_REMARK: Final = re.compile(r"[(（\[【].*?[)）\]】]|[*★:：]")
Text = Annotated[str, Field(min_length=1, max_length=60)]


class Column(Section):
    """A column. ``titles`` are its spellings; with ``levels``, one title for each level of the unit, the highest first.

    ``codes`` translate what a cell holds; a cell with anything else, or an empty one that is required, rejects the row.
    ``valid_until``: the day after which the row's document has expired; ``long_term`` are entries for no end.
    """

    titles: Annotated[tuple[Text, ...], Field(min_length=1)]
    required: bool = False
    codes: Annotated[dict[str, Text], Field(default_factory=dict)]
    levels: bool = False
    valid_until: bool = False
    long_term: tuple[Text, ...] = ()


class RosterForm(Section):
    """A registration form. ``columns`` names ours (id_number, name, gender, mobile, unit, document, seq) and, under any
    other name, those that are only checked. ``gender_from_id``: the form does not ask for the sex. ``confirmation``:
    the unit confirms the numbers of members and ID copies under its seal (annex 3), without which nobody approves."""

    name: Text
    federation: Annotated[str, Field(pattern=r"[0-9]{6}")]
    columns: dict[str, Column]
    gender_from_id: bool = False
    confirmation: bool = False

    @model_validator(mode="after")
    def _complete(self) -> RosterForm:
        lacking = [field for field in NEEDED if field not in self.columns]
        if lacking:
            raise ValueError(f"columns lack {' and '.join(lacking)}")
        if "gender" not in self.columns and not self.gender_from_id:
            raise ValueError("columns lack gender; gender_from_id takes it from the ID number")
        titles = [plain_title(title) for column in self.columns.values() for title in column.titles]
        if "" in titles:
            raise ValueError("a title has nothing beside its remark in brackets")
        if twice := sorted({title for title in titles if titles.count(title) > 1}):
            raise ValueError(f"two columns have the title {twice[0]}")
        for name, column in self.columns.items():
            if column.levels and name != "unit":
                raise ValueError(f"{name}: only the unit has levels")
            if name in FIELDS and column.valid_until:
                raise ValueError(f"{name}: a date of validity is a column of its own")
        self._check_codes()
        return self

    def _check_codes(self) -> None:
        """Raises ValueError for codes whose meanings no row could have."""
        genders = self.columns["gender"].codes if "gender" in self.columns else {}
        if genders and not {"男", "女"} <= set(genders.values()):
            raise ValueError("gender: the codes must have 男 and 女 among their meanings")
        for meaning in (self.columns["document"].codes if "document" in self.columns else {}).values():
            try:
                named_document(meaning)
            except ValueError:
                raise ValueError(f"document: {meaning} is no identity document that is known") from None


def plain_title(text: str) -> str:
    """A title as it is compared: without blanks, stars and remarks in brackets, in half width."""
    return _REMARK.sub("", squeeze(text)).lower()


def needs_confirmation(form: str | None) -> bool:
    """Whether a declared form comes with the unit's confirmation; not without a form. Raises ProfileError."""
    return form is not None and load_form(form).confirmation


def load_form(form: str) -> RosterForm:
    """A shipped form by its name, or that of a file. Raises ProfileError with a line for each fault."""
    try:
        if form in SHIPPED:
            text, name = (files("personalize") / "forms" / f"{form}.yaml").read_text(encoding="utf-8"), f"{form}.yaml"
        else:
            text, name = yamlfile.read_text(Path(form), _WHAT), form
        return yamlfile.parse_model(RosterForm, text, name, _WHAT)
    except CodecError as e:
        raise ProfileError(str(e)) from e
