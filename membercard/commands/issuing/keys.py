"""`membercard keys`: create, show and rotate the keys of the issuer. Key bytes are never printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from membercard import output, settings
from membercard.commands.person_options import By
from membercard.language import person as as_recorded
from membercard.language import sentence, text
from membercard.wiring import identity
from terminal.errors import KeyRefused, KeystoreLocked
from terminal.keys import Algorithm, KeyComponent, KeyInfo, KeyRef, MemoryCustody, Purpose, SoftwareKeystore
from terminal.keys.keyfile import CHEAP_COST, STANDARD_COST
from terminal.keys.passphrase import check_passphrase
from terminal.keys.standard import OWN_KEYS, STOCK_KEYS, add_standard_keys, create_standard_keys
from terminal.secret import Secret

if TYPE_CHECKING:
    from registry.store import Registry

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="Name of a key, as `keys list` shows it.", show_default=False)]
Json = output.Json


@app.command("init")
def init() -> None:
    """Create a keystore with every key of the issuer: masters, scheme CA, issuer, list signer, sealing and index keys.

    With --simulation it also gets the published test key of blank stock. In production the masters of blank stock come
    from the card supplier, in components: see `membercard keys import --help`. Nothing is ever overwritten.
    A passphrase that is easy to guess is refused.

    Example: membercard --simulation keys init
    """
    chosen = settings.load()
    if chosen.keystore.exists():
        raise KeyRefused(f"there is a keystore at {chosen.keystore} already; it is not overwritten")
    passphrase = chosen.passphrase()
    # At a terminal this prompts a second time; a mistyped passphrase would make the keys inaccessible.
    if chosen.passphrase() != passphrase:
        raise KeystoreLocked("the two passphrases differ; nothing was made")
    check_passphrase(passphrase, simulation=chosen.simulation)
    keys = MemoryCustody(chosen.simulation)
    create_standard_keys(keys, by=identity.unproven(None))
    cost = CHEAP_COST if chosen.simulation else STANDARD_COST
    store = SoftwareKeystore.create(chosen.keystore, passphrase, simulation=chosen.simulation, contents=keys, cost=cost)
    _show(text("Keystore {path}", path=store.path), list(store.keys()))
    if store.simulation:
        output.say("A simulation keystore, for good: it takes published test keys and must never issue real cards.")
    else:
        output.say("Still missing: the masters of blank stock. They come from the card supplier in components:")
        for key in STOCK_KEYS:
            output.say("  membercard keys import {name}    ({algorithm})", name=key.name, algorithm=key.algorithm)


@app.command("add-standard")
def add_standard(by: By = None, json: Json = False) -> None:
    """Create the standard keys that a keystore of an earlier version of the program lacks.

    Existing keys stay as they are, so this may be run again at any time. Masters of blank stock are not created here.

    Example: membercard keys add-standard
    """
    store = settings.open_keystore()
    with _users(store) as registry:
        person = _person(registry, by)
        added = list(add_standard_keys(store, by=person))
    if json:
        output.as_json([_fields(key) for key in added])
    elif added:
        _show(text("Added to {path}", path=store.path), added)
    else:
        output.say("{path} has every standard key already", path=store.path)
    identity.note_unproven(person)


@app.command("list")
def list_keys(json: Json = False) -> None:
    """List all keys with purpose, check value and age."""
    keys = list(settings.open_keystore().keys())
    if json:
        output.as_json([_fields(key) for key in keys])
        return
    _show(text("Keystore {path}", path=settings.load().keystore), keys)


@app.command("kcv")
def kcv(
    name: Name,
    version: Annotated[int | None, typer.Option(help="Version; the newest if not given.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show the check value of a key, to compare it with another person's or a supplier's."""
    store = settings.open_keystore()
    info = store.info(store.latest(name) if version is None else KeyRef(name, version))
    if json:
        output.as_json(_fields(info))
        return
    typer.echo(f"{info.ref}: {_kcv(info.kcv)}")


@app.command("rotate")
def rotate(name: Name, by: By = None) -> None:
    """Create the next version of a key. Old versions stay: cards and data made with them still need them.

    Example: membercard keys rotate list-signer
    """
    store = settings.open_keystore()
    with _users(store) as registry:
        person = _person(registry, by)
        info = store.rotate(name, by=person)
    output.say(
        "{ref} made, check value {kcv}; earlier versions stay for what they made", ref=info.ref, kcv=_kcv(info.kcv)
    )
    identity.note_unproven(person)


