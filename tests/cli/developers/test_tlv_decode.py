"""`membercard tlv decode` and the dictionary that it decodes by, where two rooms' elements meet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from membercard.commands.developers.emv.trace import explain_trace
from membercard.commands.developers.tlv import app
from terminal.apdu import Command, Response, Trace
from terminal.emv.data.dictionary import STANDARD
from terminal.emv.data.elements.element import Context, Element
from terminal.errors import TlvError
from terminal.member.elements import ELEMENTS, MEMBER_AID, VECTORS, dictionary
from terminal.tlv import tlv

PBOC = "A000000333010101"
CARD = tlv(0x70, [tlv(0x5A, bytes.fromhex("6212340000000000011F")), tlv(0x5F28, b"\x01\x56")]).encode().hex()


def run(*words: str, stdin: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["decode", *words], input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_tree_with_names_and_masks() -> None:
    status, out = run(CARD)
    assert status == 0
    assert out.splitlines() == [
        "70 READ RECORD Response Message Template",
        "├─ 5A Application Primary Account Number (PAN): 621234*********0011",
        "└─ 5F28 Issuer Country Code [0156]: China (156, CN)",
    ]


def test_hex_from_standard_input_may_have_spaces_and_lines() -> None:
    _, out = run("-", "--reveal", stdin=" ".join(CARD).replace(" ", "")[:10] + "\n" + CARD[10:] + "\n")
    assert "6212340000000000011" in out


def test_json() -> None:
    _, out = run(CARD, "--json")
    (tree,) = json.loads(out)
    assert [child["tag"] for child in tree["children"]] == ["5A", "5F28"]
    assert "value" not in tree["children"][0]


FF_TAGS = ["Torn Record", "Tags To Write Before Gen AC", "Tags To Write After Gen AC"]
FF_TAGS += ["Data To Send", "Data Record", "Discretionary Data"]


@pytest.mark.parametrize(("number", "name"), list(enumerate(FF_TAGS, 1)))
def test_the_tags_of_book_c2_that_begin_with_ff_are_known(number: int, name: str) -> None:
    status, out = run(f"FF81{number:02X}0ADF811503AABBCC9F3600")
    assert status == 0
    assert out.splitlines()[:2] == [f"FF81{number:02X} {name}", "├─ DF8115 Error Indication: AABBCC"]


def test_a_tag_that_begins_with_ff_inside_a_template_and_after_padding() -> None:
    _, out = run("FFFF8105077005FF81060100")
    assert out.splitlines() == [
        "(padding): FF, skipped: no data object (EMV 4.4 Book 3, Annex B1)",
        "FF8105 Data Record",
        "└─ 70 READ RECORD Response Message Template",
        "   └─ FF8106 Discretionary Data",
        "      └─ (padding): 00, skipped: no data object (EMV 4.4 Book 3, Annex B1)",
    ]


def test_personal_data_in_a_data_record_are_masked() -> None:
    _, out = run("FF81050C5A0A" + "6212340000000000011F")
    assert "621234*********0011" in out
    assert "6212340000000000011" not in out


def test_skipped_bytes_are_shown() -> None:
    """FF before a tag that no book defines, where its length does not fit, and zeros at the end of a record."""
    skipped = "skipped: no data object (EMV 4.4 Book 3, Annex B1)"
    assert run("FF9F360200019F3602000200000000")[1].splitlines() == [
        f"(padding): FF, {skipped}",
        "9F36 Application Transaction Counter (ATC) [0001]: 1",
        "9F36 Application Transaction Counter (ATC) [0002]: 2",
        f"(padding): 00000000, {skipped}",
    ]
    assert run("FF810400000001")[1].splitlines()[0] == f"(padding): FF, {skipped}"
    assert run("70" + "0A5A0112" + "FF" * 7)[1].splitlines()[-1] == f"└─ (padding): FFFFFFFF… (7 bytes), {skipped}"
    assert json.loads(run("FF9F36020001", "--json")[1])[0] == {"name": "(padding)", "text": f"FF, {skipped}"}


def test_a_broken_object_whose_tag_begins_with_ff_is_named() -> None:
    with pytest.raises(TlvError, match="the value of FF8106 is truncated: 5 bytes announced, 1 there"):
        run("FF810605AA")


ATC = "9F36 Application Transaction Counter (ATC) [0001]: 1"
RECORD = "70 READ RECORD Response Message Template"


@pytest.mark.parametrize(
    ("data", "lines", "fault"),
    [
        ("9F36020001 9F2608AA", [ATC], "the value of 9F26 is truncated: 8 bytes announced, 1 there (at offset 5)"),
        ("9F36020001 9F", [ATC], "truncated tag or length (at offset 5)"),
        ("9F36020001 5F2480", [ATC], "indefinite length (at offset 7)"),
        (
            "9F36020001 701F 9F36020001 5A08622200",
            [ATC, f"{RECORD} ! cut: 10 bytes of its value are there", f"└─ {ATC}"],
            "the value of 70 is truncated: 31 bytes announced, 10 there (at offset 5)",
        ),
        (
            "70811F 9F36020001 5A08622200",
            [f"{RECORD} ! cut: 10 bytes of its value are there", f"└─ {ATC}"],
            "the value of 70 is truncated: 31 bytes announced, 10 there (at offset 0)",
        ),
        ("9F36020001 7081", [ATC], "a length field is truncated: 1 bytes announced, 0 there (at offset 6)"),
        (
            "70024F08 9F36020001",
            [f"{RECORD}: 2 bytes ! the value of 4F is truncated: 8 bytes announced, 0 there (at offset 0)", ATC],
            "the value of 4F is truncated: 8 bytes announced, 0 there (at offset 2)",
        ),
        ("5A0862", [], "the value of 5A is truncated: 8 bytes announced, 1 there (at offset 0)"),
    ],
)
def test_what_stands_before_a_fault_is_shown(data: str, lines: list[str], fault: str) -> None:
    """A dump that lost its end does not lose the rest; the fault ends the command all the same."""
    done = CliRunner().invoke(app, ["decode", data])
    assert done.output.splitlines() == lines
    assert isinstance(done.exception, TlvError)
    assert str(done.exception) == fault
    listed = json.loads(CliRunner().invoke(app, ["decode", data, "--json"]).output)
    assert len(listed) == len([line for line in lines if not line.startswith("└─")])


def test_the_application_says_what_a_tag_means() -> None:
    balance = "9F7906000000001234"
    assert "Electronic Cash Balance" in run("--aid", PBOC, balance)[1]
    assert "its application is not known" in run(balance)[1]


@pytest.mark.parametrize("words", [("xx",), ("--aid", "A0", "9F3600"), ("9F3",)])
def test_what_is_no_hex_is_a_fault_of_usage(words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 2


def test_binary_on_standard_input_is_a_fault_of_usage() -> None:
    done = CliRunner().invoke(app, ["decode", "-"], input=b"\x70\xff\x00")
    assert (done.exit_code, "not hexadecimal" in done.output) == (2, True)


def test_broken_data_objects_are_refused_with_their_place() -> None:
    with pytest.raises(TlvError, match="at offset 0"):
        run("70035A")


def test_member_elements_are_explained_in_member_applications_only() -> None:
    joined = dictionary()
    own = {int(element.tag) for element in ELEMENTS if STANDARD.lookup(element.tag) is None}
    assert {0xDF21, 0xDF24, 0xDF28, 0x9F61} <= own
    assert all(joined.lookup(tag, MEMBER_AID) is not None for tag in own)
    assert joined.lookup(0xDF24) is None
    assert joined.lookup(0xDF24, bytes.fromhex(PBOC)) is None


@pytest.mark.parametrize(
    "element", [row for row in ELEMENTS if STANDARD.lookup(row.tag) is None], ids=lambda row: row.name
)
def test_joined_elements_keep_their_codecs(element: Element[Any]) -> None:
    joined = dictionary().lookup(element.tag, MEMBER_AID)
    assert joined is not None
    for hexes, value in VECTORS.get(element, joined.codec.VECTORS):
        data = bytes.fromhex(hexes)
        assert joined.decode(data) == value
        assert joined.encode(value) == data
        assert "\n" not in joined.codec.text(value, Context())


def test_names_numbers_and_identities_of_members_are_masked() -> None:
    data = "DF2404D5C5CEB0" + "DF2106130000000042" + "DF2C06013800138000" + "9F6103313233"
    _, out = run("--aid", MEMBER_AID.hex(), data)
    assert [line.rpartition(": ")[2] for line in out.splitlines()] == [
        *("4 bytes, masked", "6 bytes, masked", "6 bytes, masked", "3 bytes, masked"),
    ]
    _, out = run(data)
    assert out.count("masked") == 4
    _, out = run("--aid", MEMBER_AID.hex(), "--reveal", data)
    assert "张伟" in out
    assert "013800138000" in out


def test_a_trace_is_redacted_again_beside_its_explanation() -> None:
    trace = Trace(reveal=True)
    trace.add(Command(0x00, 0xA4, 4, 0, MEMBER_AID), Response(b"", 0x6112), 0.01)
    fci = tlv(0x6F, [tlv(0x84, MEMBER_AID), tlv(0xA5, [tlv(0x9F38, bytes.fromhex("9F1A02"))])]).encode()
    trace.add(Command(0x00, 0xC0, 0, 0, ne=18), Response(fci, 0x9000), 0.01)
    trace.add(Command(0x80, 0xA8, 0, 0, bytes.fromhex("83020156")), Response(b"", 0x6985), 0.01)
    trace.add(Command(0x00, 0xB2, 1, 0x0C, ne=256), Response(b"", 0x6C0B), 0.01)
    trace.add(Command(0x00, 0xB2, 1, 0x0C, ne=11), Response(bytes.fromhex("7007DF2404D5C5CEB0"), 0x9000), 0.01)
    trace.add(Command(0x00, 0xB2, 2, 0x0C, ne=256), None, 0.01, "CardGone")
    entries = list(explain_trace(trace, reveal=False))
    texts = ["\n".join(line for tree in trees for line in tree.lines()) for _, trees in entries]
    assert [bool(text) for text in texts] == [False, True, True, False, True, False]
    assert "Terminal Country Code [0156]: China" in texts[2]
    assert "DF24 member name: 4 bytes, masked" in texts[4]
    assert all(entry.command_data is None and entry.response_data is None for entry, _ in entries)
    shown = list(explain_trace(trace, reveal=True))
    assert "张伟" in str(shown[4][1][0].children[0])
    assert shown[4][0].response_data == bytes.fromhex("7007DF2404D5C5CEB0")


def test_a_redacted_trace_has_nothing_to_tell() -> None:
    trace = Trace()
    trace.add(Command(0x00, 0xB2, 1, 0x0C, ne=256), Response(bytes.fromhex("7007DF2404D5C5CEB0"), 0x9000), 0.01)
    trace.add(Command(0x80, 0xA8, 0, 0, b"\x83\x00"), Response(b"", 0x9000), 0.01)
    assert [trees for _, trees in explain_trace(trace, reveal=False)] == [(), ()]


@pytest.mark.parametrize("typed", ["", " ", "-"])
def test_nothing_to_decode_is_a_fault_of_usage(typed: str) -> None:
    status, _ = run(typed)
    assert status == 2
