"""docs/pcsc.md: its blocks run as they stand, over the slots of the tests' own service and in a folder of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cli import PASSPHRASE
from tests.support.guides import MACHINE, NotRun, blocks, paste, placed
from tests.support.pcsc.pcsc_line import PcscLine
from tests.support.pcsc.pcscd import Pcscd
from tests.support.thorough import repeats
from tests.support.waiting import PATIENCE

LEFT_OUT = (
    NotRun("pcscd --foreground", "a machine runs one: tests/support/pcsc/pcscd.py starts it with such a file"),
    NotRun(
        "membercard sim stock blanks --count 1 --protocol t0", "tests/pcsc/test_emvtool.py does it, with its profile"
    ),
    NotRun("polkit.addRule", "a file of polkit, no command"),
)
SLOTS, LINE, DRIVERS = blocks("pcsc.md", LEFT_OUT)


def test_further_slots_have_a_copy_of_the_driver_each(tmp_path: Path) -> None:
    (ran,) = paste([placed(DRIVERS, {"/opt/vpcd": str(tmp_path)})], tmp_path, seconds=PATIENCE)
    assert (ran.failed, ran.err) == ([], "")
    configuration = (tmp_path / "reader.conf").read_text("utf-8")
    libraries = [Path(path) for path in re.findall(r"^LIBPATH +(\S+)$", configuration, re.MULTILINE)]
    assert [path.read_bytes()[:4] for path in libraries] == [b"\x7fELF"] * 2
    assert len(set(libraries)) == 2
    ports = [int(port, 16) for port in re.findall(r"^DEVICENAME +/dev/null:(0x[0-9]+)$", configuration, re.MULTILINE)]
    assert [port + slot for port in ports for slot in (0, 1)] == [36865, 36866, 36881, 36882], "as the page says below"


@pytest.mark.pcsc
@pytest.mark.xdist_group("pcsc")
def test_two_slots_are_fed_and_a_batch_is_done_as_it_is_typed(pcscd: Pcscd, tmp_path: Path) -> None:
    members = repeats(4, 8)
    line, slots = PcscLine(tmp_path, members), pcscd.slots[:2]
    for slot in slots:
        slot.wait(present=False)
    addresses = {f"127.0.0.1:{35963 + number}": f"{slot.host}:{slot.port}" for number, slot in enumerate(slots)}
    readers = {f"--reader pcsc:{number}": f"--reader 'pcsc:{slot.reader_name}'" for number, slot in enumerate(slots)}
    before = f"export MEMBERCARD_DATA_DIR=data MEMBERCARD_PASSPHRASE={PASSPHRASE} MEMBERCARD_SIMULATION=1 COLUMNS=160\n"
    fed = f"{placed(SLOTS, addresses).rstrip()} &\n"
    other_terminal = placed(LINE, {"B20261122-001": line.batch, **readers})
    cards_out = f"until [ $(ls blanks/issued 2>/dev/null | wc -l) = {members} ]; do sleep 0.1; done\n"
    typed = [fed, other_terminal, cards_out]
    ran = paste(typed, tmp_path, seconds=3 * PATIENCE, before=before + MACHINE, installed=True)
    for one in ran:
        assert one.failed == [], f"{one.block}\n{one.out}\n{one.err}"
    assert all(slot.reader_name.partition(" 00 ")[0] in ran[1].out for slot in slots), "the list of readers"
    line.check_finished(members)
    assert len(list((tmp_path / "blanks" / "issued").glob("*.card"))) == members
    line.registry.close()
    for slot in slots:
        slot.wait(present=False)
