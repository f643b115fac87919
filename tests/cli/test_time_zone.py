"""The zone of the settings dates cards, batches and tables, whatever the machine's is; another one stops the line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.cli import Cli, csv_form

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"
"""UTC+14 and UTC-11: never the same day."""


def in_zone(zone: str) -> dict[str, str]:
    return {"MEMBERCARD_TIME_ZONE": zone, "TZ": "America/New_York"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("issuer") / "data")
    cli.set_up()
    return cli


def test_cards_dated_under_one_zone_and_run_under_another_are_no_rejects(issuer: Cli, tmp_path: Path) -> None:
    """Twelve chips were once rejected for ever by this; now the lane stops before the first command."""
    form, days = csv_form(tmp_path / "form.csv", 3), [datetime.now(ZoneInfo(EAST)).date()]
    batch = issuer.ok("roster", "import", form, "--by", "clerk", "--json", env=in_zone(EAST)).json["batch"]
    days.append(datetime.now(ZoneInfo(EAST)).date())  # another one where midnight there was in between
    assert batch in [f"B{day:%Y%m%d}-001" for day in days]
    issuer.ok("batch", "approve", batch, "--by", "reviewer", env=in_zone(EAST))
    issuer.ok("batch", "prepare", batch, env=in_zone(EAST))
    days.append(datetime.now(ZoneInfo(EAST)).date())
    issuer.ok("sim", "stock", tmp_path / "stock", "--count", 4)
    run = ("perso", "run", batch, "--reader", f"sim:{tmp_path / 'stock'}", "--json")
    stopped = issuer.run(*run, env=in_zone(WEST))
    assert stopped.status == 1
    (lane,) = stopped.json["lanes"]
    assert (lane["code"], lane["counts"]) == ("dates", {})
    dated, now = "|".join(map(str, days)), r"\d{4}-\d\d-\d\d \d\d:\d\d -11:00"
    assert re.match(f"the card data are valid only from (?:{dated}) .*clock says {now}: .*time_zone", lane["message"])
    assert stopped.json["accounts"]["chips_fed"] == 0
    assert issuer.ok(*run, env=in_zone(EAST)).json["accounts"]["verified"] == 3


def test_tables_and_json_show_the_zone_of_the_settings_with_its_offset(issuer: Cli) -> None:
    assert " +08:00" in issuer.ok("keys", "list", env={"TZ": "America/New_York"}).out
    assert " +14:00" in issuer.ok("keys", "list", env=in_zone(EAST)).out
    (first, *_) = issuer.ok("keys", "list", "--json", env=in_zone(EAST)).json
    assert first["created"].endswith("+14:00")
    assert abs((datetime.fromisoformat(first["created"]) - datetime.now(UTC)).total_seconds()) < 86400


def test_a_zone_that_is_not_there_is_named_with_the_setting(issuer: Cli) -> None:
    complaint = issuer.run("keys", "list", env={"MEMBERCARD_TIME_ZONE": "Asia/Peking"}).complaint
    assert "time_zone: there is no such time zone; an IANA name is wanted, such as Asia/Shanghai" in complaint
