"""`membercard dossier`: show and compare dossiers, and exchange prepared cards with a bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from membercard import language, output, settings
from membercard.commands.accounts import BatchId
from membercard.wiring import identity
from membercard.wiring.member_application import dictionary_in_use
from membercard.wiring.readers import card_in
from personalize.dossiers.diff import Difference, diff, on_chip, stripe_differences
from personalize.dossiers.dossier import Dossier, DossierApplication
from personalize.dossiers.view import GroupView, view
from personalize.errors import DossierError
from personalize.payment.bankfile import BankFileExchange, BankFormat, FileHead, PreparedCard
from personalize.payment.bankfile_formats import FORMATS
from personalize.stripe.tracks import masked
from registry.values import StoredDossier
from terminal import private_files
from terminal.apdu import stack
from terminal.emv.authentication.cakeys import ca_store
from terminal.emv.data.elements.codecs import counted
from terminal.errors import CardRefused
from terminal.keys import KeyCustody

app = typer.Typer()

Source = Annotated[str, typer.Argument(help="A batch, or a bank data file.", show_default=False)]
_CARD = "Number of the member card, or its reference in a bank data file."
CardNumber = Annotated[str, typer.Argument(help=_CARD, show_default=False)]
Transport = Annotated[str, typer.Option(help="Name of the transport key in the keystore.")]
Format = Annotated[str, typer.Option("--format", help=f"Format of the file: {', '.join(FORMATS)}.")]


@app.command("show")
def show(
    source: Source,
    card: Annotated[str | None, typer.Argument(help=f"{_CARD} None: list the cards.", show_default=False)] = None,
    transport: Transport = "zmk",
    form: Format = "dp",
    json: output.Json = False,
) -> None:
    """Show a dossier: every data grouping with its length and its data objects explained.

    Secrets are shown by their check values only, personal data and the tracks of the stripe masked.

    Example: membercard dossier show B20261122-001 9156130000000000017
    """
    if card is None:
        _list(source, transport, form, json=json)
        return
    dossier = _find(source, card, settings.open_keystore(), transport, form)
    tracks = masked(dossier.stripe)
    if json:
        output.as_json(
            {"card": card, "applications": [_fields(one) for one in dossier.applications], "stripe": list(tracks)}
        )
        return
    for one in dossier.applications:
        output.say("application {instance_aid}", instance_aid=one.instance_aid.hex().upper())
        for group in view(one, dictionary_in_use()):
            _print(group)
    if any(tracks):
        output.say("magnetic stripe")
        for number, track in enumerate(tracks, 1):
            if track:
                output.say("  track {number}: {masked}", number=number, masked=track)


def _list(source: str, transport: str, form: str, *, json: bool) -> None:
    """List the cards of a batch or of a bank data file, for ``show`` and ``diff``."""
    custody, path = settings.open_keystore(), Path(source)
    if path.is_file():
        with path.open("rb") as stream:
            _, cards = _format(form).read(stream, _exchange(custody, transport))
            rows = [{"card": one.reference, "sequence": one.sequence, "state": "in the file"} for one in cards]
    else:
        with settings.open_registry(custody) as registry:
            stored = registry.dossiers.stored(source)
        rows = [{"card": one.card_number, "sequence": one.sequence, "state": one.state} for one in stored]
    if json:
        output.as_json({"cards": rows})
    elif rows:
        output.show(
            output.table(
                "",
                list(rows[0]),
                [(*list(row.values())[:-1], language.text(str(row["state"]))) for row in rows],
                right=("sequence",),
            )
        )
    else:
        raise DossierError(f"{source} has no dossiers: a batch has them from its preparation until it is closed")


def _print(group: GroupView) -> None:
    facts = language.text(", ").join(map(language.sentence, group.facts))
    typer.echo(f"  {group.number:04X} {language.sentence(group.name)}: {facts}")
    output.trees(group.content, "    ")


def _grouping(dgi: str) -> str:
    """A data grouping with its number and name, or the application as a whole."""
    number, _, name = dgi.partition(" ")
    return f"{number} {language.sentence(name)}" if name else language.sentence(number)


def _fields(application: DossierApplication) -> dict[str, Any]:
    return {
        "aid": application.instance_aid,
        "groups": [group.to_json() for group in view(application, dictionary_in_use())],
    }


@app.command("diff")
def compare(
    source: Source,
    card: CardNumber,
    other: Annotated[str | None, typer.Argument(help="Another card of the source.", show_default=False)] = None,
    other_source: Annotated[
        str | None, typer.Option("--with", help="Where the other card is; the same card, if none is named.")
    ] = None,
    reader: Annotated[str | None, typer.Option(help="Compare with the chip in this reader instead.")] = None,
    transport: Transport = "zmk",
    form: Format = "dp",
    json: output.Json = False,
) -> None:
    """Compare two dossiers, or a dossier with the freely readable data of a chip. Places are shown, never values.

    Exit code 1 when they differ.

    Example: membercard dossier diff B20261122-001 9156130000000000017 --reader pcsc:0
    """
    if (reader is None) == (other is None and other_source is None):
        raise typer.BadParameter("name another card, --with another source, or --reader with a chip: one of them")
    custody = settings.open_keystore()
    left = _find(source, card, custody, transport, form)
    if reader is not None:
        differences = _against_chip(left.applications, reader)
    else:
        right = _find(other_source or source, other or card, custody, transport, form)
        differences = _against(left.applications, right.applications, custody)
        differences += stripe_differences(left.stripe, right.stripe)
    if json:
        output.as_json({"same": not differences, "differences": differences})
    else:
        for one in differences:
            path, _, element = one.path.partition(" ")
            element = f"{language.text(', ')}{path} {language.sentence(element)}".rstrip() if path else ""
            typer.echo(f"{language.sentence(one.aid)} {_grouping(one.dgi)}{element}: {language.sentence(one.text)}")
        typer.echo(language.sentence(counted(len(differences), "difference") if differences else "no difference"))
    if differences:
        raise typer.Exit(1)


def _against(
    left: Sequence[DossierApplication], right: Sequence[DossierApplication], custody: KeyCustody
) -> list[Difference]:
    others = {one.instance_aid: one for one in right}
    differences = []
    for one in left:
        other = others.pop(one.instance_aid, None)
        if other is None:
            differences.append(Difference(one.instance_aid.hex().upper(), "application", "", "only on the left"))
        else:
            differences += diff(one, other, dictionary_in_use(), custody)
    return differences + [Difference(aid.hex().upper(), "application", "", "only on the right") for aid in others]


def _against_chip(applications: Sequence[DossierApplication], reader: str) -> list[Difference]:
    differences = []
    with card_in(reader, 0) as transport:
        sender = stack(transport)
        for one in applications:
            try:
                expected, shown = on_chip(sender, one)
            except CardRefused as refused:
                differences.append(Difference(one.instance_aid.hex().upper(), "application", "", str(refused)))
            else:
                differences += diff(expected, shown, dictionary_in_use())
    return differences


@app.command("export")
def export(
    batch: BatchId,
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    transport: Transport = "zmk",
    form: Format = "dp",
    sender: Annotated[str | None, typer.Option(help="Who sends it; this station, if not given.")] = None,
    number: Annotated[int, typer.Option(help="Number of the file, the sender's own.", min=0, max=0xFFFFFFFF)] = 1,
    json: output.Json = False,
) -> None:
    """Write the payment side of a batch's waiting dossiers to a bank data file, secrets under the transport key.

    Example: membercard dossier export B20261122-001 to-bank.dp
    """
    from personalize.payment.bankfile_batch import cards_of, waiting_dossiers  # imports the registry

    custody = settings.open_keystore()
    exchange, chosen = _exchange(custody, transport), _format(form)
    head = FileHead(sender or settings.load().station, number, datetime.now(UTC).replace(microsecond=0))
    with settings.open_registry(custody) as registry, _whole(file) as partial, partial.open("wb") as stream:
        count = chosen.write(stream, head, cards_of(waiting_dossiers(registry, custody, batch)), exchange)
    if json:
        output.as_json({"file": str(file), "cards": count})
        return
    output.say(
        "{file}: {counted}, secrets under {transport} ({kcv})",
        file=file,
        counted=language.sentence(counted(count, "card")),
        transport=exchange.transport,
        kcv=_kcv(custody, exchange),
    )


@app.command("import")
def take(
    batch: BatchId,
    file: Annotated[Path, typer.Argument(help="A file from the bank.", show_default=False)],
    transport: Transport = "zmk",
    form: Format = "dp",
    json: output.Json = False,
) -> None:
    """Import payment applications that a bank prepared into a batch's waiting dossiers: all of the file, or nothing.

    Each card of the file names the member card it is for. Its secrets are sealed under the issuer's own key at once,
    and the linter checks it against the profile in use; CA keys are those of ca-keys.yaml in the data directory, or
    else the issuer's own. The same file may be imported again as long as its dossiers wait.

    Example: membercard --profile bank.yaml dossier import B20261122-001 from-bank.dp
    """
    from membercard.wiring.line import payment_authorities
    from membercard.wiring.profile import profile_in_use
    from personalize.payment.bankfile_batch import take_in
    from personalize.payment.bankfile_lint import linter_of
    from personalize.payment.restripe import restripe_of

    custody = settings.open_keystore()
    exchange, chosen = _exchange(custody, transport), _format(form)
    profile = profile_in_use()
    restripe = restripe_of(profile.payment, custody)
    judge = linter_of(profile, payment_authorities(custody, profile) or ca_store(()))
    with settings.open_registry(custody) as registry, file.open("rb") as stream:
        head, cards = chosen.read(stream, exchange)
        count = take_in(registry, exchange, batch, cards, judge, restripe=restripe, by=identity.machine())
    if json:
        output.as_json({"file": str(file), "sender": head.sender, "number": head.number, "cards": count})
        return
    output.say(
        "{file}: {counted} from {sender}, file {number}; their dossiers wait in {batch}",
        file=file,
        counted=language.sentence(counted(count, "card")),
        sender=head.sender,
        number=head.number,
        batch=batch,
    )


def _find(source: str, card: str, custody: KeyCustody, transport: str, form: str) -> Dossier | PreparedCard:
    """One card of a batch or of a bank data file."""
    path = Path(source)
    if path.is_file():
        exchange = _exchange(custody, transport)
        with path.open("rb") as stream:
            _, cards = _format(form).read(stream, exchange)
            match: PreparedCard | None = next((one for one in cards if one.reference == card), None)
            if match is None:
                raise DossierError(f"{path} has no card with the reference {card}")
            return match
    with settings.open_registry(custody) as registry:
        of_card = registry.dossiers.stored(source, [card])
    if not of_card:
        raise DossierError(f"batch {source} has no dossier of card {card}, or is closed and has none any more")
    return _opened(custody, of_card[-1])


def _opened(custody: KeyCustody, stored: StoredDossier) -> Dossier:
    return Dossier.decode(custody.open(stored.sealed).reveal())


def _exchange(custody: KeyCustody, transport: str) -> BankFileExchange:
    return BankFileExchange(custody, custody.latest(transport), custody.latest("seal"))


def _format(name: str) -> BankFormat:
    if name not in FORMATS:
        raise typer.BadParameter(f"--format {name}: {', '.join(FORMATS)}")
    return FORMATS[name]


def _kcv(custody: KeyCustody, exchange: BankFileExchange) -> str:
    return f"check value {custody.info(exchange.transport).kcv.hex().upper()}"


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A path to write to, which replaces the file on success, so that a partial file is never seen."""
    partial = file.with_name(f"{file.name}.part")
    try:
        private_files.create(partial)
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
