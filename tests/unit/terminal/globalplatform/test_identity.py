"""Key data in which the chip's number was never set derive the same keys for every such chip."""

from __future__ import annotations

import pytest

from terminal.globalplatform import tells_keys_apart
from terminal.keys import Diversification

VISA2, EMV_CPS, KDF3 = Diversification.VISA2, Diversification.EMV_CPS, Diversification.KDF3


@pytest.mark.parametrize(
    ("method", "key_data", "apart"),
    [
        (VISA2, "00000000000000000000", False),
        (VISA2, "4D420000FFFFFFFF4D42", False),  # its two fixed bytes, and no serial number
        (VISA2, "4D420000000000014D42", True),
        (EMV_CPS, "FFFFFFFFFFFFFFFFFFFF", False),
        (EMV_CPS, "4D454D42455200000000", False),  # a KMCID, and no chip serial number
        (EMV_CPS, "4D454D424552000000A1", True),
        (KDF3, "0000FFFFFFFFFFFFFFFF", False),
        (KDF3, "00000000000000000001", True),
        (Diversification.NONE, "00000000000000000000", True),
    ],
)
def test_key_data_tell_keys_apart_by_the_number_that_the_method_takes(
    method: Diversification, key_data: str, apart: bool
) -> None:
    assert tells_keys_apart(method, bytes.fromhex(key_data)) is apart
