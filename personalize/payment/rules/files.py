"""Rules for FCI, options, files and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from personalize.encoding import MAX_RECORD
from personalize.payment.image import ANTENNA, CardImage, inside, objects
from personalize.payment.prepare import CONTACTLESS_FCI
from personalize.payment.rules.rule import Rule
from terminal.emv.data.records import Afl
from terminal.emv.data.tags import (
    TAG_4F_ADF_NAME,
    TAG_5A_PAN,
    TAG_5F2D_LANGUAGES,
    TAG_5F24_EXPIRATION_DATE,
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_9F10_IAD,
    TAG_9F11_CODE_TABLE,
    TAG_9F12_PREFERRED_NAME,
    TAG_50_LABEL,
    TAG_61_DIRECTORY_ENTRY,
    TAG_70_RECORD,
    TAG_82_AIP,
    TAG_87_PRIORITY,
    TAG_88_SFI,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.errors import CodecError

MANDATORY = {
    TAG_5F24_EXPIRATION_DATE: "expiry date",
    TAG_5A_PAN: "account number",
    TAG_8C_CDOL1: "CDOL1",
    TAG_8D_CDOL2: "CDOL2",
}


def _fci(image: CardImage) -> Iterator[str]:
    if not image.fci:
        yield "DGI 9102 is not one A5 template"
    elif image.fci.get(TAG_50_LABEL) is None:
        yield "the FCI has no application label (50)"
    if image.part(CONTACTLESS_FCI) and image.contactless_fci.get(TAG_50_LABEL) is None:
        yield "DGI 9103 is not one A5 template with an application label (50)"


def _label(image: CardImage) -> Iterator[str]:
    label = image.fci.get(TAG_50_LABEL)
    if label is not None and not (1 <= len(label) <= 16 and all(chr(c).isalnum() or c == 0x20 for c in label)):
        yield "the application label (50) is not 1 to 16 letters, digits and spaces"
    elif label is not None and max(label) > 0x7E:
        yield "the application label (50) is not in the common character set"


def _preferred(image: CardImage) -> Iterator[str]:
    if image.fci.get(TAG_9F12_PREFERRED_NAME) is not None and image.fci.get(TAG_9F11_CODE_TABLE) is None:
        yield "a preferred name (9F12) without its code table (9F11)"


def _priority(image: CardImage) -> Iterator[str]:
    priority = image.fci.get(TAG_87_PRIORITY)
    if priority is not None and (len(priority) != 1 or priority[0] & 0x70):
        yield "the priority indicator (87) is not one byte with bits 7 to 5 zero"


def _language(image: CardImage) -> Iterator[str]:
    language = image.fci.get(TAG_5F2D_LANGUAGES)
    if language is None:
        return
    text = language.decode("latin-1")
    if len(text) not in (2, 4, 6, 8) or not (text.isascii() and text.isalpha() and text.islower()):
        yield "the language preference (5F2D) is not one to four languages of two small letters"


def _options(image: CardImage) -> Iterator[str]:
    if not image.options:
        yield "there is no DGI 9104, so the card has nothing to answer to GET PROCESSING OPTIONS"
    for options in image.options:
        tags = [int(item.tag) for item in options.objects]
        if tags != [TAG_82_AIP, TAG_94_AFL] and not (
            options.dgi in ANTENNA and tags == [TAG_82_AIP, TAG_94_AFL, TAG_9F10_IAD]
        ):
            yield f"DGI {options.dgi:04X} is not the two objects 82 and 94"


def _aip(image: CardImage) -> Iterator[str]:
    for options in image.options:
        if options.aip and (len(options.aip) != 2 or options.aip[0] & 0x82 or options.aip[1]):
            yield f"the AIP of DGI {options.dgi:04X} is not two bytes with reserved bits zero"


def _afl(image: CardImage) -> Iterator[str]:
    for options in image.options:
        locator = options.objects.get(TAG_94_AFL)
        if locator is None:
            continue
        try:
            Afl.parse(locator)
        except CodecError as fault:
            yield f"the AFL of DGI {options.dgi:04X}: {fault}"


def _pointed(image: CardImage) -> Iterator[str]:
    for options in image.options:
        for (sfi, number), _ in options.places():
            if (sfi, number) not in image.records:
                yield f"the AFL names record {sfi}.{number}, which is not on the card"


def _reached(image: CardImage) -> Iterator[str]:
    if any(options.afl is None for options in image.options):
        return
    named = {place for options in image.options for place, _ in options.places()}
    for sfi, number in sorted(image.records.keys() - named):
        yield f"record {sfi}.{number} is on the card, but no AFL names it"


def _template(image: CardImage) -> Iterator[str]:
    for (sfi, number), record in image.records.items():
        if not inside(record, TAG_70_RECORD):
            yield f"record {sfi}.{number} is not one 70 template with data objects"


def _length(image: CardImage) -> Iterator[str]:
    for (sfi, number), record in image.records.items():
        if len(record) > MAX_RECORD:
            yield f"record {sfi}.{number} has {len(record)} bytes"


def _twice(image: CardImage) -> Iterator[str]:
    twice = set()
    for options in image.options:
        counts = Counter(int(item.tag) for place, _ in options.places() for item in image.content(place))
        twice |= {tag for tag, count in counts.items() if count > 1}
    for tag in sorted(twice):
        yield f"{tag:02X} is on the card more than once"


def _mandatory(image: CardImage) -> Iterator[str]:
    for options in image.options:
        if any(place not in image.records for place, _ in options.places()) or options.afl is None:
            continue  # other rules report what is missing there
        known = image.elements(options)
        for tag, name in MANDATORY.items():
            if tag not in known:
                yield f"no record that DGI {options.dgi:04X} names has the {name} ({tag:02X})"


def _groupings(image: CardImage) -> Iterator[str]:
    counts = Counter(part.number for part in image.application.parts)
    for number, count in counts.items():
        if count > 1:
            yield f"DGI {number:04X} comes {count} times"


def _directory(image: CardImage) -> Iterator[str]:
    for directory in image.directories:
        name = directory.instance_aid.decode("ascii", "replace")
        fci = inside(directory.plain(0x9102), TAG_A5_FCI_PROPRIETARY)
        contents = [fci.find(TAG_BF0C_FCI_DISCRETIONARY)] if name.startswith("2") else []
        listed = [item for content in contents if content for item in content.children.find_all(TAG_61_DIRECTORY_ENTRY)]
        for record in directory.records().values():
            listed += [item for item in inside(record, TAG_70_RECORD).find_all(TAG_61_DIRECTORY_ENTRY)]
        entries = [objects(item.value) for item in listed]
        entry = next((e for e in entries if e.get(TAG_4F_ADF_NAME) == image.application.instance_aid), None)
        if entry is None:
            yield f"{name} does not list the payment application"
        elif name.startswith("1") and entry.get(TAG_50_LABEL) is None:
            yield f"{name} lists the payment application without a label"
        elif image.fci.get(TAG_50_LABEL) and entry.get(TAG_50_LABEL) not in (None, image.fci.get(TAG_50_LABEL)):
            yield f"{name} lists the payment application under another label than its FCI"


def _directory_file(image: CardImage) -> Iterator[str]:
    directory = image.directory(b"1PAY.SYS.DDF01")
    if directory is None:
        return
    sfi = inside(directory.plain(0x9102), TAG_A5_FCI_PROPRIETARY).get(TAG_88_SFI)
    if sfi is None or len(sfi) != 1 or not 1 <= sfi[0] <= 10:
        yield "the FCI of the PSE names no directory file (88) from 1 to 10"
    elif {place[0] for place in directory.records()} != {sfi[0]}:
        yield "the records of the PSE are not in the file that its FCI names"


RULES = (
    Rule("fci", "EMV 4.4 Book 1, 11.3.4", _fci),
    Rule("label", "EMV 4.4 Book 1, 12.2.3 and annex B", _label),
    Rule("preferred-name", "EMV 4.4 Book 1, 11.3.4", _preferred),
    Rule("priority", "EMV 4.4 Book 1, 12.2.3, table 13", _priority),
    Rule("language", "EMV 4.4 Book 1, 11.3.4; ISO 639", _language),
    Rule("options", "EMV 4.4 Book 3, 6.5.8", _options),
    Rule("aip-reserved", "EMV 4.4 Book 3, C1", _aip),
    Rule("afl-format", "EMV 4.4 Book 3, 10.2", _afl),
    Rule("afl-points-nowhere", "EMV 4.4 Book 3, 10.2 and 6.5.11", _pointed),
    Rule("record-unreachable", "EMV 4.4 Book 3, 10.2", _reached),
    Rule("record-template", "EMV 4.4 Book 3, 6.5.11.4", _template),
    Rule("record-length", "EMV 4.4 Book 3, 6.5.11; EMV 4.4 Book 1, 9.4", _length),
    Rule("duplicate-element", "EMV 4.4 Book 3, 7.5 and 10.2", _twice),
    Rule("mandatory-element", "EMV 4.4 Book 3, 7.2", _mandatory),
    Rule("duplicate-grouping", "EMV CPS 1.1, 4.2", _groupings),
    Rule("directory", "EMV 4.4 Book 1, 12.2.3; Contactless Book B, 3.3.1", _directory),
    Rule("directory-file", "EMV 4.4 Book 1, 12.2.2", _directory_file),
)
