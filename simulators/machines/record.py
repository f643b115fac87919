"""What outlasts the power and the process of a simulated machine, in one small file that is replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from terminal.errors import ReaderFault


class BodyPlace(StrEnum):
    """Where the card in a machine is."""

    NONE = "none"
    BETWEEN = "between"
    """In the channel: the power failed, or the card jammed, in the middle of a move."""
    HOLDING = "holding"
    CHIP = "chip"
    ANTENNA = "antenna"
    HEAD = "head"
    """At a print head."""
    EXIT = "exit"
    """In the exit, where a person can take it."""


@dataclass(slots=True)
class BodyRecord:
    """``bound_for`` names the bin into which a card is being moved. ``output`` and ``reject`` count the cards that went
    into the bins, ``in_reject`` those that are in the reject bin since it was emptied, ``counter`` is the machine's own
    counter of rejected cards. ``faults`` and ``settings`` are the machine's business.
    """

    place: BodyPlace = BodyPlace.NONE
    bound_for: str = ""
    fed: int = 0
    output: int = 0
    reject: int = 0
    in_reject: int = 0
    counter: int = 0
    faults: tuple[str, ...] = ()
    settings: Mapping[str, str] | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """The record of a file; a new one where there is none. Raises ReaderFault."""
        try:
            record = cls(**json.loads(path.read_bytes()))
            record.place, record.faults = BodyPlace(record.place), tuple(record.faults)
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise ReaderFault(f"reading {path}: {error.strerror}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise ReaderFault(f"{path} is no record of a machine") from error
        return record

    def store(self, path: Path) -> None:
        """Whole or not at all. Raises ReaderFault."""
        beside = path.with_name(f".{path.name}.new")
        try:
            beside.write_text(json.dumps(asdict(self)))
            os.replace(beside, path)
        except OSError as error:
            raise ReaderFault(f"writing {path}: {error.strerror}") from error
