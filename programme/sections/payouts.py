"""The section ``payouts``: the banks that pay, and the form of their files."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from programme.benefit import Code
from programme.paying.form import bank_forms
from programme.wording import ProgrammeSection, Wording


class PayingBank(ProgrammeSection):
    """A bank. ``accounts`` are the first digits of the accounts that it pays to, all of them where it is empty;
    ``mac_key`` is the transport key that only this bank and the union have."""

    name: Wording
    form: Code
    accounts: tuple[Annotated[str, Field(pattern=r"^[0-9]{1,19}$")], ...] = Field((), max_length=100)
    mac_key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)] = "zmk"

    @model_validator(mode="after")
    def _known(self) -> PayingBank:
        if self.form not in bank_forms():
            raise ValueError(f"there is no form {self.form} of bank files; there are {', '.join(sorted(bank_forms()))}")
        return self

    def accepts(self, account: str) -> bool:
        """Whether the bank pays to this account."""
        return not self.accounts or account.startswith(self.accounts)


class PayoutSection(ProgrammeSection):
    """The banks by their codes, of at most 12 characters, as their files have them."""

    banks: dict[Annotated[Code, Field(max_length=12)], PayingBank] = Field(min_length=1, max_length=20)
