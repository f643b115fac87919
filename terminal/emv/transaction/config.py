"""Terminal configuration, a YAML file: type and capabilities of the terminal, and parameters of each application.

Every fault names line and field. Amounts are whole numbers in the smallest unit of the currency (fen), action
codes are five bytes. EMV 4.4 Book 4, 10.1-10.2 and Annex A; Book 3, 10.6-10.7; JR/T 0025.17 (DF69), 0025.13 (e-cash).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_5F36_CURRENCY_EXPONENT,
    TAG_9F01_ACQUIRER_IDENTIFIER,
    TAG_9F06_TERMINAL_AID,
    TAG_9F09_TERMINAL_VERSION,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F1B_FLOOR_LIMIT,
    TAG_9F1C_TERMINAL_IDENTIFICATION,
    TAG_9F1E_IFD_SERIAL_NUMBER,
    TAG_9F4E_MERCHANT_NAME,
    TAG_9F7B_ECASH_TERMINAL_LIMIT,
    TAG_9F15_MERCHANT_CATEGORY,
    TAG_9F16_MERCHANT_IDENTIFIER,
    TAG_9F33_TERMINAL_CAPABILITIES,
    TAG_9F35_TERMINAL_TYPE,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F39_POS_ENTRY_MODE,
    TAG_9F40_ADDITIONAL_CAPABILITIES,
    TAG_DF69_SM_INDICATOR,
)
from terminal.emv.transaction.yamlfile import parse_model, read_text
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol

CHIP_ENTRY: Final = b"\x05"
"""Point-of-service entry mode: read from the chip. ISO 8583:1987, field 22, first two digits."""
_KIND: Final = "terminal configuration"
_MOST_EXCEPTIONS: Final = 1_000_000


def _hex(text: str) -> str:
    try:
        return bytes.fromhex(text).hex().upper()
    except ValueError:
        raise ValueError("not an even number of hexadecimal digits") from None


def _dol(text: str) -> str:
    text = _hex(text)
    try:
        Dol.parse(bytes.fromhex(text))
    except TlvError as error:
        raise ValueError(f"not a data object list: {error}") from None
    return text


Hex = Annotated[str, AfterValidator(_hex)]
DolHex = Annotated[str, AfterValidator(_dol)]
ActionCode = Annotated[Hex, Field(min_length=10, max_length=10)]
Country = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
Amount = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
Percent = Annotated[int, Field(ge=0, le=99)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TerminalSettings(_Section):
    """The terminal: type, capabilities, merchant and acquirer. EMV 4.4 Book 4, Annex A1-A3."""

    country: Country
    currency: Country
    currency_exponent: int = Field(2, ge=0, le=9)
    type: str = Field(pattern=r"^([12][1-6]|3[4-6])$")
    """A terminal that the cardholder operates (3x) is never attended. EMV 4.4 Book 4, Annex A1, table 24."""
    capabilities: Hex = Field(min_length=6, max_length=6)
    additional_capabilities: Hex = Field(min_length=10, max_length=10)
    serial: str = Field("00000001", pattern=r"^[A-Za-z0-9]{8}$")
    terminal_id: str = Field("TERM0001", pattern=r"^[A-Za-z0-9]{8}$")
    merchant_id: str = Field("MERCHANT0000001", pattern=r"^[A-Za-z0-9 ]{15}$")
    merchant_category: Country = "5999"
    merchant_name: str = Field("MERCHANT", min_length=1, max_length=40, pattern=r"^[\x20-\x7e]+$")
    acquirer: str = Field("000000000000", pattern=r"^[0-9]{6,11}$|^[0-9]{12}$")
    pse: bool = True

    @property
    def code_tables(self) -> frozenset[int]:
        """The parts of ISO/IEC 8859 that the display supports, as 9F40 declares them. EMV 4.4 Book 4, Annex A3."""
        declared = int(self.additional_capabilities, 16)
        return frozenset(table for table in range(1, 11) if declared >> table - 1 & 1)

    @property
    def online_only(self) -> bool:
        """Terminal types x1 and x4. EMV 4.4 Book 4, Annex A1."""
        return self.type[1] in "14"

    @property
    def offline_only(self) -> bool:
        """Terminal types x3 and x6."""
        return self.type[1] in "36"


class RandomSelection(_Section):
    """Which transactions below the floor limit go online at random. EMV 4.4 Book 3, 10.6.2.

    Below ``threshold`` one in a hundred ``target``; from there the chance rises to ``maximum`` at the floor limit.
    """

    threshold: Amount = 0
    target: Percent = 0
    maximum: Percent = 0

    @model_validator(mode="after")
    def _rising(self) -> RandomSelection:
        if self.maximum < self.target:
            raise ValueError("the maximum percentage is below the target percentage (EMV 4.4 Book 3, 10.6.2)")
        return self


class ApplicationSettings(_Section):
    """Parameters of one application; ``partial`` allows longer names that begin with ``aid``."""

    aid: Hex = Field(min_length=10, max_length=32)
    name: str = Field("", max_length=40)
    partial: bool = True
    version: Hex = Field(min_length=4, max_length=4)
    floor_limit: Amount = 0
    random: RandomSelection = RandomSelection()
    tac_default: ActionCode
    tac_denial: ActionCode
    tac_online: ActionCode
    default_ddol: DolHex = "9F3704"
    default_tdol: DolHex | None = None
    sm: bool = False
    e_cash_limit: Amount = 0
    """Limit of one e-cash payment (9F7B); at 0 the terminal takes no e-cash."""

    @model_validator(mode="after")
    def _consistent(self) -> ApplicationSettings:
        if TAG_9F37_UNPREDICTABLE_NUMBER not in [entry.tag for entry in Dol.parse(bytes.fromhex(self.default_ddol))]:
            raise ValueError("the default DDOL must ask for 9F37 (EMV 4.4 Book 2, 6.5.1)")
        if self.random.threshold > self.floor_limit or (self.floor_limit and self.random.threshold == self.floor_limit):
            raise ValueError("the threshold for biased random selection must be below the floor limit")
        return self

    @property
    def aid_bytes(self) -> bytes:
        return bytes.fromhex(self.aid)


class PreparedApplication:
    """A configuration as transactions use it, computed once: ``TerminalConfig.prepared``. Immutable."""

    def __init__(self, terminal: TerminalSettings, applications: tuple[ApplicationSettings, ...]) -> None:
        self.terminal = terminal
        self.applications = applications
        self.code_tables = terminal.code_tables
        self.data: Mapping[int, bytes] = _terminal_data(terminal)
        self._by_aid = {entry.aid_bytes: (entry, _application_data(entry)) for entry in applications}

    def application(self, aid: bytes) -> tuple[ApplicationSettings, Mapping[int, bytes]]:
        """The entry with exactly that AID, and its data elements by tag. Raises KeyError where there is none."""
        return self._by_aid[aid]


class TerminalConfig(_Section):
    """A whole configuration. ``exceptions`` are card numbers, each with its sequence number or for all of them."""

    terminal: TerminalSettings
    applications: tuple[ApplicationSettings, ...] = Field(min_length=1)
    exception_file: str | None = None
    cda_mode: Literal[1, 2, 3, 4] = 1
    _exceptions: frozenset[tuple[str, int | None]] = PrivateAttr(frozenset())
    _prepared: PreparedApplication | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _distinct(self) -> TerminalConfig:
        aids = [application.aid for application in self.applications]
        if len(set(aids)) < len(aids):
            raise ValueError("an AID is listed twice")
        return self

    @property
    def exceptions(self) -> frozenset[tuple[str, int | None]]:
        """Card number and sequence number (None: every sequence) of each card in the exception file."""
        return self._exceptions

    def with_exceptions(self, listed: frozenset[tuple[str, int | None]]) -> TerminalConfig:
        """The same configuration with these cards in the exception file."""
        copy = self.model_copy()
        copy._exceptions = listed
        return copy

    @property
    def prepared(self) -> PreparedApplication:
        """This configuration as transactions use it."""
        prepared = self._prepared
        # model_copy copies private attributes, also where the copy has other sections.
        if prepared is None or prepared.terminal is not self.terminal or prepared.applications is not self.applications:
            prepared = self._prepared = PreparedApplication(self.terminal, self.applications)
        return prepared

    def application(self, aid: bytes) -> ApplicationSettings:
        """The entry with exactly that AID. Raises KeyError where there is none."""
        return self.prepared.application(aid)[0]

    def data(self, application: ApplicationSettings | None = None) -> dict[int, bytes]:
        """The terminal's data elements by tag, with those of one application. EMV 4.4 Book 3, Annex A."""
        data = _terminal_data(self.terminal)
        return data if application is None else data | _application_data(application)


