"""The set-up script on machines that lack something: it names what is missing and changes nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SCRIPT = ROOT / "scripts" / "setup.sh"


def machine(directory: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH begins with stand-ins for these programs (shell bodies)."""
    for name, body in programs.items():
        stand_in = directory / name.replace("_", "-")
        stand_in.write_text(f"#!/bin/sh\n{body}\n")
        stand_in.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(directory)}


def run(what: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, what], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(("what", "more"), [("demo", ""), ("test", "postgresql")])
def test_without_root_the_missing_packages_are_named(tmp_path: Path, what: str, more: str) -> None:
    environment = machine(tmp_path, dpkg_query="exit 1", id="echo 1000", sudo="exit 1", apt_get="exit 99")
    ended = run(what, environment)
    assert ended.returncode == 1
    for package in ("pcscd", "vsmartcard-vpcd", "libpcsclite-dev", "swig", "gcc", more):
        assert package in ended.stderr
    assert "apt-get install" in ended.stderr


def test_another_system_gets_a_sentence_naming_what_it_needs(tmp_path: Path) -> None:
    environment = machine(tmp_path, dpkg_query="exit 1", bash='exec /bin/bash "$@"')
    tools = ("dirname", "sha256sum", "cat", "id", "tail", "mktemp")
    for tool in tools:
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    environment["PATH"] = str(tmp_path)
    ended = subprocess.run(["/bin/bash", SCRIPT, "demo"], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no apt-get" in ended.stderr
    assert "pcscd" in ended.stderr


def test_a_package_manager_that_fails_is_quoted(tmp_path: Path) -> None:
    environment = machine(tmp_path, dpkg_query="exit 1", id="echo 0", apt_get="echo E: no such mirror >&2; exit 100")
    ended = run("demo", environment)
    assert ended.returncode == 1
    assert "no such mirror" in ended.stderr


def test_it_wants_to_know_for_what() -> None:
    ended = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "demo|test" in ended.stderr
