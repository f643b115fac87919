"""`membercard face`: designs checked, faces and proofs drawn, and members' photos taken in."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.accounts import BatchId, under_way
from membercard.commands.person_options import By
from membercard.wiring import identity
from personalize.errors import DesignError, DossierError, PhotosRefused
from reader_service.principal import Permission

if TYPE_CHECKING:
    from personalize.face.check import CheckedFace
    from personalize.face.files import DesignFolder
    from personalize.face.photo_files import PhotoReport
    from personalize.face.render import FaceRenderer
    from personalize.machines.protocols import PrintedFace
    from registry.store import Registry

app = typer.Typer()

_DESIGN = "A card design: a folder, a zip archive, or the name of one in the data directory or of a shipped one."
_BANK = "Whose marks are printed; none, if not given."
Bank = Annotated[str, typer.Option(help=_BANK, show_default=False)]
_MOST_SHOWN = 100


@app.command("list")
def list_designs(json: output.Json = False) -> None:
    """List the card designs of the data directory and those shipped.

    Example: membercard face list
    """
    from personalize.face.files import find_design, shipped_designs

    folder = settings.load().data_dir / "designs"
    own = {one.stem for one in folder.iterdir() if one.is_dir() or one.suffix == ".zip"} if folder.is_dir() else set()
    designs = [find_design(name, folder) for name in sorted(own | set(shipped_designs()))]
    if json:
        output.as_json([{"design": d.name, "title": d.design.title, "digest": d.digest} for d in designs])
        return
    rows = [(d.name, d.design.ribbon, len(d.design.sides), d.digest[:16]) for d in designs]
    output.show(output.table("Card designs", ["design", "ribbon", "sides", "digest"], rows))


@app.command("check")
def check(
    design: Annotated[str, typer.Argument(help=_DESIGN, show_default=False)],
    batch: Annotated[
        str | None, typer.Option(help="A batch whose members and waiting dossiers are checked too.", show_default=False)
    ] = None,
    bank: Bank = "",
    json: output.Json = False,
) -> None:
    """Check a card design and, with --batch, every face that it will print: glyphs of rare names, texts that do not fit
    at their least size, missing photos. Cards and members are named by number.

    Exit code 1 with findings.

    Example: membercard face check hebei --batch B20261122-001
    """
    from personalize.face.render import FaceRenderer

    folder = _design(design, bank)
    renderer = FaceRenderer(folder)
    checked = _of_batch(batch, renderer) if batch else []
    faults = [(one.subject, finding) for one in checked for finding in one.findings]
    if json:
        listed = [{"subject": subject, "finding": finding} for subject, finding in faults]
        output.as_json({"design": folder.name, "digest": folder.digest, "checked": len(checked), "findings": listed})
    else:
        for subject, finding in faults:
            typer.echo(language.sentence(f"{subject}: {finding}"))
        output.say("{name}: the design is sound (digest {digest})", name=folder.name, digest=folder.digest[:16])
        if batch:
            output.say(
                "{checked} faces checked, {faults} findings",
                checked=len(checked),
                faults=len(faults),
            )
    if faults:
        raise typer.Exit(1)


@app.command("render")
def render(
    batch: BatchId,
    card: Annotated[str, typer.Option(help="Number of the member card.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where to write it: both sides as one .png.", show_default=False)
    ],
    by: By = None,
) -> None:
    """Draw the face of one card as it will be printed, with name and photo in clear, which is audited.

    Example: membercard face render B20261122-001 --card 9156130000000000017 -o card.png
    """
    from personalize.face.preview import preview

    if out.suffix.lower() != ".png":
        raise typer.BadParameter("the file ends in .png")
    custody = settings.open_keystore()
    with settings.open_registry(custody) as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        folder, ((_, face),) = _faces(registry, batch, [card])
        registry.photos.record_shown(batch, 1, by=person)
    picture = BytesIO()
    preview(face, folder.design).save(picture, "PNG", dpi=(300, 300))
    output.write_file(out, picture.getvalue())
    output.say("written to {file}; it has names in clear", file=out)
    identity.note_unproven(person)


@app.command("proof")
def proof(
    source: Annotated[str, typer.Argument(help=f"A batch, or: {_DESIGN}", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it, a .pdf.", show_default=False)],
    bank: Bank = "",
    by: By = None,
) -> None:
    """Write a proof of ten faces in their real size, with the design's digest and places for two signatures.

    Of a design, the faces are made up; of a batch, they are its first waiting cards, in clear, which is audited.

    Example: membercard face proof hebei -o proof.pdf
    """
    from personalize.face import proof as sheets

    if out.suffix.lower() != ".pdf":
        raise typer.BadParameter("the file ends in .pdf")
    day = settings.load().today()
    if not _is_batch(source):
        folder = _design(source, bank)
        output.write_file(out, sheets.proof(folder, _specimens(folder, day), day), public=True)
        output.say("written to {file}; its faces are made up", file=out)
        return
    custody = settings.open_keystore()
    with settings.open_registry(custody) as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        cards = registry.dossiers.waiting_cards(source)[: sheets.CARDS]
        folder, faces = _faces(registry, source, cards)
        registry.photos.record_shown(source, len(faces), by=person)
    output.write_file(out, sheets.proof(folder, faces, day, source))
    output.say("written to {file}; it has names in clear", file=out)
    identity.note_unproven(person)


@app.command("photos")
def photos(
    batch: BatchId,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A folder or a zip archive; none: only list the missing photos.", show_default=False
        ),
    ] = None,
    missing: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the members without a photo, by unit and masked: .xlsx or .csv.", show_default=False
        ),
    ] = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Take in photos of a batch's members, each file named by the ID number or the member number. JPEG and PNG; size,
    proportions, brightness, background and head are checked, and what passes is stored sealed.

    The same command may be run again: a photo takes the place of the one before. Exit code 1 while photos are missing.

    Example: membercard face photos B20261122-001 --from photos.zip --missing missing.xlsx
    """
    from personalize.face.photo_files import missing_photos, photo_files, take_photos

    if missing is not None and missing.suffix.lower() not in (".xlsx", ".csv"):
        raise typer.BadParameter("the file ends in .xlsx or .csv")
    with settings.open_registry() as registry:
        under_way(registry.batches.batch(batch))
        if source is None:
            report = missing_photos(registry, batch)
        else:
            if not source.exists():
                raise PhotosRefused(f"there is no folder or file {source}")
            person = identity.actor_or_machine(registry, by, Permission.ROSTERS_UPLOAD)
            with photo_files(source) as files:
                report = take_photos(registry, batch, files, by=person)
    _report(report, missing, json=json)
    if report.rows:
        raise typer.Exit(1)


