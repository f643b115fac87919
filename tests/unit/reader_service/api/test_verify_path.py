"""POST /verify stays easy to follow: from the middleware to the response it passes through few files."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType

from reader_service.principal import Role
from tests.support.paths import ROOT
from tests.support.service.reader_app import ReaderApp

MOST_FILES = 15


def test_a_verification_passes_through_few_files(tmp_path: Path) -> None:
    product = f"{ROOT / 'reader_service'}/"
    passed: set[str] = set()
    recording = threading.Event()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        background = threading.current_thread().name in ("counter", "readers")
        if recording.is_set() and not background and frame.f_code.co_filename.startswith(product):
            passed.add(frame.f_code.co_filename.removeprefix(product))

    threading.setprofile(profile)  # before the service starts its threads
    try:
        app = ReaderApp(tmp_path)
        developer, counter = app.client_as(Role.DEVELOPER), app.client_as(Role.COUNTER)
        card = developer.get("/developer/drawer").json()[0]["name"]
        developer.post("/developer/readers/counter/insert", json={"name": card})
        token = {"Lease-Token": counter.post("/readers/counter/lease", json={}).json()["token"]}
        counter.post("/verify", json={"reader": "counter"}, headers=token)  # whatever is loaded once is loaded now
        sys.setprofile(profile)
        recording.set()
        verdict = counter.post("/verify", json={"reader": "counter"}, headers=token).json()["verdict"]
        recording.clear()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    app.close()
    assert verdict == "NOT_A_MEMBER_CARD"
    assert {"api/verify.py", "services/counter/counter.py", "readers/worker.py"} <= passed
    assert len(passed) <= MOST_FILES, sorted(passed)
