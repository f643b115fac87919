"""Memory of the service's process: two arenas, and what is free goes back to the operating system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from reader_service import process
from reader_service.principal import Role
from tests.support.service.accounts import accounts_app

FREED_BY_THREADS = """
import ctypes, threading
from reader_service import process
{before}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
start, held = threading.Barrier(12), threading.Barrier(12)
def work():
    start.wait()
    libc.malloc(1000)
    held.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with open("/proc/self/maps") as maps:
    sizes = [line.split()[0].split("-") for line in maps]
print(sum((int(a, 16) % 0x4000000 == 0) and int(b, 16) - int(a, 16) < 0x4000000 for a, b in sizes))
"""


def arenas(before: str) -> int:
    """Mappings that begin where arenas do, every 64 MiB, in a process of twelve threads."""
    code = FREED_BY_THREADS.format(before=before)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    return int(ran.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library")
def test_threads_share_two_arenas() -> None:
    assert arenas("process.bound_memory()") <= 3 < arenas("")


def resident() -> int:
    """Pages."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_freed_memory_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(60_000) for _ in range(2000)]
    for block in blocks:
        ctypes.memset(block, 1, 60_000)
    for block in blocks[:-1]:  # the last keeps the heap from shrinking by itself
        libc.free(block)
    before = resident()
    process.release_memory()
    assert before - resident() > 10_000
    libc.free(blocks[-1])


def test_the_metrics_have_memory_and_open_files(tmp_path: Path) -> None:
    rig = accounts_app(tmp_path)
    rig.person("admin", Role.ADMINISTRATOR)
    text = rig.client().get("/metrics").text
    assert "process_resident_memory_bytes " in text
    assert "process_open_fds " in text
    rig.registry.close()
