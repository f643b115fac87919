from __future__ import annotations

import pytest

from terminal.apdu import open_reader
from terminal.errors import ReaderNotFound


@pytest.mark.parametrize("url", ["usb:1", "nonsense", "", ":x"])
def test_an_unknown_scheme_names_the_known_ones(url: str) -> None:
    with pytest.raises(ReaderNotFound, match=r"pcsc:, sim:"):
        open_reader(url)