@app.command("remove-photo")
def remove_photo(
    member: Annotated[str, typer.Argument(help="Number of the member.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    by: By = None,
) -> None:
    """Delete a member's photo from the registry, as the member may ask for.

    Example: membercard face remove-photo 130000000017 --reason "asked for by the member" --by "Li Na"
    """
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        registry.photos.remove(member, by=person, reason=reason)
    output.say("{member}: the photo is deleted; backups of before still have it", member=member)
    identity.note_unproven(person)


def _report(report: PhotoReport, missing: Path | None, *, json: bool) -> None:
    from personalize.face.photo_list import photo_csv, photo_workbook
    from personalize.face.photos import PHOTO_FAULTS

    if missing is not None:
        listed = photo_workbook(report.rows) if missing.suffix.lower() == ".xlsx" else photo_csv(report.rows)
        output.write_file(missing, listed)
    if json:
        rows = [
            {"unit": row.member.unit_name, "member": row.member.member_number, "faults": row.faults}
            for row in report.rows
        ]
        output.as_json({"stored": report.stored, "without": rows, "unknown": report.unknown})
        return
    language_index = 0 if language.current() is language.Language.CHINESE else 1
    if report.rows:
        shown = [
            (
                row.member.unit_name,
                row.member.member_number,
                row.member.person.name_masked,
                language.text("; ").join(PHOTO_FAULTS[fault][language_index] for fault in row.faults),
            )
            for row in report.rows[:_MOST_SHOWN]
        ]
        output.show(output.table("Members without a photo", ["unit", "member number", "name", "reason"], shown))
    if report.unknown:
        output.say(
            "{count} files name no member of the batch: {names}",
            count=len(report.unknown),
            names=" ".join(report.unknown[:5]),
        )
    output.say(
        "{stored} photos stored, {refused} not taken, {missing} missing",
        stored=report.stored,
        refused=len(report.refused),
        missing=len(report.missing),
    )
    if missing is not None:
        output.say("written to {file}", file=missing)


def _design(name: str, bank: str) -> DesignFolder:
    from personalize.face.files import find_design, load_design

    path = Path(name)
    if path.exists() and (path.is_dir() or path.suffix == ".zip"):
        return load_design(path).for_bank(bank)
    return find_design(name, settings.load().data_dir / "designs").for_bank(bank)


def _is_batch(source: str) -> bool:
    return source[:1] in "BR" and source[1:2].isdigit()


def _of_batch(batch: str, renderer: FaceRenderer) -> list[CheckedFace]:
    from membercard.wiring.profile import profile_in_use
    from personalize.face.check import faces_to_prepare, faces_waiting
    from personalize.profiles.face import FaceSection

    profile = profile_in_use()
    if profile.face is None:  # as if it had this design, so that it can be checked before the profile names it
        profile = profile.model_copy(update={"face": FaceSection(design=renderer.folder.name)})
    custody = settings.open_keystore()
    with settings.open_registry(custody) as registry:
        coming = faces_to_prepare(registry, profile, renderer, batch, settings.load().today())
        return [*coming, *faces_waiting(registry, custody, renderer, batch)]


def _specimens(folder: DesignFolder, day: date) -> list[tuple[str, PrintedFace]]:
    from personalize.face.proof import CARDS
    from personalize.face.render import FaceRenderer
    from personalize.face.specimens import specimen_photo, specimen_texts

    renderer, faces = FaceRenderer(folder), []
    for number in range(CARDS):
        texts, subject = specimen_texts(number, day), f"specimen {number + 1}"
        faces.append((subject, renderer.render(texts, specimen_photo(number), subject)))
    return faces


def _faces(registry: Registry, batch: str, cards: list[str]) -> tuple[DesignFolder, list[tuple[str, PrintedFace]]]:
    """The faces of these cards of a batch with the design of the profile in use."""
    from membercard.wiring.faces import NO_DESIGN, design_of
    from membercard.wiring.profile import profile_in_use
    from personalize.dossiers.dossier import Dossier
    from personalize.face.render import FaceRenderer
    from personalize.face.render import render as rendered

    folder = design_of(profile_in_use())
    if folder is None:
        raise DesignError(NO_DESIGN)
    stored = registry.dossiers.stored(batch, cards) if cards else []
    if not stored:
        raise DossierError(f"batch {batch} has no dossiers of these cards, or is closed and has none any more")
    custody, renderer = settings.open_keystore(), FaceRenderer(folder)
    faces = []
    for one in {one.card_number: one for one in stored}.values():
        dossier = Dossier.decode(custody.open(one.sealed).reveal())
        if not dossier.face:
            raise DossierError(f"the dossier of card {one.card_number} has no face; it was prepared without a design")
        faces.append((one.card_number, rendered(dossier, renderer, registry.photos.of_card(one.card_number))))
    return folder, faces