def _terminal_data(own: TerminalSettings) -> dict[int, bytes]:
    return {
        TAG_9F1A_TERMINAL_COUNTRY: bytes.fromhex(own.country),
        TAG_5F2A_CURRENCY: bytes.fromhex(own.currency),
        TAG_5F36_CURRENCY_EXPONENT: bytes((own.currency_exponent,)),
        TAG_9F35_TERMINAL_TYPE: bytes.fromhex(own.type),
        TAG_9F39_POS_ENTRY_MODE: CHIP_ENTRY,
        TAG_9F33_TERMINAL_CAPABILITIES: bytes.fromhex(own.capabilities),
        TAG_9F40_ADDITIONAL_CAPABILITIES: bytes.fromhex(own.additional_capabilities),
        TAG_9F1E_IFD_SERIAL_NUMBER: own.serial.encode(),
        TAG_9F1C_TERMINAL_IDENTIFICATION: own.terminal_id.encode(),
        TAG_9F16_MERCHANT_IDENTIFIER: own.merchant_id.encode(),
        TAG_9F15_MERCHANT_CATEGORY: bytes.fromhex(own.merchant_category),
        TAG_9F4E_MERCHANT_NAME: own.merchant_name.encode(),
        TAG_9F01_ACQUIRER_IDENTIFIER: bytes.fromhex(own.acquirer.rjust(12, "0")),
    }


