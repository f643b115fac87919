"""`membercard programme check` and `show`: programme files, and the edition of this counter."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from membercard import language, output, settings
from membercard.language import Language, text
from membercard.wiring.programme_edition import counter_edition

if TYPE_CHECKING:
    from programme.facts import Beneficiary
    from programme.outcome import Allowed, Refused
    from programme.programme import Offer, Programme
    from programme.wording import Sentence, Wording

app = typer.Typer()

_FILE = typer.Argument(help="A programme file (YAML).", show_default=False)
_YEAR = typer.Argument(help="The programme: beijing.", show_default=False)
_REPORT = typer.Option("--out", "-o", help="Where the report goes; NAME.html, if left out.")


@app.command("check")
def check(file: Annotated[Path, _FILE], json: output.Json = False) -> None:
    """Check a programme file: every fault and every finding of the linter is one line with file, line and field.

    The exit code is then 1. With --json findings are printed as data; a file with faults has none.

    Example: membercard programme check beijing.yaml
    """
    from programme.linter import placed, refuse_unfit
    from programme.programme import load_programme

    read = load_programme(file)
    programme = read.programme
    if json:
        rows = [
            {"line": row.line, "field": row.field, "rule": row.rule, "zh": row.text.zh, "en": row.text.en}
            for row in placed(read)
        ]
        output.as_json({"file": str(file), "digest": programme.digest, "findings": rows})
        raise typer.Exit(1 if rows else 0)
    refuse_unfit(read)
    output.say(
        "{file}: the programme is sound: {count} benefits, valid from {first} through {last} (digest {digest})",
        file=file,
        count=len(programme.benefits),
        first=programme.valid.first,
        last=programme.valid.last,
        digest=programme.digest[:16],
    )


@app.command("show")
def show(
    file: Annotated[
        Path | None,
        typer.Argument(help="A programme file; the edition of this counter, if none is given.", show_default=False),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACT=VALUE",
            help="A fact about a member, such as category=retired: what this member can have. Facts: federation, "
            "category, unit, district, hardship (yes or no), cover (last day), issued, birth, child (day of birth).",
        ),
    ] = None,
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day of the decision; today, if not given.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Show the rules of a programme in words, or what a member can have on a day who has used nothing yet.

    Without a file it is the edition of this counter: one that is not signed by the list key, not in force or older than
    one used before is refused.

    Example: membercard programme show beijing.yaml --member category=retired --member birth=1960-05-01
    """
    from programme.programme import load_programme

    edition = counter_edition() if file is None else None
    programme = edition.programme if edition is not None else load_programme(file or Path()).programme
    day = settings.load().today() if on is None else on.date()
    rows = _rules(programme) if not member else _decisions(programme, _beneficiary(programme, member), day)
    if json:
        issue = None if edition is None else edition.issue.to_json()
        head = {"programme": programme.programme, "name": both(programme.name), "digest": programme.digest}
        output.as_json({**head, "edition": issue, "benefits": [row.data for row in rows]})
        return
    heads = ["benefit", "rules"] if not member else ["benefit", "product", "decision"]
    name, valid = word(programme.name), programme.valid
    title = text("{name}, valid from {first} through {last}", name=name, first=valid.first, last=valid.last)
    output.show(output.table(title, heads, [row.cells for row in rows]))
    if edition is not None:
        until = output.local_time(edition.issue.expires)
        output.say("edition {version}, to be used until {expires}", version=edition.issue.version, expires=until)


class _Row:
    """A row of the table, and the same as data."""

    def __init__(self, data: dict[str, Any], *cells: object) -> None:
        self.data, self.cells = data, cells


def _rules(programme: Programme) -> list[_Row]:
    """Each benefit with its rules in words."""
    from programme.explained import explained

    rows = []
    for offer in programme.offers():
        sentences = list(explained(offer))
        data = {"benefit": offer.code, "name": both(offer.benefit.name), "rules": [both(one) for one in sentences]}
        rows.append(_Row(data, f"{offer.code}\n{word(offer.benefit.name)}", "\n".join(map(word, sentences))))
    return rows


def _decisions(programme: Programme, member: Beneficiary, day: date) -> list[_Row]:
    """Each product, at each of its places, with the decision about a member who has used nothing."""
    return [row for offer in programme.offers() for row in _offered(offer, member, datetime.combine(day, time(12)))]


def _offered(offer: Offer, member: Beneficiary, at: datetime) -> list[_Row]:
    from programme.decision import decide
    from programme.facts import BenefitRequest, PastUses

    rows = []
    past = PastUses(complete=True, taken={})
    for code, product in offer.benefit.products.items():
        places = [place for place, stock in offer.benefit.stock.items() if stock.covers(code)] or [""]
        for place in places:
            decision = decide(offer, member, BenefitRequest(code, event="-", place=place), past, at)
            data = {"benefit": offer.code, "product": code, "place": place, **_decided(decision)}
            name = "\n".join(
                [word(product.name), *([word(offer.benefit.stock[place].name)] if len(places) > 1 else [])]
            )
            rows.append(_Row(data, word(offer.benefit.name), name, word(decision.sentence)))
    return rows


@app.command("demo")
def demo(
    name: Annotated[str, typer.Argument(help="The programme: beijing.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the report goes; NAME.html, if left out.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep the year's registry and cards here; replaced if a demo made it.")
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Watch a whole year of a federation: members, cards, benefits and what went wrong, as a report that one can read.

    Everything is embedded: SQLite, a software keystore, virtual cards, and a clock that goes through the year. Nothing
    but the report is left, except with --data.

    Example: membercard programme demo beijing --open
    """
    from membercard.demo.programmes import scripts  # imports nearly everything

    scripts.play(name, out or Path(f"{name}.html"), data, show=opened)


def _decided(decision: Allowed | Refused) -> dict[str, Any]:
    from programme.outcome import Allowed

    if isinstance(decision, Allowed):
        return {"allowed": True, "price": decision.price, "left": decision.left, "sentence": both(decision.sentence)}
    return {
        "allowed": False,
        "code": decision.code,
        "rule": decision.rule,
        "again_on": decision.again_on,
        "sentence": both(decision.sentence),
    }


def _beneficiary(programme: Programme, facts: list[str]) -> Beneficiary:
    """The member of these facts; of the programme's federation where none is named. Raises typer.BadParameter."""
    from programme.eligibility import CATEGORIES
    from programme.facts import Beneficiary

    values: dict[str, Any] = {"federation": programme.federation.division}
    for fact in facts:
        name, _, value = fact.partition("=")
        if name == "category" and value in CATEGORIES:
            values["category"] = CATEGORIES[value]
        elif name == "hardship" and value in ("yes", "no"):
            values["hardship"] = value == "yes"
        elif name in ("federation", "unit", "district") and value:
            values[name] = value
        elif name == "child":
            values["children"] = (*values.get("children", ()), _day(fact, value))
        elif name in ("cover", "issued", "birth"):
            values["cover_ends" if name == "cover" else name] = _day(fact, value)
        else:
            raise typer.BadParameter(text("{fact} is no fact about a member; see --help", fact=fact))
    return Beneficiary(**values)


def _day(fact: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(text("{fact}: write the day as 2026-12-15", fact=fact)) from None


def _chinese() -> bool:
    return language.current() is Language.CHINESE


def word(words: Sentence | Wording) -> str:
    """A text of a programme in the current language."""
    return words.zh if _chinese() else words.en


def both(words: Sentence | Wording) -> dict[str, str]:
    return {"zh": words.zh, "en": words.en}
