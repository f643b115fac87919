"""Every refusal of the record names its reason, and every reason has a sentence in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from reader_service.http.errors import Problem
from reader_service.pages.shell import sentence_of
from reader_service.pages.words import LANGUAGES, words
from reader_service.services.redeeming.refusals import REASONS
from registry.errors import CHIP_VERIFIED, NOT_WANTED, OWN_WORK
from registry.programme.merchants import RULES
from tests.support.paths import ROOT

ROOMS = ("registry", "personalize", "membercard")
SERVICES = (
    "issuing/rosters",
    "issuing/batches",
    "issuing/preparations",
    "counter/lists",
    "administration/users",
    "statistics/statistics",
    "programme/booking",
)
CODES = {"RegistryConflict": "conflict", "NotOnRecord": "not-found", "Conflict": "conflict", "NotFound": "not-found"}
NAMED = {"OWN_WORK": OWN_WORK, "NOT_WANTED": NOT_WANTED, "CHIP_VERIFIED": CHIP_VERIFIED}
PLACE = re.compile(r"\{(\w+)\}")


def refusals() -> Iterator[tuple[str, str, set[str], str]]:
    """Each place that makes a refusal: its code, a reason it may have, what it carries, and where it stands."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    paths += [ROOT / "reader_service" / "services" / f"{service}.py" for service in SERVICES]
    paths += [
        path for room in ("window", "workload") for path in (ROOT / "reader_service/services" / room).glob("*.py")
    ]
    for path in sorted(paths):
        source = path.read_text("utf-8")
        if not any(f"{name}(" in source for name in CODES):  # much quicker than to parse it
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES:
                given = {word.arg: word.value for word in node.keywords if word.arg}
                for reason in _reasons(given["reason"]):
                    yield CODES[node.func.id], reason, set(given), f"{path.name}:{node.lineno}"


def _reasons(reason: ast.expr) -> list[str]:
    if isinstance(reason, ast.IfExp):
        return _reasons(reason.body) + _reasons(reason.orelse)
    if isinstance(reason, ast.Name):
        return [NAMED[reason.id]]
    assert isinstance(reason, ast.Constant)
    return [str(reason.value)]


def test_every_reason_has_a_sentence_in_both_languages_that_asks_for_what_it_carries() -> None:
    odd = []
    places = list(refusals())
    for code, reason, carried, where in places:
        key = "problem.own-work" if reason == OWN_WORK else f"problem.{code}.{reason}"
        for language in LANGUAGES:
            text = words(language)._texts.get(key)
            if text is None or not set(PLACE.findall(text)) <= carried:
                odd.append((where, language, key))
    assert odd == []
    assert len({(code, reason) for code, reason, *_ in places}) > 60


def test_every_rule_of_a_merchant_has_a_sentence_in_both_languages() -> None:
    missing = [
        (language, rule)
        for language in LANGUAGES
        for rule in RULES
        if f"problem.conflict.{rule}" not in words(language)._texts
    ]
    assert missing == []


def test_every_reason_of_a_redemption_has_a_sentence_in_both_languages() -> None:
    wanted = {f"problem.conflict.{reason}" for reason in (*REASONS, "insertion-over", "no-merchant")}
    assert {key for key in wanted for language in LANGUAGES if key not in words(language)} == set()


def test_a_sentence_without_a_reason_of_its_own_is_never_lost() -> None:
    problem = Problem(409, "conflict", "reader 3 is in use", params={"reason": "nobody-translated-this"})
    for language in LANGUAGES:
        assert "reader 3 is in use" in sentence_of(problem, words(language))


def test_a_refusal_is_in_the_viewers_language() -> None:
    problem = Problem(409, "conflict", "batch B1 is no draft", params={"reason": "batch-not-draft", "batch": "B1"})
    assert sentence_of(problem, words("zh")) == "批次 B1 已不是草稿，请刷新页面。"
    assert sentence_of(problem, words("en")) == "Batch B1 is no longer a draft. Reload the page."
