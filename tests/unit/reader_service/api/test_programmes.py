"""The programme over HTTP: a file checked, handed in by one person, published by another, compared and downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from personalize.lists import public_key
from programme.editions import ProgrammeEdition
from programme.programme import example
from reader_service.principal import Role
from registry.admin.programmes import PublishedProgramme
from tests.support.issuer import custody
from tests.support.paths import ROOT
from tests.support.service.accounts import Client, problem
from tests.support.service.registry_app import RegistryApp, registry_app

HEBEI = (ROOT / "programme" / "examples" / "hebei.yaml").read_bytes()
CHEAPER = HEBEI.replace(b"fixed: 0.01", b"fixed: 8", 1)
FAULTY = HEBEI.replace(b"programme: hebei", b"programme: hebei\ncolour: red", 1)


@dataclass
class People:
    """``clerk`` hands in; ``second`` is a registrar, too."""

    rig: RegistryApp
    clerk: Client
    second: Client
    reviewer: Client
    auditor: Client


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    rig = registry_app(tmp_path)
    with rig.accounts.registry:
        people = [rig.person(name, Role.REGISTRAR) for name in ("clerk", "second")]
        roles = (Role.REVIEWER, Role.AUDITOR)
        yield People(rig, *people, *(rig.person(role.value, role) for role in roles))


def send(client: Client, content: bytes, path: str = "proposals", **query: Any) -> httpx.Response:
    return client.post(f"/api/v1/programme/{path}", files={"file": ("hebei.yaml", content)}, params=query)


def handed_in(people: People, content: bytes = HEBEI, **query: Any) -> int:
    answer = send(people.clerk, content, **query)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["proposal"]["number"])


def confirm(client: Client, number: int, against: int | None = None) -> httpx.Response:
    return client.post(f"/api/v1/programme/proposals/{number}/confirm", json={"against": against})


def test_one_hands_in_and_another_publishes(people: People) -> None:
    assert problem(people.auditor.get("/api/v1/programme"))["params"]["reason"] == "programme"
    number = handed_in(people, days=30)
    (listed,) = people.auditor.get("/api/v1/programme/proposals", params={"state": "waiting"}).json()["items"]
    assert (listed["number"], listed["by"], listed["source"], listed["days"]) == (number, "clerk", "hebei.yaml", 30)
    changes = people.reviewer.get(f"/api/v1/programme/proposals/{number}/differences").json()
    assert changes["before"] is None
    assert {one["kind"] for one in changes["changes"]} == {"added"}

    edition = confirm(people.reviewer, number, 0).json()
    shown = people.auditor.get("/api/v1/programme").json()
    assert (shown["edition"], shown["newest"], shown["proposal"]) == (edition, True, number)
    assert (shown["edition"]["by"], shown["edition"]["digest"]) == ("reviewer", example("hebei").programme.digest)
    assert (shown["name"]["zh"], shown["valid_from"], shown["valid_through"]) == (
        "河北工会会员卡",
        "2026-01-01",
        "2028-12-31",
    )
    assert [one["benefit"] for one in shown["benefits"]] == sorted(example("hebei").programme.benefits)
    assert all(sentence["zh"] and sentence["en"] for one in shown["benefits"] for sentence in one["rules"])
    after = people.clerk.get(f"/api/v1/programme/proposals/{number}").json()
    assert (after["state"], after["decided_by"], after["version"]) == ("published", "reviewer", edition["version"])


def test_the_signed_edition_and_its_file_are_downloaded(people: People) -> None:
    number = handed_in(people)
    edition = confirm(people.second, number).json()
    signed = people.auditor.get(f"/api/v1/programme/editions/{edition['version']}/programme.json")
    key = public_key(custody().info(custody().latest("list-signer")))
    read = ProgrammeEdition.load(signed.content, key, at=people.rig.accounts.clock() + timedelta(days=89))
    assert (read.programme, read.issue.version) == (example("hebei").programme, edition["version"])
    file = people.auditor.get(f"/api/v1/programme/proposals/{number}/programme.yaml")
    assert (file.content, file.headers["content-disposition"]) == (
        HEBEI,
        "attachment; filename=\"hebei.yaml\"; filename*=UTF-8''hebei.yaml",
    )


def test_editions_are_listed_and_compared_in_words(people: People) -> None:
    first = confirm(people.second, handed_in(people)).json()["version"]
    number = handed_in(people, CHEAPER)
    before = people.reviewer.get(f"/api/v1/programme/proposals/{number}/differences").json()
    second = confirm(people.second, number, first).json()["version"]
    listed = people.auditor.get("/api/v1/programme/editions").json()["items"]
    assert [one["version"] for one in listed] == [second, first]
    assert len({one["digest"] for one in listed}) == 2
    changes = people.auditor.get(f"/api/v1/programme/editions/{second}/differences").json()
    assert changes == before == {"before": first, "changes": changes["changes"], "unreadable": False}
    (change,) = changes["changes"]
    assert change["kind"] == "changed"
    assert [("0.01" in one["en"], "0.01" in one["zh"]) for one in change["before"]] == [(True, True)]
    assert [("8.00" in one["en"], "8.00" in one["zh"]) for one in change["after"]] == [(True, True)]
    back = people.auditor.get(f"/api/v1/programme/editions/{first}/differences", params={"against": second}).json()
    assert (back["changes"][0]["before"], back["changes"][0]["after"]) == (change["after"], change["before"])
    again = people.auditor.get(f"/api/v1/programme/proposals/{number}/differences").json()
    assert again == before, "once published, against the edition before it"
    unknown = people.auditor.get("/api/v1/programme/editions/7/differences")
    assert problem(unknown)["params"]["reason"] == "programme-edition"


def test_a_check_stores_nothing_and_names_line_and_field(people: People) -> None:
    done = send(people.auditor, FAULTY, "check").json()
    line = FAULTY.split(b"\n").index(b"colour: red") + 1
    assert done["findings"] == [
        {
            "file": "hebei.yaml",
            "line": line,
            "field": "colour",
            "rule": "file",
            "text": {"zh": "没有此字段", "en": "no such field"},
        }
    ]
    sound = send(people.reviewer, HEBEI, "check").json()
    assert (sound["findings"], sound["proposal"], sound["digest"]) == ([], None, example("hebei").programme.digest)
    assert sound["changes"]["before"] is None
    assert {one["kind"] for one in sound["changes"]["changes"]} == {"added"}
    refused = send(people.clerk, FAULTY).json()
    assert (refused["proposal"], len(refused["findings"])) == (None, 1)
    assert people.clerk.get("/api/v1/programme/proposals").json()["items"] == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 1_200_000, b"a: [", b"[]"], ids=len)
def test_what_is_no_programme_is_a_finding_and_no_fault(people: People, content: bytes) -> None:
    done = send(people.clerk, content)
    assert (done.status_code, done.json()["proposal"]) == (200, None)
    assert done.json()["findings"]


def test_nobody_publishes_what_they_handed_in(people: People) -> None:
    number = handed_in(people)
    for answer in (
        confirm(people.clerk, number),
        people.clerk.post(f"/api/v1/programme/proposals/{number}/refuse", json={"reason": "a mistake"}),
    ):
        assert (problem(answer)["status"], problem(answer)["code"]) == (403, "own-work")
    token = people.rig.client_as(Role.REGISTRAR)
    assert problem(confirm(token, number))["params"]["rule"] == "in-person"
    assert problem(confirm(people.auditor, number))["params"]["permission"] == "programmes:approve"
    assert people.clerk.get("/api/v1/programme/editions").json()["items"] == []


def test_a_proposal_is_refused_or_taken_back_with_a_reason_once(people: People) -> None:
    number = handed_in(people)
    twice = send(people.second, HEBEI)
    assert problem(twice)["params"] == {"reason": "proposal-waiting", "number": number}
    address = f"/api/v1/programme/proposals/{number}"
    assert problem(people.reviewer.post(f"{address}/refuse", json={"reason": " "}))["fields"].keys() == {"reason"}
    refused = people.reviewer.post(f"{address}/refuse", json={"reason": "last year's price"}).json()
    assert (refused["state"], refused["decided_by"], refused["decided_reason"]) == (
        "refused",
        "reviewer",
        "last year's price",
    )
    assert problem(confirm(people.second, number))["params"]["reason"] == "proposal-over"
    other = handed_in(people)
    cancelled = people.clerk.post(f"/api/v1/programme/proposals/{other}/cancel", json={"reason": "wrong file"}).json()
    assert cancelled["state"] == "cancelled"


def test_changes_that_are_out_of_date_are_not_published(people: People) -> None:
    first, second = handed_in(people), handed_in(people, CHEAPER)
    version = confirm(people.second, first, 0).json()["version"]
    stale = confirm(people.second, second, 0)
    assert (problem(stale)["status"], problem(stale)["params"]["reason"]) == (409, "programme-changed")
    assert confirm(people.second, second, version).status_code == 200


@pytest.mark.parametrize("days", [0, 367])
def test_an_edition_is_used_for_a_year_at_most(people: People, days: int) -> None:
    assert problem(send(people.clerk, HEBEI, days=days))["status"] == 422


def test_what_waits_is_on_the_list_of_the_second_person(people: People) -> None:
    number = handed_in(people)
    for client, own in ((people.reviewer, False), (people.second, False), (people.clerk, True)):
        (one,) = client.get("/api/v1/waiting").json()
        assert (one["kind"], one["key"], one["subject"], one["own"]) == ("programme", str(number), "hebei", own)
    assert people.auditor.get("/api/v1/waiting").json() == []
    counts = [
        client.get("/api/v1/waiting/counts").json().get("programme", 0) for client in (people.reviewer, people.clerk)
    ]
    assert counts == [1, 0]


def test_an_edition_of_another_version_of_the_program_stops_no_new_one(people: People) -> None:
    editions = people.rig.accounts.registry.programme_editions
    values = PublishedProgramme("hebei", "130000", "ab" * 32, timedelta(days=90))
    strange = editions.propose(values, "format: 9", "old.yaml", by="clerk").number
    old = editions.publish(strange, lambda version, at: b"{}", by="second").version
    shown = people.auditor.get("/api/v1/programme")
    assert (problem(shown)["status"], problem(shown)["params"]["reason"]) == (409, "programme-unreadable")
    unfit = people.auditor.get(f"/api/v1/programme/proposals/{strange}/differences")
    assert problem(unfit)["params"]["reason"] == "programme-unfit"
    number = handed_in(people)
    changes = people.reviewer.get(f"/api/v1/programme/proposals/{number}/differences").json()
    assert (changes["before"], changes["unreadable"]) == (old, True)
    assert {one["kind"] for one in changes["changes"]} == {"added"}
    sentences = {
        "/programme": (f"第 {old} 版由另一版本的程序写成", f"Edition {old} is of another version of this program"),
        f"/programme/proposals/{number}": (f"无法读取第 {old} 版", f"cannot read edition {old}"),
    }
    for path, (chinese, english) in sentences.items():
        for language, sentence in (("zh", chinese), ("en", english)):
            people.reviewer.cookies.set("membercard-language", language)
            assert sentence in people.reviewer.get(path).text
    assert confirm(people.reviewer, number, old).status_code == 200


def test_a_file_that_this_version_does_not_take_is_refused_and_never_published(people: People) -> None:
    editions = people.rig.accounts.registry.programme_editions
    values = PublishedProgramme("hebei", "130000", "ab" * 32, timedelta(days=90))
    number = editions.propose(values, "format: 9", "old.yaml", by="clerk").number
    assert problem(confirm(people.reviewer, number))["params"]["reason"] == "programme-unfit"
    page = people.reviewer.get(f"/programme/proposals/{number}").text
    assert ('commandfor="confirm"' in page, 'commandfor="refuse"' in page) == (False, True)
