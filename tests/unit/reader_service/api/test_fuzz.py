"""The whole OpenAPI document asked with generated requests, right ones and wrong ones: no answer is a fault of ours,
and every refusal is a problem with a code that is documented."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from reader_service.http.errors import CODES
from tests.support.service.accounts import BASE, Client
from tests.support.service.service_app import ALL, ServiceApp, service_app
from tests.support.thorough import repeats

EXAMPLES: Final = repeats(1, 30)
"""For each of more than a hundred operations."""
STEP: Final = repeats(3, 1)
"""In the ordinary run right requests go to every third operation: each has tests of its own that ask it rightly."""
_LEFT_OUT: Final = ("DELETE /api/v1/session", "GET /api/v1/events/stream")
"""The first would sign the asker out, the second has no end."""


@pytest.fixture(scope="module")
def fuzz_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceApp]:
    with service_app(tmp_path_factory.mktemp("fuzz")) as rig:
        yield rig


@pytest.fixture(scope="module")
def everybody(fuzz_rig: ServiceApp) -> Client:
    """Who may do everything, so that nothing is refused before it is looked at."""
    return fuzz_rig.signed_in(ALL)


def send(client: Client, case: schemathesis.Case) -> httpx.Response:
    """The generated request as it stands; what cannot be written as HTTP at all is no request."""
    given: dict[str, Any] = case.as_transport_kwargs(base_url=BASE)
    headers = {name: value for name, value in given["headers"].items() if name not in ("Cookie", "Authorization")}
    headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    more: dict[str, Any] = {name: given[name] for name in ("params", "json") if given.get(name)}
    if given.get("files"):
        more["files"] = [(name, _part(value)) for name, value in dict(given["files"]).items()]
    if given.get("data"):
        more["content" if isinstance(given["data"], bytes | str) else "data"] = given["data"]
    path = given["url"].removeprefix(BASE)
    raw = {name: str(value).encode("utf-8", "surrogatepass") for name, value in headers.items()}
    return client.request(given["method"], path, headers=raw, **more)


def _part(value: Any) -> tuple[str, bytes]:
    """A part of a form, whatever was generated for it."""
    filename, content = (value[0], value[1]) if isinstance(value, tuple) else ("generated", value)
    return str(filename or "generated"), content if isinstance(content, bytes) else str(content).encode(
        errors="replace"
    )


def check(case: schemathesis.Case, answer: httpx.Response) -> None:
    where = f"{case.method} {case.formatted_path}"
    assert answer.status_code < 500 or answer.status_code == 503, f"{where}: {answer.text}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", where
        body = answer.json()
        assert body["code"] in CODES, where
        assert body["status"] == answer.status_code, where


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_service(mode: GenerationMode, fuzz_rig: ServiceApp, everybody: Client) -> None:
    schema = schemathesis.openapi.from_dict(fuzz_rig.document())
    requests, step = 0, STEP if mode is GenerationMode.POSITIVE else 1
    for parsed in islice(schema.get_all_operations(), 0, None, step):
        operation = parsed.ok()
        if operation.label in _LEFT_OUT:
            continue

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            nonlocal requests
            requests += 1
            check(case, send(everybody, case))

        with suppress(Unsatisfiable):  # nothing about this operation can be wrong
            ask()
    assert requests > 200 // step