def _application_data(application: ApplicationSettings) -> dict[int, bytes]:
    return {
        TAG_9F06_TERMINAL_AID: application.aid_bytes,
        TAG_9F09_TERMINAL_VERSION: bytes.fromhex(application.version),
        TAG_9F1B_FLOOR_LIMIT: application.floor_limit.to_bytes(4, "big"),
        TAG_DF69_SM_INDICATOR: bytes((application.sm,)),
        TAG_9F7B_ECASH_TERMINAL_LIMIT: bytes.fromhex(f"{application.e_cash_limit:012d}"),
    }


def load_config(path: Path) -> TerminalConfig:
    """Read and check a configuration file and the exception file it names (relative to itself).

    Raises CodecError, one line for each fault with file, line and field.
    """
    config = parse_config(read_text(path, _KIND), str(path))
    if config.exception_file is None:
        return config
    listed = path.parent / config.exception_file
    return config.with_exceptions(parse_exceptions(read_text(listed, "exception file"), str(listed)))


@functools.cache
def shipped_config() -> TerminalConfig:
    """The shipped configuration of a counter terminal."""
    shipped = files("terminal.emv.transaction") / "terminals" / "counter.yaml"
    return parse_config(shipped.read_text(encoding="utf-8"), "terminals/counter.yaml")


def parse_config(text: str, name: str = _KIND) -> TerminalConfig:
    """Check configuration text; ``name`` stands before each line number in the messages. Raises CodecError."""
    return parse_model(TerminalConfig, text, name, _KIND)


def parse_exceptions(text: str, name: str = "exception file") -> frozenset[tuple[str, int | None]]:
    """Cards that must not be accepted: one card number a line, ``/`` and a sequence number if only that one is meant.

    ``#`` starts a comment. Raises CodecError with the line, never with the number. EMV 4.4 Book 4, 6.3.5.
    """
    cards: set[tuple[str, int | None]] = set()
    for at, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        number, slash, sequence = (part.strip() for part in entry.partition("/"))
        if not _digits(number, 8, 19) or (slash and not _digits(sequence, 1, 2)):
            raise CodecError(f"{name}:{at}: not a card number of 8 to 19 digits, with or without /sequence")
        cards.add((number, int(sequence) if slash else None))
        if len(cards) > _MOST_EXCEPTIONS:
            raise CodecError(f"{name}:{at}: more than {_MOST_EXCEPTIONS} cards")
    return frozenset(cards)


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most
