"""A programme edition in a demo: handed in by one person, signed by another, and at the counter."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from membercard import output, settings
from membercard.wiring.counter_lists import LIST_KEY, key_file
from membercard.wiring.programme_edition import PROGRAMME
from personalize.lists import public_key
from programme.programme import parse_programme
from programme.publishing import propose, publish
from registry.admin.programmes import ProgrammeEditionFile
from registry.store import Registry
from terminal.keys import MemoryCustody

FILE: Final = "programme.yaml"


def publish_programme(
    registry: Registry, custody: MemoryCustody, home: Path, text: str, *, first: str, second: str
) -> ProgrammeEditionFile:
    """Write a programme file into ``home``. One person hands it in, and another publishes it for the counter there."""
    (home / FILE).write_text(text, encoding="utf-8")
    signer = custody.latest("list-signer")
    proposal = propose(registry, parse_programme(text, str(home / FILE)), text, by=first)
    edition = publish(
        registry,
        proposal.number,
        public_key(custody.info(signer)),
        lambda message: custody.sign(signer, message),
        by=second,
        zone=settings.load().zone,
    )
    for name, content in ((PROGRAMME, edition.signed), (LIST_KEY, key_file(custody))):
        output.write_file(home / name, content, public=True)
    return edition
