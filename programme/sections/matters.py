"""The section ``matters`` (事项): what members come to windows and the hotline with, and in how many days it is due."""

from __future__ import annotations

from pydantic import Field

from programme.wording import ProgrammeSection, Wording


class MatterKind(ProgrammeSection):
    """A kind of matter, such as a consultation or legal aid, due so many ``days`` after it was opened."""

    name: Wording
    days: int = Field(15, ge=0, le=366)
