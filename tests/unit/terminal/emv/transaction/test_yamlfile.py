"""YAML from people: bounded in size and depth, and nothing in it stands for more than it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from personalize.errors import ProfileError
from personalize.profiles.profile import load_profile, parse_profile
from terminal.emv.authentication.cakeys import parse_ca_store
from terminal.emv.transaction.yamlfile import MAX_BYTES, MAX_DEPTH, read_text
from terminal.errors import CodecError
from tests.support.waiting import PATIENCE

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
REFUSED = [
    pytest.param(LAUGHS, ":1: anchors and aliases", id="billion-laughs"),
    pytest.param("profile: &p p\nscheme: *p\n", ":1: anchors and aliases", id="one-alias"),
    pytest.param("profile: p\nscheme: *nowhere\n", ":2: anchors and aliases", id="alias-of-nothing"),
    pytest.param("a: &a\n  b: *a\n", ":1: anchors and aliases", id="a-loop"),
    pytest.param("profile: p\n<<: {scheme: '130000'}\n", ":2: merge keys", id="merge"),
    pytest.param("<<: [{a: 1}, {b: 2}]\n", ":1: merge keys", id="merge-of-several"),
    pytest.param("profile: !!python/object:os.system x\n", ":1: tags", id="a-tag-of-python"),
    pytest.param("profile: !!binary aGVsbG8=\n", ":1: tags", id="a-tag-of-yaml"),
    pytest.param("!mine\nprofile: p\n", ":1: tags", id="a-tag-on-a-mapping"),
    pytest.param("a: " + "[" * 100_000, f":1: lists and mappings more than {MAX_DEPTH} deep", id="deep-list"),
    pytest.param("a: " + "{b: " * 100_000, f":1: lists and mappings more than {MAX_DEPTH} deep", id="deep-mapping"),
    pytest.param(
        "".join(" " * n + "a:\n" for n in range(1_000)),
        f":{MAX_DEPTH + 1}: lists and mappings more than",
        id="deep-by-indent",
    ),
    pytest.param("a: '" + "x" * MAX_BYTES + "'", f"more than {MAX_BYTES:,} characters", id="large"),
    pytest.param("profile: 2026-13-45\n", "write it in quotation marks", id="no-date"),
    pytest.param("profile: " + "9" * 5_000 + "\n", "write it in quotation marks", id="a-number-without-end"),
]


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("parse", [parse_profile, parse_ca_store], ids=["profile", "ca-keys"])
@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_file_that_stands_for_more_than_it_shows_is_refused(parse: object, text: str, sentence: str) -> None:
    with pytest.raises((ProfileError, CodecError)) as refused:
        parse(text, "f.yaml")  # type: ignore[operator]
    assert str(refused.value).startswith("f.yaml")
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 200


def test_signs_in_quotation_marks_are_text() -> None:
    for text in ('"<<": 1\n', "a: '*b'\n", 'a: "&b"\n', "a: 'x & y'\n"):
        with pytest.raises(ProfileError) as refused:
            parse_profile(text, "f.yaml")
        assert "not taken" not in str(refused.value)


def test_a_file_of_faults_names_the_first_of_them() -> None:
    with pytest.raises(ProfileError) as refused:
        parse_profile("".join(f"field{n}: 1\n" for n in range(5_000)), "f.yaml")
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (51, "f.yaml: and 4,953 more faults")


def test_a_large_file_is_not_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    with path.open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(ProfileError, match=f"has more than {MAX_BYTES:,} bytes"):
        load_profile(path)
    with pytest.raises(CodecError, match="cannot read the card profile"):
        read_text(tmp_path, "card profile")
