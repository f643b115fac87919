"""The row of a data element in a table, and the codec of its value. EMV 4.4 Book 3, Annex A."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

from terminal.errors import CodecError
from terminal.tlv import DolFormat, Tag

T = TypeVar("T")
Vectors: TypeAlias = tuple[tuple[str, Any], ...]
"""Pairs of encoded hex and value."""


class Source(StrEnum):
    """The source of an element."""

    CARD = "card"
    TERMINAL = "terminal"
    ISSUER = "issuer"


class Personal(Enum):
    """How much of a value is shown while personal data are masked."""

    NO = "shown"
    PAN = "first six and last four digits"
    HIDDEN = "nothing but its length"


class ElementPart(NamedTuple):
    """One line of an explanation: a part of the value, and its meaning."""

    name: str
    text: str


def _no_name(tag: Tag) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Context:
    """Context of an explanation: the currency of the data around the value (numeric), and the names of tags."""

    currency: str | None = None
    name: Callable[[Tag], str] = field(default=_no_name)


class Codec(ABC, Generic[T]):
    """How values become bytes and back. Never instantiated: the class is the codec.

    ``VECTORS`` are pairs of encoded hex and value, which ``read`` and ``write`` turn into each other.
    """

    VECTORS: ClassVar[Vectors]
    VERBATIM: ClassVar[bool] = False
    """Whether ``text`` is a text of the card or the terminal as it is, no word of ours that could be translated."""

    @classmethod
    @abstractmethod
    def read(cls, data: bytes) -> T:
        """The value. Raises CodecError; its message shows no value."""

    @classmethod
    @abstractmethod
    def write(cls, value: T, length: int) -> bytes:
        """The bytes; where a value does not say how many, at least ``length``. Raises CodecError."""

    @classmethod
    def text(cls, value: T, context: Context) -> str:
        """The meaning of the value, on one line."""
        return str(value)

    @classmethod
    def parts(cls, value: T, context: Context) -> tuple[ElementPart, ...]:
        """The meaning of its parts, in order; empty for a value without any."""
        return ()


@dataclass(frozen=True, slots=True)
class Element(Generic[T]):
    """A data element: a row. ``min`` and ``max`` are bytes; ``template`` are the templates it may stand in.

    ``scheme`` is "EMV" or the application whose meaning this is. An element that is ``contextual`` has this meaning
    inside its templates only.
    """

    tag: Tag
    name: str
    format: DolFormat
    min: int
    max: int
    source: Source
    template: tuple[int, ...]
    codec: type[Codec[T]]
    scheme: str = "EMV"
    personal: Personal = Personal.NO
    contextual: bool = False

    def decode(self, data: bytes) -> T:
        """The Python value. Raises CodecError for a wrong length or content, naming the element and no value."""
        self._check_size(data)
        try:
            return self.codec.read(data)
        except CodecError as error:
            raise self._fault(str(error)) from None

    def encode(self, value: T) -> bytes:
        """The bytes of a value. Raises CodecError for one that does not fit."""
        try:
            data = self.codec.write(value, self.min)
        except CodecError as error:
            raise self._fault(str(error)) from None
        self._check_size(data)
        return data

    def _check_size(self, data: bytes) -> None:
        if not self.min <= len(data) <= self.max:
            length = str(self.min) if self.min == self.max else f"{self.min} to {self.max}"
            raise self._fault(f"{len(data)} bytes where {length} are possible")

    def _fault(self, reason: str) -> CodecError:
        return CodecError(f"{self.tag} ({self.name}): {reason}")
