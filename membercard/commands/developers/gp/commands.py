"""`membercard gp`: inspect and manage the content of a GlobalPlatform card."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from membercard import exchanges, output
from membercard.commands.developers.gp.facts import card_facts, flat
from membercard.commands.developers.gp.input import aid_of, dgis, hex_bytes, typed
from membercard.commands.developers.gp.keys import (
    Access,
    Channel,
    GpProtocol,
    Key,
    KeyVersion,
    Level,
    Method,
    Reader,
    new_key_set,
)
from membercard.commands.developers.gp.load import load
from membercard.language import sentence, text
from membercard.tables import wrapped
from membercard.wiring.readers import card_in
from terminal.apdu import Command, Sender, stack
from terminal.apdu.describe import describe
from terminal.errors import CardError, CardMalformed, CardRefused
from terminal.globalplatform import (
    DgiPart,
    Privileges,
    SecurityDomain,
    StatusEntry,
    StatusScope,
    StoreDataStructure,
)
from terminal.keys import Algorithm, Diversification, MemoryCustody, Purpose
from terminal.tlv import dgi

app = typer.Typer(help=__doc__)


class InstallFormat(StrEnum):
    DGI = "dgi"
    BER = "ber"
    NONE = "none"


_STRUCTURES = {InstallFormat.BER: StoreDataStructure.BER, InstallFormat.NONE: StoreDataStructure.NONE}

AidText = Annotated[str, typer.Argument(metavar="AID", help="In hex.", show_default=False)]


@app.command("info")
def info(reader: Reader, json: output.Json = False) -> None:
    """Show what a card gives without any key: chip, production, protocols, key versions."""
    with card_in(reader, 0) as transport:
        facts = card_facts(transport)
    if json:
        output.as_json(facts)
        return
    output.show(output.table(text("Card in {reader}", reader=reader), ["item", "value"], flat(facts)))


@app.command("list")
def list_content(
    reader: Reader,
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    json: output.Json = False,
) -> None:
    """List the card's registry: security domain, applications, load files and their modules.

    Exit code 1 where the card refuses a part of the list; the other parts are shown.
    """
    entries: list[StatusEntry] = []
    refused: list[CardError] = []
    with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, *_):
        for scope in _SCOPES:
            try:
                entries += _listed(domain, scope)
            except (CardRefused, CardMalformed) as e:
                refused.append(e)
        remarks = domain.remarks
    if len(refused) == len(_SCOPES):
        raise refused[0]
    for remark in (*remarks, *refused):
        output.say("not all could be read: {remark}", remark=remark, err=True)
    if json:
        output.as_json([_entry(entry) for entry in entries])
    else:
        for entry in entries:
            typer.echo(_lines(entry))
    if refused:
        raise typer.Exit(1)


app.command("load")(load)


@app.command("install")
def install(
    reader: Reader,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="AID of the load file.", show_default=False)],
    module: Annotated[str, typer.Argument(metavar="MODULE", help="AID of the applet in it.", show_default=False)],
    instance: Annotated[str | None, typer.Argument(metavar="INSTANCE", help="The module's AID if not given.")] = None,
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    privileges: Annotated[str, typer.Option(metavar="HEX", help="One byte or three.")] = "00",
    parameters: Annotated[str, typer.Option(metavar="HEX", help="Given to the applet's install method.")] = "",
    json: output.Json = False,
) -> None:
    """Install an instance of a loaded applet, selectable at once.

    Example: membercard gp install --reader pcsc:0 F04D454D424552 F04D454D4245520101
    """
    load_file, applet, aid = aid_of(package), aid_of(module), aid_of(instance or module)
    granted, given = typed(privileges, Privileges.parse), hex_bytes(parameters)
    with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, *_):
        domain.install(load_file, applet, aid, privileges=granted, parameters=given)
    _done(json, {"instance": str(aid)}, f"Installed {aid}")


@app.command("delete")
def delete(
    reader: Reader,
    aid: AidText,
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    related: Annotated[bool, typer.Option("--related", help="A load file together with its instances.")] = False,
    json: output.Json = False,
) -> None:
    """Delete an instance or a load file. This cannot be undone."""
    gone = aid_of(aid)
    with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, *_):
        domain.delete(gone, related=related)
    _done(json, {"deleted": str(gone)}, f"Deleted {gone}")


@app.command("put-key")
def put_key(
    new_key: Annotated[
        str,
        typer.Argument(metavar="HEX[:HEX:HEX]", help="The new key, or a name in the keystore.", show_default=False),
    ],
    new_version: Annotated[int, typer.Option(min=1, max=127, help="Version of the new key set.", show_default=False)],
    reader: Reader,
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    new_diversification: Annotated[
        Diversification, typer.Option(help="How the card's new keys come from the new key.")
    ] = Diversification.NONE,
    add: Annotated[bool, typer.Option("--add", help="Keep the key set used now.")] = False,
    json: output.Json = False,
) -> None:
    """Put a new ENC, MAC, DEK key set on the card, replacing the one used to authenticate.

    Example: membercard gp put-key --reader pcsc:0 imk-card-aes --new-version 49 --new-diversification kdf3
    """
    access = Access(reader, scp, key, key_version, diversification, level)
    with access.domain(new_key) as (domain, custody, used):
        new = new_key_set(custody, new_key, new_diversification, used.update, new_version)
        domain.put_keys(new, replaces=0 if add else used.update.version)
    checks = dict(zip(("ENC", "MAC", "DEK"), (kcv.hex().upper() for kcv in new.kcvs), strict=True))
    text = ", ".join(f"{name} {kcv}" for name, kcv in checks.items())
    _done(json, {"version": new_version, "kcv": checks}, f"Key version {new_version} ({new_version:02X}): KCV {text}")


@app.command("store-data")
def store_data(
    reader: Reader,
    aid: AidText,
    data: Annotated[str, typer.Argument(metavar="HEX", help="DGIs one after another, or data.", show_default=False)],
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    format: Annotated[InstallFormat, typer.Option(help="How the data are built.")] = InstallFormat.DGI,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="DGI", help="Encrypt this DGI's value (repeatable).", show_default=False)
    ] = None,
    padded: Annotated[bool, typer.Option("--padded", help="Pad secret values (80 00...).")] = False,
    response: Annotated[
        bool, typer.Option("--response", help="The card may return data (P1 b1), which are shown.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Personalize an instance with STORE DATA.

    Example: membercard gp store-data --reader pcsc:0 F04D454D4245520101 920004DF020100
    """
    instance, raw = aid_of(aid), hex_bytes(data)
    encrypted = {int.from_bytes(hex_bytes(number), "big") for number in secret or ()}
    groups = dgis(data, encrypted) if format is InstallFormat.DGI else []
    if encrypted and format is not InstallFormat.DGI:
        raise typer.BadParameter(f"--secret encrypts single DGIs; with --format {format} all data are sent as they are")
    returned: list[bytes] = []
    taken = returned.append if response else None
    with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, custody, _):
        if format is InstallFormat.DGI:
            count = domain.personalize(instance, _parts(groups, encrypted, custody, padded), returned=taken)
        else:
            domain.start_personalization(instance)
            count = domain.store_data(raw, _STRUCTURES[format], returned=taken)
    given = [each.hex().upper() for each in returned]
    facts: dict[str, Any] = {"instance": str(instance), "commands": count}
    lines = [f"Stored in {instance} with {count} commands"]
    if response:
        facts["returned"] = given
        lines += [f"returned: {each}" for each in given] or ["the card returned no data"]
    _done(json, facts, "\n".join(lines))


