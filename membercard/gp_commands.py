"""`membercard gp`: look at and manage what is on a GlobalPlatform card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from membercard import output
from membercard.card_commands import card_in
from membercard.gp_keys import custody_for, new_key_set, source
from terminal.apdu import Atr, Command, Transport, stack
from terminal.apdu.describe import describe
from terminal.errors import AtrError, CardMalformed, CardRefused, CodecError, MembercardError
from terminal.globalplatform import (
    C_ENC,
    Aid,
    Authentication,
    CapFile,
    Cplc,
    DgiPart,
    Entry,
    Guard,
    Privileges,
    Scope,
    SecurityDomain,
    SecurityLevel,
    Structure,
)
from terminal.globalplatform.cplc import as_date
from terminal.keys import Algorithm, Diversification, MemoryCustody, Purpose, Scp
from terminal.tlv import dgi

app = typer.Typer(help=__doc__)


class Protocol(StrEnum):
    AUTO = "auto"
    SCP02 = "02"
    SCP03 = "03"


class Format(StrEnum):
    DGI = "dgi"
    BER = "ber"
    NONE = "none"


Reader = Annotated[str, typer.Option("--reader", help="Reader URL: pcsc:NAME, pcsc:INDEX or sim:CARDFILE.")]
Channel = Annotated[Protocol, typer.Option("--scp", help="Secure channel protocol; auto takes what the card speaks.")]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="MEMBERCARD_GP_KEY",
        help="HEX, ENC:MAC:DEK in hex, or the name of a key in the keystore; the stock master if not given.",
        show_default=False,
    ),
]
KeyVersion = Annotated[int, typer.Option(min=0, max=255, help="Key version to ask for; 0 is the card's first.")]
Method = Annotated[Diversification, typer.Option("--diversification", help="How the card's keys come from the key.")]
Level = Annotated[str, typer.Option(metavar="HEX", help="Security level: 01 C-MAC, 02 C-ENC, 10 R-MAC, 20 R-ENC, added.")]
ScpOption = Annotated[str, typer.Option("--i", metavar="HEX", help="SCP02 implementation option: 15 or 55.")]
