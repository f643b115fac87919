"""One zone for days and for what people read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from terminal.errors import CodecError
from terminal.localtime import CHINA, date_time, offset, time_zone, zone_label

AT = datetime(2026, 11, 22, 22, 5, 9, tzinfo=UTC)


def test_a_time_is_written_with_its_offset() -> None:
    assert date_time(AT, time_zone(CHINA)) == "2026-11-23 06:05 +08:00"
    assert date_time(AT, UTC) == "2026-11-22 22:05 +00:00"
    assert date_time(AT, ZoneInfo("America/St_Johns")) == "2026-11-22 18:35 -03:30"
    assert offset(AT.astimezone(time_zone("Asia/Kathmandu"))) == "+05:45"


def test_a_zone_is_named_with_its_present_offset() -> None:
    assert zone_label(time_zone(CHINA), AT) == "Asia/Shanghai, UTC+08:00"
    assert zone_label(UTC, AT) == "UTC, UTC+00:00"


@pytest.mark.parametrize("name", ["", "Asia", "Asia/Peking", "../etc/passwd", "/etc/localtime", "上海", "a\x00b"])
def test_a_zone_that_is_not_in_the_database_is_refused(name: str) -> None:
    with pytest.raises(CodecError, match="an IANA name is wanted, such as Asia/Shanghai"):
        time_zone(name)