@app.command("apdu")
def apdu(
    reader: Reader,
    commands: Annotated[list[str], typer.Argument(metavar="HEX...", help="Command APDUs.", show_default=False)],
    scp: Channel = GpProtocol.AUTO,
    key: Key = None,
    key_version: KeyVersion = 0,
    diversification: Method = Diversification.NONE,
    level: Level = "03",
    secure: Annotated[bool, typer.Option("--secure", help="Through a secure channel of the security domain.")] = False,
    json: output.Json = False,
) -> None:
    """Send command APDUs and show the responses. Exit code 1 when one of them is not successful.

    Responses announced by 61xx or 6Cxx are fetched; lengths are sent in their shortest form.

    Example: membercard gp apdu --reader pcsc:0 00A4040000 80CA9F7F00
    """
    given = [typed(text, Command.decode) for text in commands]
    if secure:
        with Access(reader, scp, key, key_version, diversification, level).domain() as (domain, *_):
            turns = _exchange(domain, given)
    else:
        with card_in(reader, 0) as transport:
            turns = _exchange(stack(transport), given)
    if json:
        output.as_json(turns)
    else:
        for turn in turns:
            typer.echo(f"> {turn['command']}  {exchanges.command(turn['meaning'])}")
            typer.echo(f"< {turn['data'] or '-'}  {sentence(turn['status'])}")
    if any(not str(turn["status"]).startswith("9000") for turn in turns):
        raise typer.Exit(1)


