"""`membercard ecard`: e-cards: codes to sign telephones in, their end, lists for counters, and verification."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By, ByOrMachine
from membercard.errors import SettingsError
from membercard.language import Language, text
from membercard.wiring import identity
from membercard.wiring.counter_lists import key_in_use, load_lists
from membercard.wiring.programme_edition import published_edition
from terminal.secret import Secret

if TYPE_CHECKING:
    from reader_service.services.programme.ecard_issuer import EcardIssuer
    from registry.store import Registry
    from terminal.ecard.lists import EcardList
    from terminal.keys import KeyCustody

app = typer.Typer()

ECARDS: Final = "ecards.json"
"""The file in the folder that counters are given."""
_SEEN: Final = "seen-ecards"
_ENDS: Final = {
    "again": "signed in elsewhere",
    "staff": "ended by the union",
    "lost": "lost",
    "damaged": "damaged",
    "expired": "expired",
    "withdrawn": "withdrawn",
    "replaced": "replaced",
}

Card = Annotated[str, typer.Argument(help="The number of the member's card.", show_default=False)]


@app.command("code")
def issue_code(card: Card, by: By = None, json: output.Json = False) -> None:
    """Give a member the one-time code that signs a telephone in. It is shown once; an earlier one ends.

    Example: membercard ecard code 6212260000000017
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        issued = registry.ecard_codes.issue(card, by=person)
    digits = issued.code.reveal().decode()
    if json:
        output.as_json({"code": digits, "expires_at": issued.expires_at})
    else:
        output.say("code {code}, until {end}; three tries", code=digits, end=output.local_time(issued.expires_at))
    identity.note_unproven(person)


@app.command("sign-in")
def sign_in(
    card: Card,
    key: Annotated[
        str,
        typer.Option(help="The public key of the telephone: a compressed point, hex.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file for what the telephone stores.", show_default=False)
    ],
) -> None:
    """Sign a telephone in. Last six of the ID number and code are two lines of standard input. Exit code 1: refused.

    Example: membercard ecard sign-in 6212260000000017 --key 02AB -o phone.json
    """
    from registry.ecards.values import PhoneSignIn, SignInRefused

    id_tail, code = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        issuer = _issuer(keystore, registry)
        answer = registry.ecard_devices.sign_in(PhoneSignIn(card, id_tail, code, _key_bytes(key)))
        if isinstance(answer, SignInRefused):
            output.say("refused: {why}", why=answer.zh if language.current() is Language.CHINESE else answer.en)
            raise typer.Exit(1)
        terms = registry.ecard_devices.delegate(answer.session)
        _store(out, answer.session, issuer.delegation(terms))
    output.say("signed in; the e-card is shown without a network until {end}", end=output.local_time(terms.until))


@app.command("renew")
def renew(
    file: Annotated[Path, typer.Argument(help="The file of the telephone, which sign-in wrote.", show_default=False)],
) -> None:
    """Renew the days of a telephone that is signed in."""
    import json

    try:
        session = Secret(bytes.fromhex(json.loads(file.read_text("ascii"))["session"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise SettingsError(f"{file} is not the file of a telephone that is signed in") from None
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        issuer = _issuer(keystore, registry)
        terms = registry.ecard_devices.delegate(session)
        _store(file, session, issuer.delegation(terms))
    output.say("the e-card is shown until {end}", end=output.local_time(terms.until))


@app.command("verify")
def verify(
    code: Annotated[str, typer.Argument(help="The code of the e-card, as it was scanned.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Verify an e-card at this counter, without a network; each code once. Exit code 1: it is refused.

    Example: membercard ecard verify "$(cat scanned.txt)"
    """
    from reader_service.redemptions.seen_ecards import SeenEcards
    from terminal.ecard import verification

    current = settings.load()
    lists = verification.EcardLists(_ecard_list(), load_lists(None, None, None).hotlist)
    verdict = verification.verify(code, lists, current.now(), SeenEcards(current.data_dir / _SEEN))
    refused = isinstance(verdict, verification.EcardRefusal)
    if json:
        output.as_json({"accepted": not refused, "verdict": verdict})
    elif isinstance(verdict, verification.EcardRefusal):
        output.say("refused: {why}", why=verdict.zh if language.current() is Language.CHINESE else verdict.en)
    else:
        one = verdict.delegation
        output.say(
            "accepted: e-card of card …{tail}, until {end}", tail=one.card_number[-4:], end=output.local_time(one.ends)
        )
    if refused:
        raise typer.Exit(1)


@app.command("publish")
def publish(
    directory: Annotated[Path, typer.Argument(help="The folder for the file.", show_default=False)],
    by: ByOrMachine = None,
) -> None:
    """Write the signed list that counters verify e-cards with: the issuer's keys, and e-cards that ended.

    Example: membercard ecard publish /srv/counters
    """
    from reader_service.principal import Permission
    from reader_service.services.programme.list_signer import ListSigner

    keystore = settings.open_keystore()
    signer = ListSigner(keystore)
    with settings.open_registry(keystore) as registry:
        person = identity.actor_or_machine(registry, by, Permission.LISTS_PUBLISH)
        listed = _issuer(keystore, registry).list(registry, settings.load().now())
    output.write_file(directory / ECARDS, listed.write(signer.key(), signer.sign), public=True)
    typer.echo(f"{directory / ECARDS}")
    identity.note_unproven(person)


@app.command("end")
def end(
    card: Card,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    by: By = None,
) -> None:
    """End the e-card of a card, such as that of a lost telephone; the card stays as it is. Counters refuse it from the
    next list on."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        ended = registry.ecard_devices.end(card, by=person, reason=reason)
    output.say("the e-card of card …{tail} has ended", tail=ended.card_tail)
    identity.note_unproven(person)


@app.command("list")
def show_all(json: output.Json = False) -> None:
    """List the telephones that were signed in, the last first."""
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.ecard_devices.page(cursor, 500))
    if json:
        output.as_json(listed)
    elif listed:
        rows = [
            (
                one.number,
                f"…{one.card_tail}",
                one.generation,
                output.local_time(one.signed_in_at),
                "" if one.delegated_until is None else output.local_time(one.delegated_until),
                text("in use") if one.ended is None else text(_ENDS[one.ended]),
            )
            for one in listed
        ]
        output.show(output.table("E-cards", ["number", "card", "sign-in", "since", "until", "state"], rows))
    else:
        output.say("no telephone was signed in")


def _issuer(keystore: KeyCustody, registry: Registry) -> EcardIssuer:
    from reader_service.services.programme.ecard_issuer import EcardIssuer

    return EcardIssuer(keystore, published_edition(registry).programme.federation.division)


def _ecard_list() -> EcardList:
    """The file in the data directory, else the issuer's own list."""
    from terminal.ecard.lists import EcardList

    path = settings.load().data_dir / ECARDS
    if path.exists():
        return EcardList.load(path.read_bytes(), key_in_use())
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        return _issuer(keystore, registry).list(registry, settings.load().now())


def _key_bytes(key: str) -> bytes:
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise SettingsError("the key of a telephone is given in hex") from None


def _store(path: Path, session: Secret, delegation: bytes) -> None:
    content = {"session": session.reveal().hex(), "delegation": base64.b64encode(delegation).decode()}
    output.write_file(path, output.json_text(content).encode())
