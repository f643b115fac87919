"""The programme of a counter: forged, early and older editions are refused, each with its sentence."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.counter_lists import LIST_KEY
from membercard.wiring.merchant import StoredEdition
from membercard.wiring.programme_edition import EDITION, PROGRAMME, counter_edition
from membercard.wiring.seen_lists import FOLDER, ListKeyChanged, SeenLists
from programme.editions import KIND, ProgrammeEdition
from programme.programme import example
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, IntegrityError
from terminal.member.signed import Issue, ListOutdated
from tests.support.cards.rsa_signer import Key, key

SIGNER, OTHER = key("list", 1152), key("other list", 1152)
NOW, DAY = datetime.now(UTC), timedelta(days=1)
BEIJING = example("beijing").programme


def put(folder: Path, version: int, issued: datetime = NOW - DAY, signer: Key = SIGNER) -> bytes:
    """The files of a counter, as the issuer writes them."""
    public = RsaPublic(signer.n, signer.e)
    file = ProgrammeEdition.of(BEIJING, version, issued).write(public, signer.sign)
    (folder / PROGRAMME).write_bytes(file)
    (folder / LIST_KEY).write_text(json.dumps({"n": f"{public.n:x}", "e": public.e}))
    return file


def loaded(folder: Path) -> ProgrammeEdition:
    def load() -> ProgrammeEdition:
        settings.activate(None, data_dir=folder)
        return counter_edition()

    return copy_context().run(load)


def test_the_newest_edition_is_used_and_never_an_older_one(tmp_path: Path) -> None:
    for version in (5, 5, 7):
        put(tmp_path, version)
        assert loaded(tmp_path).issue.version == version
    newest = (tmp_path / PROGRAMME).read_bytes()
    put(tmp_path, 6)
    with pytest.raises(ListOutdated, match=r"the programme edition has version 6.*version 7 of .* was used before"):
        loaded(tmp_path)
    public = RsaPublic(SIGNER.n, SIGNER.e)
    assert SeenLists(tmp_path / FOLDER).stored(public, "programme") == newest


def test_one_from_tomorrow_and_one_that_is_over_are_refused_and_leave_no_mark(tmp_path: Path) -> None:
    for issued in (NOW + DAY, NOW - 91 * DAY):
        put(tmp_path, 9, issued)
        with pytest.raises(ListOutdated, match="the programme edition is in force from"):
            loaded(tmp_path)
    put(tmp_path, 5)
    assert loaded(tmp_path).issue.version == 5


def test_a_forged_edition_is_refused(tmp_path: Path) -> None:
    file = put(tmp_path, 5)
    (tmp_path / PROGRAMME).write_bytes(file.replace(b'"count":1', b'"count":9'))
    with pytest.raises(IntegrityError, match="is not signed by the list key, or was changed after signing"):
        loaded(tmp_path)
    (tmp_path / PROGRAMME).write_bytes(file[:-40])
    with pytest.raises(CodecError, match="not a signed programme edition"):
        loaded(tmp_path)


def test_an_edition_under_another_key_is_refused_once_one_was_used(tmp_path: Path) -> None:
    put(tmp_path, 5)
    loaded(tmp_path)
    put(tmp_path, 6, signer=OTHER)
    with pytest.raises(ListKeyChanged, match=r"another than before.*membercard lists reset"):
        loaded(tmp_path)


def test_a_clock_that_was_set_back_uses_no_edition(tmp_path: Path) -> None:
    public, seen = RsaPublic(SIGNER.n, SIGNER.e), SeenLists(tmp_path / "seen")
    issue = Issue(5, NOW - 30 * DAY, NOW + 30 * DAY)
    seen.accept_programme(issue, public, NOW, b"file")
    with pytest.raises(ListOutdated, match="the clock of this counter was set back: it was at"):
        seen.accept_programme(issue, public, NOW - 2 * DAY, b"file")
    seen.accept_programme(issue, public, NOW - DAY / 2, b"file")


def test_a_counter_without_an_edition_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="membercard programme export DIRECTORY"):
        loaded(tmp_path)


def test_a_thread_of_a_reader_has_the_edition_of_the_settings_of_its_service(tmp_path: Path) -> None:
    put(tmp_path, 5)

    def started() -> StoredEdition:
        settings.activate(None, data_dir=tmp_path)
        return StoredEdition()

    edition = copy_context().run(started)
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(edition).result().issue.version == 5


def test_the_kind_of_an_edition_has_one_name() -> None:
    assert EDITION == KIND