@app.command("import")
def import_components(
    name: Name,
    components: Annotated[int, typer.Option(min=2, max=3, help="How many people enter a component each.")] = 2,
    purpose: Annotated[Purpose | None, typer.Option(help="Needed for names of your own.", show_default=False)] = None,
    algorithm: Annotated[
        Algorithm | None, typer.Option(help="Needed for names of your own.", show_default=False)
    ] = None,
    check: Annotated[
        str | None,
        typer.Option("--kcv", help="Check value of the whole key (hex), from the supplier.", show_default=False),
    ] = None,
) -> None:
    """Import a key from components in separate envelopes: two or three people enter one each, unseen by the others.

    With users on record, each of them gives their password before the component.

    The check value of each component is shown, to compare with the envelope; then that of the key. A name that exists
    gets a new version. For `kmc`, `kmc-aes` and the other standard names purpose and algorithm are known.

    Example: membercard keys import kmc --components 3 --kcv 8BAF47
    """
    known = {key.name: key for key in (*STOCK_KEYS, *OWN_KEYS)}.get(name)
    purpose = purpose or (known.purpose if known else None)
    algorithm = algorithm or (known.algorithm if known else None)
    if purpose is None or algorithm is None:
        raise typer.BadParameter(f"{name} is no standard name: give --purpose and --algorithm")
    expected = _hex(check, "the check value") if check else None
    store = settings.open_keystore()
    with _users(store) as registry:
        parts = [_ask(number, algorithm, registry) for number in range(1, components + 1)]
    info = store.import_components(name, purpose, algorithm, parts, kcv=expected)
    output.say("{ref} imported, check value {kcv}", ref=info.ref, kcv=_kcv(info.kcv))


@app.command("audit")
def audit(json: Json = False) -> None:
    """List who made, imported, rotated or destroyed which key, and when."""
    entries = settings.open_keystore().audit()
    if json:
        output.as_json(list(entries))
        return
    rows = [(output.local_time(e.at), as_recorded(e.by), text(e.action), e.key, sentence(e.detail)) for e in entries]
    output.show(output.table("Changes of keys", ("when", "who", "what", "key", "detail"), rows))


@contextmanager
def _users(store: SoftwareKeystore) -> Iterator[Registry | None]:
    """The registry with the users who prove themselves; None for a keystore without the keys of a registry, which has
    none."""
    if not {"seal", "index"} <= {key.ref.name for key in store.keys()}:
        yield None
        return
    with settings.open_registry(store) as registry:
        yield registry


def _person(registry: Registry | None, by: str | None) -> str:
    """Who changes the keystore, proven in person where there are users."""
    return identity.unproven(by) if registry is None else identity.actor(registry, by, in_person=True)


def _ask(number: int, algorithm: Algorithm, registry: Registry | None) -> KeyComponent:
    person = typer.prompt(text("Component {number}, entered by", number=number))
    if registry is not None:
        person = identity.actor(registry, person, in_person=True)
        identity.note_unproven(person)
    digits = typer.prompt(text("Component {number} (hex)", number=number), hide_input=True)
    part = KeyComponent(Secret(_hex(digits, "a component")), person)
    output.say("Component {number} has check value {kcv}", number=number, kcv=_kcv(part.kcv(algorithm)))
    return part


def _hex(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        # The message of fromhex would quote the input.
        raise KeyRefused(f"{what} is hexadecimal digits, two for each byte") from None


def _kcv(value: bytes) -> str:
    return value.hex().upper()


def _fields(info: KeyInfo) -> dict[str, Any]:
    return {
        "name": info.ref.name,
        "version": info.ref.version,
        "algorithm": info.algorithm,
        "bits": info.bits,
        "purpose": info.purpose,
        "kcv": info.kcv,
        "created": info.created,
        "simulation": info.simulation,
    }


def _show(heading: str, keys: list[KeyInfo]) -> None:
    """Print the keys of a file under its path, which no table breaks over lines."""
    typer.echo(heading)
    columns = ("key", "version", "algorithm", "bits", "purpose", "check value", "made")
    rows = [
        (k.ref.name, k.ref.version, k.algorithm, k.bits, k.purpose, _kcv(k.kcv), output.local_time(k.created))
        for k in keys
    ]
    output.show(output.table("", columns, rows, right=("version", "bits")))
