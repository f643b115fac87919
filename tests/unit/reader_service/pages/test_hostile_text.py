"""Text that turns or hides what stands around it reaches no page, header or log line as it is."""

from __future__ import annotations

import pytest

from reader_service.http.schemas import download
from reader_service.logs import redact
from reader_service.pages.shell import templates

HOSTILE = "a\x1b[2J\u202eb\u2066<i>\x00"
SHOWN = r"a\u001b[2J\u202eb\u2066&lt;i&gt;\u0000"


@pytest.mark.parametrize(
    "template", ["<p>{{ x }}</p>", '<p title="{{ x }}"></p>', "{% macro m(y) %}{{ y }}{% endmacro %}{{ m(x) }}"]
)
def test_a_page_shows_it(template: str) -> None:
    assert SHOWN in templates().from_string(template).render(x=HOSTILE)


def test_lines_of_a_text_stay_lines() -> None:
    assert templates().from_string("{{ x }}|{{ n }}").render(x="a\n\tb", n=3) == "a\n\tb|3"


def test_a_file_name_is_shown_in_the_header_of_a_download() -> None:
    header = download(b"", "gpj.\u202eexe\r\nX: y\udc80.xlsx", "text/csv").headers["content-disposition"]
    assert header.isascii()
    assert header.isprintable()
    assert "%5Cu202eexe" in header


def test_a_log_line_is_one_line() -> None:
    fields = redact(None, "", {"event": "x\n2026 forged", "reader": "r\u2028\x1b[31m", "more": ["a\rb", {"k": "\x07"}]})
    assert fields == {
        "event": r"x\u000a2026 forged",
        "reader": r"r\u2028\u001b[31m",
        "more": [r"a\u000db", {"k": r"\u0007"}],
    }
