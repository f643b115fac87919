"""The card profile of a scripted year: the shipped one with the federation and the benefit classes of its programme."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from programme.card_entries import entitlements
from programme.programme import Programme
from terminal.member.values import Period

_NAMES: Final = {kind: kind.name.lower() for kind in Period}
MEMBER: Final = "union-member.yaml"
BANK: Final = "union-member-bank.yaml"


def write_profile(
    home: Path, programme: Programme, on: date, shipped: str = MEMBER, *, bank: str = "", accounts: str = ""
) -> Path:
    """Write the profile into ``home``. The cards count what the programme says, in the periods of that day; ``bank``
    names the profile of another bank, whose accounts begin with ``accounts``."""
    yaml = YAML()
    profile = yaml.load((files("personalize") / "profiles" / shipped).read_text(encoding="utf-8"))
    division = programme.federation.division
    profile |= {"scheme": division, "member_number": {"prefix": division}}
    profile["member"]["entitlements"] = [
        {
            "benefit_class": entry.benefit_class,
            "limit": entry.limit,
            "period": _NAMES[entry.period],
            "start": entry.start.isoformat(),
        }
        for entry in entitlements(programme, on)
    ]
    if accounts:
        profile["profile"] = f"{profile['profile']}-{bank}"
        profile["payment"]["pan"]["prefix"] = accounts
    path = home / f"profile{bank and '-'}{bank}.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(profile, file)
    return path
