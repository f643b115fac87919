"""What tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service.registry_rig import RegistryRig, registry_rig


@pytest.fixture
def office(tmp_path: Path) -> Iterator[RegistryRig]:
    """A registry on SQLite with the parts over it, and every event that was published."""
    rig = registry_rig(tmp_path)
    with rig.registry:
        yield rig
        rig.line.hold.set()
        rig.bus.close()
