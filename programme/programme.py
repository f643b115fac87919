"""The programme file of a federation: who it is, who takes part, and what members get. A YAML file; faults are reported
with file, line and field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from programme.benefit import Benefit, Code, Product
from programme.dates import ValidDates
from programme.eligibility import Division, Eligibility
from programme.errors import NotInProgramme, ProgrammeFileError
from programme.sections.claims import ClaimKind
from programme.sections.covers import Cover
from programme.sections.grants import GrantKind
from programme.sections.matters import MatterKind
from programme.sections.payouts import PayoutSection
from programme.sections.rush import TicketRush
from programme.wording import ProgrammeSection, Wording
from terminal.emv.transaction import yamlfile
from terminal.errors import CodecError

Location = tuple[str | int, ...]
"""The path of a field in the file."""
LineOf = Callable[[Location], int]

_KIND: Final = "programme file"
_EXAMPLES: Final = "examples"
_LEVELS: Final = ("city", "district", "station")


def _later(value: object) -> None:
    if value is not None:
        raise ValueError("this section is not in use yet; leave it out")


Later = Annotated[None, BeforeValidator(_later)]
"""A section with a reserved name."""


class ServiceWindow(ProgrammeSection):
    """A window (服务窗口) of the federation. Below a city's are those of districts, below these the stations."""

    level: Literal["city", "district", "station"]
    name: Wording
    under: Code | None = None
    division: Division | None = None


class Federation(ProgrammeSection):
    """The federation that runs the programme."""

    division: Division
    name: Wording
    hotline: Annotated[str, Field(pattern=r"^[0-9-]{3,20}$")] | None = None
    windows: dict[Code, ServiceWindow] = Field(default_factory=dict, max_length=2000)

    @model_validator(mode="after")
    def _levels(self) -> Federation:
        for code, window in self.windows.items():
            place = _LEVELS.index(window.level)
            if window.under is None:
                continue
            above = self.windows.get(window.under)
            if above is None:
                raise ValueError(f"window {code} is under {window.under}, which is not in the file")
            if _LEVELS.index(above.level) != place - 1:
                raise ValueError(f"window {code} is under {window.under}, which is not one level above it")
        return self


class Programme(ProgrammeSection):
    """A programme file. ``format`` is the version of its form; reserved sections belong to later versions."""

    format: Literal[1]
    programme: Code
    name: Wording
    valid: ValidDates
    federation: Federation
    eligibility: Eligibility = Eligibility()
    merchant_kinds: dict[Code, Wording] = Field(min_length=1, max_length=100)
    documents: dict[Code, Wording] = Field(default_factory=dict, max_length=50)
    benefits: dict[Code, Benefit] = Field(min_length=1, max_length=500)
    roster_forms: Later = None
    covers: dict[Code, Cover] = Field(default_factory=dict, max_length=20)
    claims: dict[Code, ClaimKind] = Field(default_factory=dict, max_length=100)
    grants: dict[Code, GrantKind] = Field(default_factory=dict, max_length=100)
    payouts: PayoutSection | None = None
    rush: dict[Code, TicketRush] = Field(default_factory=dict, max_length=200)
    partners: Later = None
    matters: dict[Code, MatterKind] = Field(default_factory=dict, max_length=100)

    @model_validator(mode="after")
    def _names(self) -> Programme:
        for code, benefit in self.benefits.items():
            for kind in benefit.merchants:
                if kind not in self.merchant_kinds:
                    raise ValueError(f"benefit {code} names {kind}, which is not among merchant_kinds")
            for document in benefit.show:
                if document not in self.documents:
                    raise ValueError(f"benefit {code} names {document}, which is not among documents")
        if len(on_card := [code for code, cover in self.covers.items() if cover.on_card]) > 1:
            raise ValueError(f"covers {', '.join(on_card)} are on_card: a chip has the last day of one cover")
        for code, claim in self.claims.items():
            if claim.cover is not None and claim.cover not in self.covers:
                raise ValueError(f"claim {code} names {claim.cover}, which is not among covers")
            for document in claim.documents:
                if document not in self.documents:
                    raise ValueError(f"claim {code} names {document}, which is not among documents")
        for code, rush in self.rush.items():
            if rush.benefit is None:
                continue
            if rush.benefit not in self.benefits:
                raise ValueError(f"rush {code} names {rush.benefit}, which is not among benefits")
            if self.benefits[rush.benefit].stock:
                raise ValueError(
                    f"rush {code} is of {rush.benefit}, which has a stock: the lots of a rush are its stock"
                )
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the programme's values, as ``to_json`` has them: equal digests mean equal programmes."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The values as a JSON object, which ``from_json`` reads. Sections that are not used are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Programme:
        """Raises ProgrammeFileError."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ProgrammeFileError(f"this is no programme of this version: {place}: {first['msg']}") from None

    def offer(self, code: str) -> Offer:
        """A benefit with what the programme says about all. Raises NotInProgramme."""
        if code not in self.benefits:
            raise NotInProgramme(f"there is no benefit {code} in the programme; it has {', '.join(self.benefits)}")
        benefit = self.benefits[code]
        common = self.eligibility
        if common.federations is None:
            common = common.model_copy(update={"federations": (self.federation.division,)})
        return Offer(code, benefit, self.valid, common, tuple(self.documents[name] for name in benefit.show))

    def offers(self) -> Iterator[Offer]:
        """Every benefit, in the order of the file."""
        return map(self.offer, self.benefits)


@dataclass(frozen=True, slots=True)
class Offer:
    """A benefit as a counter offers it. ``common`` is the eligibility of the whole programme: without federations in
    the file, members of its own. ``documents`` is what the cashier looks at."""

    code: str
    benefit: Benefit
    valid: ValidDates
    common: Eligibility
    documents: tuple[Wording, ...]

    def product(self, code: str) -> Product:
        """Raises NotInProgramme."""
        products = self.benefit.products
        if code not in products:
            raise NotInProgramme(f"benefit {self.code} has no product {code}; it has {', '.join(products)}")
        return products[code]


@dataclass(frozen=True, slots=True)
class ProgrammeFile:
    """A programme with the places of its fields in the file."""

    name: str
    programme: Programme
    line: LineOf


def load_programme(path: Path) -> ProgrammeFile:
    """Read a programme file. Raises ProgrammeFileError with one line for each fault, naming file, line and field."""
    try:
        text = yamlfile.read_text(path, _KIND)
    except CodecError as error:
        raise ProgrammeFileError(str(error)) from error
    return parse_programme(text, str(path))


@lru_cache(maxsize=16)
def parse_programme(text: str, name: str) -> ProgrammeFile:
    """Read the text of a programme file; ``name`` stands before each line number. Raises ProgrammeFileError."""
    try:
        programme, line = yamlfile.parse_located(Programme, text, name, _KIND)
    except CodecError as error:
        raise ProgrammeFileError(str(error)) from error
    return ProgrammeFile(name, programme, line)


def examples() -> list[str]:
    """The names of the programmes that are shipped as examples."""
    listed = (path.name for path in (files("programme") / _EXAMPLES).iterdir())
    return sorted(name.removesuffix(".yaml") for name in listed if name.endswith(".yaml"))


def example(name: str) -> ProgrammeFile:
    """A shipped example. Raises NotInProgramme."""
    if name not in examples():
        raise NotInProgramme(f"there is no example {name}; there are {', '.join(examples())}")
    path = files("programme") / _EXAMPLES / f"{name}.yaml"
    return parse_programme(path.read_text(encoding="utf-8"), f"{_EXAMPLES}/{name}.yaml")
