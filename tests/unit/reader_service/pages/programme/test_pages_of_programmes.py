"""Pages of the programme: each opens in both languages, says what changes, and offers what its viewer may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from reader_service.principal import Role
from tests.support.paths import ROOT
from tests.support.service.accounts import BASE, Client
from tests.support.service.latin import latin
from tests.support.service.registry_app import registry_app

HEBEI = (ROOT / "programme" / "examples" / "hebei.yaml").read_bytes()
CHEAPER = HEBEI.replace(b"fixed: 0.01", b"fixed: 8", 1)
BENEFITS = CHEAPER[: CHEAPER.index(b"\nrush:")]
ENDED = BENEFITS[: BENEFITS.rindex(b"\n  ", 0, BENEFITS.rindex(b"\n    name:"))] + b"\n"
DIALOGS = ("confirm", "refuse", "cancel")
NAMES = {Role.REGISTRAR: "登记员", Role.REVIEWER: "审核员", Role.AUDITOR: "审计员", Role.OPERATOR: "操作员"}


@dataclass
class People:
    """Two editions, and a proposal that waits."""

    clients: dict[Role, Client]
    versions: list[int]
    waiting: int


def hand_in(client: Client, content: bytes) -> int:
    answer = client.post("/api/v1/programme/proposals", files={"file": ("hebei.yaml", content)})
    return int(answer.json()["proposal"]["number"])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    rig = registry_app(tmp_path_factory.mktemp("programme"))
    with rig.accounts.registry:
        clients = {role: rig.person(name, role) for role, name in NAMES.items()}
        versions = []
        for content in (HEBEI, CHEAPER):
            number = hand_in(clients[Role.REGISTRAR], content)
            done = clients[Role.REVIEWER].post(f"/api/v1/programme/proposals/{number}/confirm", json={})
            versions.append(done.json()["version"])
        yield People(clients, versions, hand_in(clients[Role.REGISTRAR], ENDED))


def paths(people: People) -> list[str]:
    first, second = people.versions
    return [
        "/programme",
        "/programme/check",
        f"/programme/editions/{first}",
        f"/programme/editions/{second}",
        f"/programme/editions/{first}?against={second}",
        "/programme/proposals",
        "/programme/proposals?only=published",
        "/programme/proposals?only=refused",
        "/programme/proposals/1",
        f"/programme/proposals/{people.waiting}",
    ]


def page(client: Client, path: str, language: str) -> str:
    client.cookies.set("membercard-language", language)
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text[-600:])
    return answer.text


def test_every_page_opens_in_both_languages_for_who_may_see_it(people: People) -> None:
    for path in paths(people):
        for role in (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR):
            for language in ("zh", "en"):
                assert "<h1>" in page(people.clients[role], path, language)
        assert people.clients[Role.OPERATOR].get(path).status_code == 403


def test_chinese_pages_are_chinese(people: People) -> None:
    codes = r"((rush|covers|claims|grants|matters|payouts)\.)?[a-z]+(-[a-z]+)*|代发文件格式 [a-z]+"
    known = re.compile(rf"hebei(\.yaml)?( · 130000)?|[0-9a-f]{{16,64}}|{codes}|YAML，UTF-8 .*")
    for path in paths(people):
        text = page(people.clients[Role.REVIEWER], path, "zh")
        assert [one for one in latin(text) if not known.fullmatch(one)] == [], path


def test_an_edition_shows_in_words_what_it_changes(people: People) -> None:
    first, second = people.versions
    path = f"/programme/editions/{second}"
    chinese, english = (page(people.clients[Role.AUDITOR], path, language) for language in ("zh", "en"))
    assert f"与第 {first} 版相比的变化" in chinese
    assert f"What it changes against edition {first}" in english
    for text, before, after in ((chinese, "0.01 元", "8.00 元"), (english, "0.01 yuan", "8.00 yuan")):
        assert re.search(f"<del>[^<]*(?<![0-9]){before}[^<]*</del>", text)
        assert re.search(f"<ins>[^<]*(?<![0-9]){after}[^<]*</ins>", text)
    assert "There is no edition before it" in page(people.clients[Role.AUDITOR], f"/programme/editions/{first}", "en")


def test_the_second_person_sees_what_changes_and_decides(people: People) -> None:
    path = f"/programme/proposals/{people.waiting}"
    offered = {
        role: [f'commandfor="{name}"' in page(people.clients[role], path, "en") for name in DIALOGS]
        for role in (Role.REGISTRAR, Role.REVIEWER, Role.AUDITOR)
    }
    assert offered == {
        Role.REGISTRAR: [False, False, True],
        Role.REVIEWER: [True, True, False],
        Role.AUDITOR: [False, False, False],
    }
    text = page(people.clients[Role.REVIEWER], path, "en")
    assert "Taken out" in text
    assert f'name="against" value="{people.versions[-1]}"' in text
    assert f'value="{BASE}{path}"' in page(people.clients[Role.REGISTRAR], path, "en")
    for other in ("1", "2"):
        assert 'commandfor="confirm"' not in page(people.clients[Role.REVIEWER], f"/programme/proposals/{other}", "en")


def test_what_waits_is_on_the_page_to_do_and_in_the_navigation(people: People) -> None:
    reviewer = people.clients[Role.REVIEWER]
    assert f'href="/programme/proposals/{people.waiting}"' in page(reviewer, "/waiting", "en")
    navigation = re.search(r'<a href="/programme".*?</a>', page(reviewer, "/programme", "en"))
    assert navigation is not None
    assert 'aria-label="1 to do">1</span>' in navigation[0]


@pytest.mark.parametrize(("language", "sentence"), [("zh", "没有此字段"), ("en", "no such field")])
def test_an_upload_shows_its_findings(people: People, language: str, sentence: str) -> None:
    clerk = people.clients[Role.REGISTRAR]
    clerk.cookies.set("membercard-language", language)
    faulty = HEBEI + b"colour: red\n"
    for data in ({"days": "90"}, {"only": "on"}):
        answer = clerk.post("/programme/check", files={"file": ("own.yaml", faulty)}, data=data | csrf(clerk))
        assert answer.status_code == 200, answer.text[-600:]
        row = re.search(r"<tr>(?:(?!</tr>).)*colour.*?</tr>", answer.text, re.DOTALL)
        assert row is not None
        assert sentence in row[0]
        assert f">{faulty.count(bytes([10]))}<" in row[0]


def test_a_check_of_a_sound_file_shows_what_would_change(people: People) -> None:
    reviewer = people.clients[Role.REVIEWER]
    reviewer.cookies.set("membercard-language", "en")
    answer = reviewer.post("/programme/check", files={"file": ("own.yaml", HEBEI)}, data=csrf(reviewer))
    assert "is sound" in answer.text
    assert f"What it changes against edition {people.versions[-1]}" in answer.text
    assert len(reviewer.get("/api/v1/programme/proposals").json()["items"]) == 3


def csrf(client: Client) -> dict[str, str]:
    return {"csrf": client.headers["X-CSRF-Token"]}
