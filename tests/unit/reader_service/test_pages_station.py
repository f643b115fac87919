"""The Station page: readers that are gone for good, and what is said of rejects, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reader_service.principal import Role
from reader_service.readers.values import ReaderState
from tests.support.door import Client
from tests.support.page_desks import PageHouse, page_house, reader


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageHouse]:
    made = page_house(tmp_path_factory.mktemp("pages"))
    with made.house.registry:
        yield made


@pytest.fixture
def house(open_house: PageHouse) -> PageHouse:
    open_house.fresh()
    return open_house


def operator(house: PageHouse, language: str = "zh") -> Client:
    if "operator" not in house.people:
        house.people["operator"] = house.house.signed_in(house.house.person("operator", Role.OPERATOR))
    known = house.people["operator"]
    client = house.house.client(**dict(known.headers))
    client.cookies.update(known.cookies)
    client.cookies.set("membercard-language", language)
    return client


@pytest.mark.parametrize(
    ("language", "said", "kept"),
    [("zh", "已移除读卡器 Lane 2", "读卡器还接着"), ("en", "Reader Lane 2 is removed", "still plugged in")],
)
def test_a_reader_that_is_gone_is_taken_off_the_board(house: PageHouse, language: str, said: str, kept: str) -> None:
    house.readers.found = [reader("Lane 1"), reader("Lane 2", state=ReaderState.LOST, detail="it was unplugged")]
    client = operator(house, language)
    page = client.get("/station").text
    assert 'hx-post="/station/readers/lane-2/forget"' in page
    assert "/station/readers/lane-1/forget" not in page
    answer = client.request("POST", "/station/readers/lane-2/forget", headers={"HX-Request": "true"})
    assert (answer.status_code, said in answer.text) == (200, True), answer.text
    assert [one.id for one in house.readers.found] == ["lane-1"]
    refused = client.request("POST", "/station/readers/lane-1/forget", headers={"HX-Request": "true"})
    assert (refused.status_code, kept in refused.text) == (409, True), refused.text
