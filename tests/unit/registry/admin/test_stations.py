"""Names of readers."""

from __future__ import annotations

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry


def test_readers_have_names_of_their_own(registry: Registry) -> None:
    registry.stations.name("A", "r1", " Lane 1 ", by="王")
    registry.stations.name("A", "r2", "柜台", by="王")
    registry.stations.name("B", "r1", "柜台", by="王")
    registry.stations.name("A", "r1", "Lane 1", by="王")
    registry.stations.name("A", "r1", "Lane 2", by="王")
    assert registry.stations.names("A") == {"r1": "Lane 2", "r2": "柜台"}
    with pytest.raises(RegistryConflict, match="another reader of this station is called 柜台"):
        registry.stations.name("A", "r1", "柜台", by="王")
    for bad in ("", " ", "x" * 41, "a\x1b[0m"):
        with pytest.raises(RegistryConflict, match="1 to 40 printable"):
            registry.stations.name("A", "r1", bad, by="王")
    registry.stations.forget("A", "r1", by="王")
    assert registry.stations.names("A") == {"r2": "柜台"}
    with pytest.raises(NotOnRecord):
        registry.stations.forget("A", "r1", by="王")
