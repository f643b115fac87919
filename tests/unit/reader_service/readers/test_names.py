"""Which reader a URL of the settings names."""

from __future__ import annotations

import pytest

from reader_service.readers.names import reader_named


@pytest.mark.parametrize(
    ("url", "device", "expected"),
    [
        ("pcsc:ACS ACR122U", "ACS ACR122U", True),
        ("pcsc:acr122", "ACS ACR122U", True),
        ("pcsc:acr122?deadline=5", "ACS ACR122U", True),
        ("pcsc:ACS ACR122U 01 00", "ACS ACR122U", True),
        ("pcsc:ACS ACR122U 01 01", "ACS ACR122U slot 2", True),
        ("pcsc:ACS ACR122U 01 00", "ACS ACR122U slot 2", False),
        ("pcsc:ACS ACR122U 01 01", "ACS ACR122U", False),
        ("pcsc:SCR", "ACS ACR122U", False),
        ("pcsc:", "ACS ACR122U", False),
        ("sim:ACS ACR122U", "ACS ACR122U", False),
    ],
)
def test_a_reader_is_named_by_a_part_or_by_its_whole_pcsc_name(url: str, device: str, expected: bool) -> None:
    assert reader_named(url, device) is expected