_DETAIL_WIDTH = 72
"""Columns of a line of details; more of it is indented by eight."""
_SCOPES = (StatusScope.ISSUER_DOMAIN, StatusScope.APPLICATIONS, StatusScope.LOAD_FILES_AND_MODULES)
_KINDS = {
    StatusScope.ISSUER_DOMAIN: "security domain",
    StatusScope.APPLICATIONS: "application",
    StatusScope.LOAD_FILES: "load file",
    StatusScope.LOAD_FILES_AND_MODULES: "load file",
}


def _listed(domain: SecurityDomain, scope: StatusScope) -> list[StatusEntry]:
    """GET STATUS for one scope; some cards list load files only without their modules."""
    try:
        return domain.status(scope)
    except CardRefused:
        if scope is not StatusScope.LOAD_FILES_AND_MODULES:
            raise
        return domain.status(StatusScope.LOAD_FILES)


def _entry(entry: StatusEntry) -> dict[str, Any]:
    return {
        "kind": _KINDS[entry.scope],
        "aid": str(entry.aid),
        "state": entry.state_name,
        "privileges": list(entry.privileges.names),
        "load_file": str(entry.package) if entry.package else None,
        "modules": [str(module) for module in entry.modules],
    }


def _lines(entry: StatusEntry) -> str:
    """One line for the entry, then its details, indented."""
    kind, state = text(_KINDS[entry.scope]), sentence(entry.state_name)
    lines = [text("{aid:<32}  {kind}, {state}", aid=str(entry.aid), kind=kind, state=state)]
    if entry.privileges:
        names = text(", ").join(map(text, entry.privileges.names))
        first, *more = wrapped(Text(text("privileges: {names}", names=names)), _DETAIL_WIDTH).plain.split("\n")
        lines += [f"    {first}", *(f"        {line}" for line in more)]
    if entry.package:
        lines.append("    " + text("from load file {aid}", aid=entry.package))
    lines += ["    " + text("module {aid}", aid=module) for module in entry.modules]
    return "\n".join(lines)


def _exchange(sender: Sender | SecurityDomain, commands: list[Command]) -> list[dict[str, str]]:
    turns = []
    for command in commands:
        response = sender.send(command)
        meaning = describe(command.cla, command.ins, command.p1, command.p2)
        sent, data = command.encode().hex().upper(), response.data.hex().upper()
        turns.append({"command": sent, "meaning": meaning, "data": data, "status": str(response.sw)})
    return turns


def _parts(groups: list[dgi.Dgi], encrypted: set[int], custody: MemoryCustody, padded: bool) -> list[DgiPart]:
    """DGIs to store; values to be encrypted are sealed first, since custody encrypts only sealed values."""
    if not encrypted:
        return [DgiPart(number, value) for number, value in groups]
    seal = custody.generate("typed-dgis", Purpose.SEAL, Algorithm.AES256, by="command line").ref
    return [
        DgiPart(number, custody.seal(seal, value, "typed"), padded) if number in encrypted else DgiPart(number, value)
        for number, value in groups
    ]


def _done(json: bool, facts: dict[str, Any], english: str) -> None:
    if json:
        output.as_json(facts)
    else:
        typer.echo("\n".join(map(sentence, english.splitlines())))
