"""Terminal configuration: what a file may say, and that each fault is reported with line and field."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from terminal.emv.transaction.config import TerminalConfig, load_config, parse_config, parse_exceptions
from terminal.errors import CodecError
from tests.support.cards.toys.emv_toy_terminal import config_with

SHIPPED = (files("terminal.emv.transaction") / "terminals" / "counter.yaml").read_text(encoding="utf-8")


def line_of(text: str) -> int:
    return next(at for at, line in enumerate(SHIPPED.splitlines(), 1) if text in line)


def faulty(old: str, new: str) -> str:
    assert SHIPPED.count(old) == 1
    with pytest.raises(CodecError) as fault:
        parse_config(SHIPPED.replace(old, new), "t.yaml")
    return str(fault.value)


def test_the_shipped_file_gives_the_data_elements_of_a_terminal() -> None:
    config = parse_config(SHIPPED)
    application = config.application(bytes.fromhex("A000000333"))
    data = config.data(application)
    assert data[0x9F1A] == bytes.fromhex("0156")
    assert data[0x9F33] == bytes.fromhex("E0F8C8")
    assert data[0x9F1B] == bytes.fromhex("0000C350")
    assert data[0xDF69] == b"\x01"
    assert data[0x9F35] == b"\x22"
    assert data[0x9F7B] == bytes(6), "no e-cash"
    assert 0x9F1B not in config.data()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tac_default: FC4000A800", "tac_default: FC4000A8", "applications.0.tac_default"),
        ("tac_default: FC4000A800", "tac_default: FC4000A8ZZ", "hexadecimal"),
        ("floor_limit: 50000", "floor_limit: -1", "applications.0.floor_limit"),
        ("floor_limit: 50000", "floor_limit: 4294967296", "applications.0.floor_limit"),
        ("target: 0", "target: 100", "applications.0.random.target"),
        ('type: "22"', 'type: "27"', "terminal.type"),
        ("capabilities: E0F8C8", "capabilities: E0F8", "terminal.capabilities"),
        ("  currency_exponent: 2", "  colour: red", "no such field"),
        ('version: "0030"', 'version: "003"', "applications.0.version"),
    ],
)
def test_a_fault_names_its_line_and_its_field(old: str, new: str, message: str) -> None:
    fault_text = faulty(old, new)
    assert fault_text.startswith(f"t.yaml:{line_of(old)}: ")
    assert message in fault_text


def test_a_maximum_below_the_target_cannot_be() -> None:
    message = faulty("target: 0", "target: 20")
    assert "applications.0.random" in message
    assert "below the target" in message


def test_a_threshold_at_the_floor_limit_cannot_be() -> None:
    assert "threshold" in faulty("threshold: 10000", "threshold: 50000")


def test_a_default_ddol_without_unpredictable_number_cannot_be() -> None:
    assert "9F37" in faulty("sm: true", "default_ddol: 9F0206")
    assert "data object list" in faulty("sm: true", "default_ddol: 9F")


def test_an_aid_twice_cannot_be() -> None:
    again = SHIPPED[SHIPPED.index("  - aid:") :]
    with pytest.raises(CodecError, match="listed twice"):
        parse_config(SHIPPED + again)


def test_text_that_is_no_yaml_and_no_mapping_is_refused() -> None:
    with pytest.raises(CodecError, match=r"t.yaml:\d+: not YAML"):
        parse_config("terminal: [", "t.yaml")
    with pytest.raises(CodecError, match="mapping"):
        parse_config("- 1", "t.yaml")


@pytest.mark.parametrize(
    ("capabilities", "tables"),
    [("6000F0A001", {1}), ("6000F0A0FF", set(range(1, 9))), ("6000F0A300", {9, 10}), ("6000F0AC00", set())],
)
def test_the_display_knows_what_the_capabilities_declare(capabilities: str, tables: set[int]) -> None:
    assert config_with(f"additional_capabilities: {capabilities}").terminal.code_tables == tables


def test_an_entry_is_looked_up_by_its_own_aid_only() -> None:
    base = parse_config(SHIPPED)
    entry = base.applications[0]
    longer = entry.model_copy(update={"aid": "A000000333010101", "partial": False})
    config = base.model_copy(update={"applications": (entry, longer)})
    assert config.application(bytes.fromhex("A000000333010101")) is longer
    assert config.application(bytes.fromhex("A000000333")) is entry
    with pytest.raises(KeyError):
        config.application(bytes.fromhex("A00000033301"))


@pytest.mark.parametrize(
    ("kind", "online_only", "offline_only"),
    [("21", True, False), ("22", False, False), ("23", False, True), ("24", True, False), ("26", False, True)],
)
def test_the_terminal_type_tells_what_the_terminal_can(kind: str, online_only: bool, offline_only: bool) -> None:
    terminal = parse_config(SHIPPED.replace('type: "22"', f'type: "{kind}"')).terminal
    assert (terminal.online_only, terminal.offline_only) == (online_only, offline_only)


def test_an_exception_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(SHIPPED + "exception_file: stolen.txt\n")
    (tmp_path / "stolen.txt").write_text("# lost\n6225000000000001\n6225000000000002/01  # one card only\n\n")
    config = load_config(tmp_path / "t.yaml")
    assert config.exceptions == {("6225000000000001", None), ("6225000000000002", 1)}
    assert "6225000000000001" not in repr(config)


def test_a_wrong_exception_names_its_line_and_not_itself() -> None:
    with pytest.raises(CodecError, match=r"stolen\.txt:2") as fault:
        parse_exceptions("6225000000000001\n6225000000000002/123\n", "stolen.txt")
    assert "6225" not in str(fault.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="cannot read the terminal configuration"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "t.yaml").write_text(SHIPPED + "exception_file: none.txt\n")
    with pytest.raises(CodecError, match="cannot read the exception file"):
        load_config(tmp_path / "t.yaml")


def test_a_configuration_without_applications_is_none() -> None:
    with pytest.raises(CodecError, match="applications"):
        parse_config(SHIPPED[: SHIPPED.index("applications:")] + "applications: []\n")
    assert isinstance(parse_config(SHIPPED), TerminalConfig)
