"""The section of a card profile that says how cards are printed, and the texts that a printed card can have."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from personalize.profiles.fields import Section


class FaceText(StrEnum):
    """What a dossier holds for the face, by name; a card design says which of it is printed and where."""

    NAME = "name"
    UNIT = "unit"
    MEMBER_NUMBER = "member_number"
    CARD_NUMBER = "card_number"
    PAN = "pan"
    """The account number of the payment application; empty for a card without one."""
    VALID_FROM = "valid_from"
    """A day as YYYY-MM-DD, as ``valid_until``, which is that of the payment application where there is one."""
    VALID_UNTIL = "valid_until"


class FaceSection(Section):
    """Which design cards are printed with. A profile without this section prints nothing.

    ``bank`` chooses among the banks' marks of the design. ``digest`` pins the files of the design, as its signed proof
    shows it: at least 8 hexadecimal digits of its beginning; a changed design is then refused.
    """

    design: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")
    bank: str = Field("", pattern=r"^([a-z0-9][a-z0-9-]{0,39})?$")
    digest: str = Field("", pattern=r"^([0-9a-f]{8,64})?$")
