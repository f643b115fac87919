"""A person as a roster names them: identity document, name, sex and mobile number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from registry.db.privacy import mask_id, mask_mobile, mask_name
from terminal.member.values import IdType, Sex

_GB_FORM: Final = re.compile(r"[0-9]{17}[0-9X]")
_GENDERS: Final = {"男": Sex.MALE, "女": Sex.FEMALE}


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Personal data in clear; ``repr`` and ``str`` show them masked.

    ``to_fields`` gives the form that is sealed. A field added later needs a default, which rows sealed before take.
    """

    id_number: str
    name: str
    sex: Sex
    mobile: str
    document_type: IdType = IdType.RESIDENT_ID

    @property
    def gender(self) -> str:
        """The sex as rosters spell it: 男 or 女."""
        return "男" if self.sex is Sex.MALE else "女"

    @property
    def identity_key(self) -> str:
        """What a person is found by: the number, with the document's type where its form alone does not identify it."""
        return identity_key(self.id_number, self.document_type)

    @property
    def number_on_card(self) -> str:
        """The number as 9F61 takes it: letters and digits, without the words of an officer's card (南字第…号)."""
        return "".join(character for character in self.id_number if character.isascii() and character.isalnum())

    @property
    def id_masked(self) -> str:
        return mask_id(self.id_number)

    @property
    def name_masked(self) -> str:
        return mask_name(self.name)

    @property
    def mobile_masked(self) -> str:
        return mask_mobile(self.mobile)

    def to_fields(self) -> dict[str, str | int]:
        """Every field by its name, as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Person:
        """The inverse of ``to_fields``; other names are ignored. Old rows have ``gender`` instead of ``sex``."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        known["sex"] = Sex(known["sex"]) if "sex" in known else sex_of(values["gender"])
        known["document_type"] = IdType(known.get("document_type", IdType.RESIDENT_ID))
        return cls(**known)

    def __repr__(self) -> str:
        return f"<Person {self.name_masked} {self.id_masked}>"


def sex_of(gender: str) -> Sex:
    """The sex that a roster spells 男 or 女. Raises KeyError for another spelling."""
    return _GENDERS[gender]


def identity_key(number: str, document_type: IdType) -> str:
    """The number of GB 11643, which nobody else has, or another with the type of its document."""
    return number if _GB_FORM.fullmatch(number) else f"{number}/{document_type.value}"
