"""Signed editions: what is published is what a counter reads; forged, early, late and older ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from programme.editions import EDITION_DAYS, KIND, ProgrammeEdition
from programme.errors import ProgrammeUnfit
from programme.programme import example
from programme.publishing import propose, publish
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, IntegrityError
from terminal.member import signed
from terminal.member.hotlist import Hotlist
from terminal.member.signed import ListOutdated
from tests.support.cards import rsa_signer
from tests.support.paths import ROOT
from tests.support.programmes import ONE_PRODUCT, programme_file

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PROGRAMME = example("beijing").programme


class Issuer:
    """A key that signs lists."""

    def __init__(self) -> None:
        self.signer = rsa_signer.key("list", 1152)
        self.key = RsaPublic(self.signer.n, self.signer.e)

    def sign(self, message: bytes) -> bytes:
        return self.signer.sign(message)

    def edition(self, version: int = 1, issued: datetime = AT) -> bytes:
        return ProgrammeEdition.of(PROGRAMME, version, issued).write(self.key, self.sign)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def test_an_edition_is_read_as_it_was_written(issuer: Issuer) -> None:
    edition = ProgrammeEdition.load(issuer.edition(5), issuer.key, at=AT + EDITION_DAYS * DAY, at_least=5)
    assert edition.programme == PROGRAMME
    assert (edition.issue.version, edition.issue.issued, edition.issue.expires) == (5, AT, AT + EDITION_DAYS * DAY)


@pytest.mark.parametrize(
    ("at", "at_least", "sentence"),
    [
        (AT - DAY, 1, "the programme edition is in force from 2026-11-30 to 2027-02-28 only"),
        (AT + (EDITION_DAYS + 1) * DAY, 1, "the programme edition is in force from 2026-11-30 to 2027-02-28 only"),
        (AT, 6, "the programme edition has version 5; version 6 was used before"),
    ],
)
def test_an_edition_from_tomorrow_one_that_is_over_and_an_older_one(
    issuer: Issuer, at: datetime, at_least: int, sentence: str
) -> None:
    with pytest.raises(ListOutdated, match=sentence):
        ProgrammeEdition.load(issuer.edition(5), issuer.key, at=at, at_least=at_least)


def test_no_value_of_an_edition_can_be_changed(issuer: Issuer) -> None:
    file = json.loads(issuer.edition())
    changes: list[Callable[[dict[str, object]], None]] = [
        lambda body: body.update(version=9),
        lambda body: body.update(expires="2099-01-01T00:00:00+00:00"),
        lambda body: body.update(digest="0" * 64),
        lambda body: body["programme"]["benefits"]["park-pass"]["limits"][0].update(count=9),  # type: ignore[index]
    ]
    for change in changes:
        forged = json.loads(json.dumps(file))
        change(forged["list"])
        with pytest.raises(IntegrityError, match="the programme edition is not signed by the list key"):
            ProgrammeEdition.load(json.dumps(forged).encode(), issuer.key)


def test_another_list_is_no_edition_and_an_edition_no_hotlist(issuer: Issuer) -> None:
    issue = signed.Issue(1, AT, AT + DAY)
    hotlist = Hotlist.of([], issue).write(issuer.key, issuer.sign)
    with pytest.raises(CodecError, match="not a programme edition"):
        ProgrammeEdition.load(hotlist, issuer.key)
    with pytest.raises(CodecError, match="not a hotlist"):
        Hotlist.load(issuer.edition(), issuer.key)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"digest": "0" * 64}, "holds no programme"),
        ({"programme": {"format": 2}, "digest": "0" * 64}, "cannot be read"),
        ({"programme": PROGRAMME.to_json(), "digest": "0" * 64}, "is for a newer program"),
    ],
)
def test_what_this_program_does_not_know_is_refused(issuer: Issuer, content: dict[str, object], sentence: str) -> None:
    file = signed.write(KIND, content, signed.Issue(1, AT, AT + DAY), issuer.key, issuer.sign)
    with pytest.raises(CodecError, match=sentence):
        ProgrammeEdition.load(file, issuer.key)


def test_only_a_sound_programme_is_published(registry: Registry, issuer: Issuer) -> None:
    file = programme_file("counted: none\nlimits: [{count: 1, per: day}]\n" + ONE_PRODUCT)
    with pytest.raises(ProgrammeUnfit) as refused:
        propose(registry, file, "", by="王芳")
    assert str(refused.value) == (
        "own.yaml:13: benefits.benefit.limits.0: only the office can count this (counted: office)"
    )
    assert refused.value.chinese == "own.yaml:13: benefits.benefit.limits.0: 须由工会计数（counted: office）"
    assert registry.programme_editions.newest() is None


def test_what_is_published_is_what_counters_read(registry: Registry, issuer: Issuer) -> None:
    content = (ROOT / "programme" / "examples" / "beijing.yaml").read_text("utf-8")
    proposal = propose(registry, example("beijing"), content, by="王芳", days=30)
    file = publish(registry, proposal.number, issuer.key, issuer.sign, by="登记员", zone=UTC)
    edition = ProgrammeEdition.load(file.signed, issuer.key, at=file.at)
    assert edition.programme == PROGRAMME
    assert (edition.issue.version, edition.issue.expires) == (file.version, file.expires)
    assert (file.programme, file.division, file.digest) == ("beijing", "110000", PROGRAMME.digest)
