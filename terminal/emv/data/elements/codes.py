"""Code lists that data elements point into: countries, currencies, known applications.

``tables/countries.csv`` is the whole of ISO 3166-1, ``tables/currencies.csv`` list one of ISO 4217 as published on
2026-01-01; docs/emv-elements.md says their source.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Country:
    """A country of ISO 3166-1; ``numeric`` has three digits."""

    numeric: str
    alpha2: str
    alpha3: str
    name: str


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of ISO 4217; ``minor_units`` are its decimals, None where it has none (gold)."""

    numeric: str
    alpha3: str
    minor_units: int | None
    name: str


def country(code: str) -> Country | None:
    """The country with that numeric, two-letter or three-letter code."""
    return _countries().get(code)


def currency(code: str) -> Currency | None:
    """The currency with that numeric or three-letter code."""
    return _currencies().get(code)


def country_text(code: str) -> str:
    """``China (156, CN)``, or the bare code where ISO 3166 does not have it."""
    row = country(code)
    return f"{row.name} ({row.numeric}, {row.alpha2})" if row else f"{code}, no country of ISO 3166"


def currency_text(code: str) -> str:
    """``Yuan Renminbi (156, CNY)``, or the bare code where ISO 4217 does not have it."""
    row = currency(code)
    return f"{row.name} ({row.numeric}, {row.alpha3})" if row else f"{code}, no currency of ISO 4217"


def amount_text(minor: int, code: str | None) -> str:
    """``CNY 12.34`` where the currency is known, else the bare number of its smallest units."""
    row = currency(code) if code is not None else None
    if row is None or row.minor_units is None:
        return f"{minor} (smallest units)"
    return f"{row.alpha3} {money(minor, row.minor_units)}"


@lru_cache(maxsize=64)
def price(minor: int, code: str, exponent: int) -> str:
    """``CNY 1,234.56``: an amount with the decimals of the terminal (5F36), not of ISO 4217; ``code`` may have a zero
    in front, as in 5F2A. An unknown currency is shown by its code."""
    row = currency(code[-3:])
    return f"{row.alpha3 if row else code} {money(minor, exponent)}"


def money(minor: int, exponent: int) -> str:
    """``1,234.56``: an amount of the smallest unit for display."""
    whole, rest = divmod(minor, 10**exponent)
    return f"{whole:,}.{rest:0{exponent}d}" if exponent else f"{whole:,}"


def application_text(aid: bytes) -> str:
    """The name of an application by the longest known beginning of its identifier; empty for a foreign one."""
    for length in range(len(aid), 4, -1):
        if (name := APPLICATIONS.get(aid[:length].hex().upper())) is not None:
            return name
    return ""


@cache
def _countries() -> dict[str, Country]:
    rows = [Country(**row) for row in _rows("countries.csv")]
    return {code: row for row in rows for code in (row.numeric, row.alpha2, row.alpha3)}


@cache
def _currencies() -> dict[str, Currency]:
    rows = [
        Currency(row["numeric"], row["alpha3"], int(row["minor_units"]) if row["minor_units"] else None, row["name"])
        for row in _rows("currencies.csv")
    ]
    return {code: row for row in rows for code in (row.numeric, row.alpha3)}


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files(__package__).joinpath("tables", name).read_text("utf-8").splitlines()))


APPLICATIONS: Final = MappingProxyType(
    {
        "315041592E5359532E4444463031": "Payment System Environment (1PAY.SYS.DDF01)",
        "325041592E5359532E4444463031": "Proximity Payment System Environment (2PAY.SYS.DDF01)",
        "A000000333": "UnionPay / PBOC",
        "A000000333010101": "UnionPay / PBOC debit",
        "A000000333010102": "UnionPay / PBOC credit",
        "A000000333010103": "UnionPay / PBOC quasi-credit",
        "A000000333010106": "UnionPay / PBOC electronic cash",
        "A000000333010108": "UnionPay US common debit",
        "A000000632010105": "Transit card of JT/T 978, electronic cash",
        "A000000632010106": "Transit card of JT/T 978, electronic purse",
        "A000000003": "Visa",
        "A0000000031010": "Visa credit or debit",
        "A0000000032010": "Visa Electron",
        "A0000000032020": "Visa V PAY",
        "A0000000038010": "Visa Plus",
        "A000000004": "Mastercard",
        "A0000000041010": "Mastercard credit or debit",
        "A0000000043060": "Maestro",
        "A0000000046000": "Cirrus",
        "A000000025": "American Express",
        "A00000002501": "American Express",
        "A000000065": "JCB",
        "A0000000651010": "JCB",
        "A000000152": "Discover",
        "A0000001523010": "Discover / Diners Club",
        "A000000324": "Discover ZIP",
        "A000000277": "Interac",
        "A0000002771010": "Interac",
        "A000000524": "RuPay",
        "A0000005241010": "RuPay",
        "A000000658": "Mir",
        "A0000006581010": "Mir credit or debit",
        "A000000359": "girocard (Deutsche Kreditwirtschaft)",
        "A0000000421010": "Cartes Bancaires",
        "A000000384": "eftpos Australia",
        "A000000228": "SPAN, Saudi Arabia",
        "A000000098": "US common debit, Visa",
        "A0000000980840": "US common debit, Visa",
        "A0000000042203": "US common debit, Mastercard",
        "A000000151": "GlobalPlatform",
        "A000000151000000": "GlobalPlatform issuer security domain",
    }
)
"""Applications by the beginning of their identifiers: the registered RID alone, or RID and product."""
