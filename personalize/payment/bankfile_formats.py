"""The formats of bank data files that this program knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from personalize.payment.bankfile import BankFormat
from personalize.payment.bankfile_dp import DpFormat

FORMATS: Final[Mapping[str, BankFormat]] = MappingProxyType({"dp": DpFormat(), "dp-tr31": DpFormat(key_blocks=True)})
"""Formats by the name that commands use. A bank's own format is one more line here and one more module."""
