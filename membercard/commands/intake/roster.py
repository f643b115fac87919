"""`membercard roster`: check and import registration forms (录入)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from membercard import language, output, settings
from membercard.language import person as as_recorded
from membercard.language import text

if TYPE_CHECKING:
    from personalize.intake import Language, Rejected, RosterReport, RowOnRecord
    from registry.values import Batch

app = typer.Typer()
forms = typer.Typer(help="Registration forms of other federations, declared in YAML.", no_args_is_help=True)
app.add_typer(forms, name="form")

FORM = "A registration form: .xlsx, .xls or .csv (UTF-8 or GB 18030). The header is found wherever it stands."


def _language(value: str | None) -> str:
    """The language of the reasons: Chinese, as units read them, unless the command's own is named."""
    if value is None:
        return language.wanted() or language.Language.CHINESE
    if value not in set(language.Language):
        raise typer.BadParameter("zh or en")
    language.choose(language.Language(value))
    return value


def _annotated_copy(value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() != ".xlsx":
        raise typer.BadParameter("the annotated copy must be named .xlsx")
    return value


File = Annotated[Path, typer.Argument(help=FORM, show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; accepted rows carry the whole record.")]
FormName = Annotated[
    str | None, typer.Option("--form", help="A declared form: hebei, beijing, tianjin, or a YAML file.", metavar="FORM")
]
Lang = Annotated[
    str | None,
    typer.Option(help="Language of the reasons: zh or en; zh where no language is named.", callback=_language),
]


@app.command("check")
def check(
    file: File,
    as_json: AsJson = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            help="Write the form back with the reasons beside each row, for the unit to correct.",
            callback=_annotated_copy,
            metavar="OUT.xlsx",
        ),
    ] = None,
    against_registry: Annotated[
        bool, typer.Option("--registry", help="Also look for people who have a card or belong to another unit.")
    ] = False,
    unit: Annotated[str | None, typer.Option(help="The unit, if not the one that the form's title names.")] = None,
    form: FormName = None,
    lang: Lang = None,
) -> None:
    """Check a registration form and list the faults of each row.

    Nothing is stored. Exit code 0: every row is accepted; 1: some row is rejected, or the form cannot be read.

    Example: membercard roster check form.xlsx --annotate form-checked.xlsx
    """
    from personalize import intake
    from personalize.forms.translate import translator

    with ExitStack() as stack:
        known = None
        if against_registry:
            known = stack.enter_context(settings.open_registry()).rosters.known_members
        report = intake.check(file, known=known, unit=unit, today=settings.load().today(), translate=translator(form))
    if annotate is not None:
        from personalize.intake.annotate import annotate as write_back

        write_back(report, annotate)
    if as_json:
        typer.echo(_json_by_rows(report))
    else:
        _show(report, "en" if lang == "en" else "zh")
        if annotate is not None:
            typer.echo(f"{'annotated copy' if lang == 'en' else '批注文件'}: {annotate}")
    if report.rejected or not report.rows:
        raise typer.Exit(1)


@app.command("import")
def import_(
    file: File,
    unit: Annotated[str | None, typer.Option(help="The unit, if not the one that the form's title names.")] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Who imports it; a different person approves. With users on record, that user's password is asked for."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the batch as JSON.")] = False,
    form: FormName = None,
    corrects: Annotated[
        str | None,
        typer.Option(
            help="The returned batch that this form corrects: its differences are shown before it takes the place of "
            "the rows.",
            metavar="BATCH",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why the form is corrected; with --corrects.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Accept the differences without asking; with --corrects.")] = False,
    lang: Lang = None,
) -> None:
    """Import a registration form as a draft batch: accepted rows become members to approve, rejected rows are kept with
    their reasons. Rows of people who have a card, or are in a batch, are unchanged, or changes that approval makes.

    With --corrects BATCH, the form takes the place of the rows of a returned batch, once its differences were accepted.

    Exit code 0: a batch was created, or nothing was new; 1: no row could be accepted, or the form was imported before.

    Example: membercard roster import form.xlsx --by "Li Na"
    """
    from membercard.wiring import identity

    if corrects is not None:
        _correct(file, corrects, unit=unit, form=form, by=by, reason=reason, yes=yes, as_json=as_json)
        return
    report, earlier, batch = _import(file, unit, form, by)
    if earlier and not as_json:
        output.say("This form was imported before as {earlier}, which is closed.", earlier=earlier, err=True)
    _print_import(report, "en" if lang == "en" else "zh", batch, as_json)
    if batch is None:
        raise typer.Exit(1 if report.rejected or not report.rows else 0)
    identity.note_unproven(batch.imported_by)


def _import(
    file: Path, unit: str | None, form: str | None, by: str | None
) -> tuple[RosterReport, str | None, Batch | None]:
    """The report of a form, the closed batch of the same file, and the draft of its rows, if there is one."""
    from membercard.wiring import identity
    from personalize import intake
    from personalize.forms.declaration import needs_confirmation
    from personalize.forms.translate import translator
    from personalize.rosters import known_rows, to_import
    from reader_service.principal import Permission

    batch = None
    with settings.open_registry() as registry:
        today, known = settings.load().today(), registry.rosters.known_members
        report = intake.check(file, known=known, unit=unit, today=today, translate=translator(form))
        earlier = registry.rosters.refuse_living_batch(report.digest)
        if (report.accepted or report.changes) and report.unit is not None:
            accepted, rejected = to_import(report)
            clerk = identity.actor(registry, by, Permission.ROSTERS_UPLOAD)
            batch = registry.rosters.import_roster(
                report.unit,
                accepted,
                rejected,
                source=file.name,
                digest=report.digest,
                by=clerk,
                known=known_rows(report),
                needs_confirmation=needs_confirmation(form),
            )
    return report, earlier, batch


def _correct(
    file: Path,
    batch_id: str,
    *,
    unit: str | None,
    form: str | None,
    by: str | None,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Show how a corrected form differs from its batch, and put its rows there once that is accepted."""
    from membercard.commands.intake.editing import show_differences
    from membercard.wiring import identity
    from personalize import intake
    from personalize.forms.declaration import needs_confirmation
    from personalize.forms.translate import translator
    from personalize.roster_edits import corrected, without_batch
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        today, known = settings.load().today(), without_batch(registry, batch_id)
        report = intake.check(file, known=known, unit=unit, today=today, translate=translator(form))
        rows = corrected(report, file.name, needs_confirmation=needs_confirmation(form))
        shown = registry.edits.corrections(batch_id, rows)
        if not as_json:
            show_differences(shown.rows, "Differences to the batch")
        if not yes:
            output.confirm("Put the rows of this form in the place of those on record?")
        clerk = identity.actor(registry, by, Permission.ROSTERS_UPLOAD)
        done = registry.edits.correct(batch_id, rows, by=clerk, reason=reason, seen=shown.seen)
    if as_json:
        output.as_json(done)
    else:
        counts = done.counts
        output.say(
            "{batch}: {changed} rows changed, {added} added, {left_out} left out, {unchanged} as before",
            batch=batch_id,
            changed=counts["changed"],
            added=counts["added"],
            left_out=counts["left-out"],
            unchanged=done.unchanged,
        )
    identity.note_unproven(clerk)


@forms.command("check")
def check_form(
    form: Annotated[str, typer.Argument(help="A YAML file, or hebei, beijing or tianjin.", show_default=False)],
) -> None:
    """Check the declaration of a registration form and show its columns.

    Example: membercard roster form check my-form.yaml
    """
    from personalize.forms.declaration import load_form

    declared = load_form(form)
    rows = [
        (name, "、".join(column.titles), text("yes") if column.required else "", len(column.codes) or "")
        for name, column in declared.columns.items()
    ]
    output.show(
        output.table(f"{declared.name} ({declared.federation})", ["column", "titles", "required", "codes"], rows)
    )
    output.say("{form}: the form is sound", form=form)


def _print_import(report: RosterReport, language: Language, batch: Batch | None, as_json: bool) -> None:
    if as_json:
        typer.echo(output.json_text(_batch_json(batch, report)))
        return
    _show(report, language)
    if batch is None:
        nothing_new = report.known and not report.rejected
        output.say(
            "Nothing is new or changed, so no batch was created."
            if nothing_new
            else "No row could be accepted, so no batch was created."
        )
        return
    output.say("{id}: draft batch, imported by {imported_by}.", id=batch.id, imported_by=as_recorded(batch.imported_by))
    output.say("Next, a second person: membercard batch approve {id} --by NAME", id=batch.id)


def _json_by_rows(report: RosterReport) -> str:
    """The report as JSON with one line per row, so that a diff of two reports is readable.

    It is written at once, which is fast, then split at the start of each row: within a value, quotes are escaped.
    """
    whole = report.to_json()
    rows = output.json_text(whole.pop("rows"), None).replace('}, {"sheet_row": ', '},\n  {"sheet_row": ')
    return f'{output.json_text(whole).removesuffix(chr(10) + "}")},\n "rows": {rows}\n}}'


def _batch_json(batch: Batch | None, report: RosterReport) -> dict[str, object]:
    return {
        "batch": batch.id if batch else None,
        "state": str(batch.state) if batch else None,
        "imported_by": batch.imported_by if batch else None,
        "file": str(report.path),
        "unit": report.unit,
        "accepted": len(report.accepted),
        "rejected": len(report.rejected),
        "warnings": [{"zh": zh, "en": en} for zh, en in report.warnings],
        "unchanged": len(report.unchanged),
        "changes": len(report.changes),
        "rejects": [{"sheet_row": row.sheet_row, "seq": row.seq, "codes": list(row.codes)} for row in report.rejected],
    }


def _show(report: RosterReport, language: Language) -> None:
    """Print the rejected rows with their reasons, counts of normalized rows, and totals. Names are masked."""
    from personalize.intake import RowNote, explain
    from personalize.intake.text import masked_numbers

    console = output.console()
    rejected = report.rejected
    if rejected:
        output.show(_row_table(rejected, language, report.several_sheets, ("退回的行", "Rejected rows")))
    if report.changes:
        output.show(_row_table(report.changes, language, report.several_sheets, ("申请变更的行", "Changes asked for")))
    chinese = language == "zh"
    for note in RowNote:
        if count := sum(note in row.notes for row in report.accepted):
            console.print(f"{explain(note, language)}: {count}", style="yellow")
    for zh, en in report.warnings:
        console.print(escape(zh if chinese else en), style="yellow")
    accepted = len(report.accepted)
    names = ("通过", "退回") if chinese else ("accepted", "rejected")
    form = escape(f"{masked_numbers(report.path.name)} · {masked_numbers(report.unit or '–')}")
    summary = f"{form} · {names[0]} {accepted} · {names[1]} {len(rejected)}"
    if report.known:
        unchanged, changes = ("未变", "变更") if chinese else ("unchanged", "changes")
        summary += f" · {unchanged} {len(report.unchanged)} · {changes} {len(report.changes)}"
    sound = not rejected and (accepted or report.known)
    console.print(summary, style="green" if sound else "red", soft_wrap=True)


def _row_table(
    rows: Sequence[Rejected | RowOnRecord], language: Language, several_sheets: bool, titles: tuple[str, str]
) -> Table:
    from personalize.intake.text import masked_numbers

    chinese = language == "zh"
    columns = ["行", "序号", "姓名", "代码", "原因"] if chinese else ["row", "no.", "name", "codes", "reasons"]
    cells: list[Sequence[object]] = [
        (row.sheet_row, row.seq, row.name_masked, "\n".join(row.codes), row.sentence(language)) for row in rows
    ]
    if several_sheets:
        columns = ["工作表" if chinese else "sheet", *columns]
        cells = [(masked_numbers(row.sheet), *own) for row, own in zip(rows, cells, strict=True)]
    return output.table(titles[0 if chinese else 1], columns, cells)
