"""A benefit and its rules, as the programme file has them. docs/programme.md explains each with an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from programme.dates import MonthDay, OpenHours, SaleWindow, ValidDates, YearlyDay
from programme.eligibility import Eligibility
from programme.wording import Percent, ProgrammeSection, Wording, Yuan

Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]
"""A name within the file: small letters, digits and hyphens."""
Counting = Literal["card", "office", "none"]
"""Where uses are counted: DF28 on the chip, the registry, or nowhere."""
NEW_YEAR: Final = MonthDay(1, 1)
WHOLE: Final = 10_000
"""100 percent in hundredths of a percent."""


class PriceCap(ProgrammeSection):
    """The most that a member saves: at one use, and in a calendar month."""

    use: Yuan | None = None
    month: Yuan | None = None

    @model_validator(mode="after")
    def _some(self) -> PriceCap:
        if self.use is None and self.month is None:
            raise ValueError("a cap is one of a use or of a month")
        return self


class PriceRule(ProgrammeSection):
    """What a member pays: a percentage of the list price, a fixed price, or an amount off from a threshold.

    ``list_price`` is that of one unit; without it the cashier enters it, by the name ``basis``.
    """

    list_price: Yuan | None = Field(None, alias="list")
    basis: Wording | None = None
    percent: Percent | None = None
    fixed: Yuan | None = None
    off: Yuan | None = None
    threshold: Yuan = Field(0, alias="from")
    cap: PriceCap | None = None

    @model_validator(mode="after")
    def _one(self) -> PriceRule:
        if sum(rule is not None for rule in (self.percent, self.fixed, self.off)) != 1:
            raise ValueError("a price is one of percent, fixed or off")
        if self.threshold and self.off is None:
            raise ValueError("from is the threshold of off")
        if self.list_price is not None and self.basis is not None:
            raise ValueError("basis names what the cashier enters; with list the price is in the file")
        if self.cap is not None and self.fixed is not None and self.list_price is None:
            raise ValueError("a cap on what a member saves needs the list price")
        return self

    @property
    def entered(self) -> bool:
        """Whether the cashier enters the list price."""
        return self.list_price is None and self.fixed is None


class Fee(ProgrammeSection):
    """An amount that is added for each unit, where a question has the answer yes (``when``) or no (``unless``)."""

    name: Wording
    amount: Yuan
    when: Code | None = None
    unless: Code | None = None

    @model_validator(mode="after")
    def _either(self) -> Fee:
        if self.when is not None and self.unless is not None:
            raise ValueError("a fee has when or unless, not both")
        return self

    def due(self, answers: frozenset[str]) -> bool:
        """Whether it is added, with these questions answered yes."""
        return (self.when is None or self.when in answers) and (self.unless is None or self.unless not in answers)


class Threshold(ProgrammeSection):
    """A number that a product asks for, say 15,000 points."""

    measure: Code
    least: int = Field(ge=1)
    name: Wording


class Grant(ProgrammeSection):
    """What a use gives for some months from its day on, say a gold membership."""

    name: Wording
    months: int = Field(ge=1, le=120)


class Product(ProgrammeSection):
    """One of the things that a benefit offers, with its price."""

    name: Wording
    price: PriceRule
    fees: tuple[Fee, ...] = Field((), max_length=10)
    within_months_of_issue: int | None = Field(None, ge=1, le=120)
    after: Code | None = None
    needs_any: tuple[Threshold, ...] = Field((), max_length=10)
    gives: Grant | None = None


class UseLimit(ProgrammeSection):
    """How often one member may have a benefit: in a period, in each season of ``sold``, once for ever, or at an event.

    ``starts`` is the first day of the year for quarters and years; a month takes its day of the month.
    """

    count: int = Field(ge=1)
    per: Literal["day", "month", "quarter", "year", "season", "lifetime", "event"]
    starts: YearlyDay = NEW_YEAR
    products: tuple[Code, ...] = Field((), max_length=50)

    def covers(self, product: str) -> bool:
        return not self.products or product in self.products


class Phase(ProgrammeSection):
    """One step of a sequence: a product, and how many uses of it lead to the next step. Without ``uses`` it is the last
    step."""

    product: Code
    uses: int | None = Field(None, ge=1, le=1000)


class LimitedStock(ProgrammeSection):
    """A number of units for all members together, at one place and on certain days."""

    name: Wording
    units: int = Field(ge=1)
    days: ValidDates | None = None
    hours: OpenHours | None = None
    products: tuple[Code, ...] = Field((), max_length=50)

    def covers(self, product: str) -> bool:
        return not self.products or product in self.products


class Benefit(ProgrammeSection):
    """What members get from a kind of merchant, with every rule about it. ``text`` is a note for the cashier;
    ``pin``: the card counts a use only after its PIN."""

    name: Wording
    text: Wording | None = None
    merchants: tuple[Code, ...] = Field(min_length=1, max_length=50)
    counted: Counting
    benefit_class: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = Field(None, alias="class")
    pin: Literal[True] | None = None
    eligibility: Eligibility = Eligibility()
    show: tuple[Code, ...] = Field((), max_length=10)
    questions: dict[Code, Wording] = Field(default_factory=dict, max_length=10)
    sold: tuple[SaleWindow, ...] = Field((), max_length=50)
    limits: tuple[UseLimit, ...] = Field((), max_length=10)
    phases: tuple[Phase, ...] = Field((), max_length=20)
    stock: dict[Code, LimitedStock] = Field(default_factory=dict, max_length=100)
    products: dict[Code, Product] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _names(self) -> Benefit:
        for what, code, known in self._references():
            if code not in known:
                raise ValueError(f"{what} names {code}, which this benefit does not have")
        if (self.benefit_class is None) != (self.counted != "card"):
            raise ValueError("a benefit that the card counts has a class, and no other has one")
        if self.pin and self.counted != "card":
            raise ValueError("only the card can ask for its PIN: counted: card")
        if not self.sold and any(limit.per == "season" for limit in self.limits):
            raise ValueError("a limit per season needs the seasons: the windows of sold")
        return self

    def _references(self) -> Iterator[tuple[str, str, Mapping[str, object]]]:
        """Every name that stands for another part of the benefit, with the parts that there are."""
        for limit in self.limits:
            yield from (("limits", code, self.products) for code in limit.products)
        for stock in self.stock.values():
            yield from (("stock", code, self.products) for code in stock.products)
        yield from (("phases", phase.product, self.products) for phase in self.phases)
        for product in self.products.values():
            if product.after is not None:
                yield "after", product.after, self.products
            yield from (
                ("fees", code, self.questions)
                for fee in product.fees
                for code in (fee.when, fee.unless)
                if code is not None
            )

    @property
    def card_limit(self) -> UseLimit | None:
        """The limit that the chip counts: the first that is not per event; None where the chip counts nothing."""
        if self.counted != "card":
            return None
        return next((limit for limit in self.limits if limit.per != "event"), None)
