"""docs/api.md: its examples run as they stand, in their order, and its tables are complete."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reader_service.errors import ServiceError, TooMany
from reader_service.http.errors import CODES, problem_of
from reader_service.principal import Principal, Role
from tests.support import forms
from tests.support.forms import person
from tests.support.paths import ROOT
from tests.support.service.accounts import PASSWORD, Client, accounts_app
from tests.support.service.reader_app import ReaderApp
from tests.support.waiting import eventually

SEES = Principal("test", frozenset({Role.OPERATOR}))
GUIDE = ROOT / "docs" / "api.md"
_BLOCK = re.compile(r"```sh\n(?P<command>.*?)\n```(?:\n\n```json\n(?P<answer>.*?)\n```)?", re.DOTALL)
_CAPTURE = re.compile(r"(?P<name>[A-Z]+)=\$\((?P<command>curl .*) \| jq -r '?(?P<path>[^' ]+)'?\)")
_STEP = re.compile(r"\.?\[(\d+)\]|\.(\w+)")


def examples() -> list[tuple[str, str | None]]:
    return [(block["command"], block["answer"]) for block in _BLOCK.finditer(GUIDE.read_text("utf-8"))]


@dataclass
class Shell:
    """Runs the guide's one-line commands: curl with the options used there, and jq with a plain path."""

    station: ReaderApp
    folder: Path
    variables: dict[str, str]
    jars: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, line: str) -> httpx.Response:
        """Settled before, checked for its status, its answer kept where the line says so."""
        line, _, wanted = line.partition(" # ")
        capture = _CAPTURE.fullmatch(line)
        answer = self._curl(capture["command"] if capture else line)
        assert answer.status_code == int(wanted) if wanted else answer.is_success, f"{line}\n{answer.text}"
        if capture:
            self.variables[capture["name"]] = str(_picked(answer.json(), capture["path"]))
        return answer

    def _curl(self, line: str) -> httpx.Response:
        for name, value in sorted(self.variables.items(), reverse=True):
            line = line.replace(f"${name}", value)
        words = shlex.split(line.replace("$(uuidgen)", str(uuid.uuid4())))
        assert words[0] == "curl"
        assert not any("$" in word for word in words), line
        headers: dict[str, str] = {}
        body: dict[str, Any] = {}
        method, url, jar, out = "", "", "", ""
        rest = iter(words[1:])
        for word in rest:
            if word == "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            elif word == "-X":
                method = next(rest)
            elif word == "--json":
                body["content"], headers["Content-Type"] = next(rest).encode(), "application/json"
            elif word == "-F":
                name, _, place = next(rest).partition("=@")
                body["files"] = {name: (place, (self.folder / place).read_bytes())}
            elif word in ("-b", "-c"):
                jar = next(rest)
            elif word == "-o":
                out = next(rest)
            else:
                url = word
        client = Client(self.station.app, headers)
        for name, value in self.jars.get(jar, {}).items():
            client.cookies.set(name, value)
        answer = client.request(method or ("POST" if body else "GET"), url, **body)
        if jar:
            self.jars.setdefault(jar, {}).update(answer.cookies.items())
        if out:
            (self.folder / out).write_bytes(answer.content)
        return answer


def _picked(actual: Any, path: str) -> Any:
    for number, name in _STEP.findall(path):
        actual = actual[int(number)] if number else actual[name]
    return actual


def settled(station: ReaderApp) -> bool:
    """What works in the background has come to its end."""
    for batch in station.registry.batches.all():
        preparation = station.service.batches.preparation(SEES, batch.id)
        if preparation is not None and preparation.state == "running":
            return False
        if batch.verified < batch.accepted and any(one.batch == batch.id for one in station.service.lanes.lanes(SEES)):
            return False
    return True


def like(actual: Any, documented: Any, place: str = "answer") -> None:
    """The same fields and kinds; of lists the first ones. The guide may show fewer items than there are."""
    if isinstance(documented, dict):
        assert isinstance(actual, dict), place
        assert set(actual) == set(documented), place
        for name, value in documented.items():
            like(actual[name], value, f"{place}.{name}")
    elif isinstance(documented, list):
        assert isinstance(actual, list), place
        assert not documented or actual, place
        for number, value in enumerate(documented):
            like(actual[number], value, f"{place}[{number}]")
    elif None not in (actual, documented):
        assert isinstance(actual, type(documented)) or {type(actual), type(documented)} == {int, float}, place


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    station = ReaderApp(tmp_path)
    station.person("admin", Role.ADMINISTRATOR)
    station.person("reviewer", Role.REVIEWER)
    forms.xlsx(tmp_path / "form.xlsx", forms.form(person(1), person(2), person(3, phone="")))
    (tmp_path / "schedule.csv").write_text(
        f"单位,组别,计划数,完成日期\n{forms.UNIT},第一批,300,2026-12-31\n", encoding="utf-8"
    )
    tokens = {role.value.upper(): station.token(role) for role in Role if role is not Role.ADMINISTRATOR}
    month = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
    variables = {"SERVICE": "http://localhost", "PASSWORD": PASSWORD, "NEXT_MONTH": month, **tokens}
    yield Shell(station, tmp_path, variables)
    station.close()


def test_every_example_runs_and_answers_as_it_says(shell: Shell) -> None:
    ran = 0
    for command, answer in examples():
        assert eventually(lambda: settled(shell.station)), command
        response = shell.run(command)
        if answer is not None:
            like(response.json(), json.loads(answer))
        ran += 1
    assert ran > 40
    files = {place: (shell.folder / place).read_bytes() for place in ("annotated.xlsx", "report.html", "figures.xlsx")}
    assert [files[place][:2] for place in files] == [b"PK", b"<!", b"PK"]


def test_every_code_and_every_address_stands_in_the_guide(tmp_path: Path) -> None:
    text = GUIDE.read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3}) \|", text, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(CODES)
    statuses = {code: int(status) for code, status in rows}
    for kind in kinds(ServiceError):
        problem = problem_of(TooMany("why", 1) if kind is TooMany else kind("why"))
        assert problem is not None
        assert (problem.code, problem.status) == (kind.code, statuses[kind.code])
    rig = accounts_app(tmp_path)
    document = rig.app.openapi()["paths"]
    rig.registry.close()
    operations = {
        (method.upper(), path, operation["summary"])
        for path, methods in document.items()
        for method, operation in methods.items()
    }
    assert set(re.findall(r"^\| `([A-Z]+)` \| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)) == operations


def kinds(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from kinds(heir)
