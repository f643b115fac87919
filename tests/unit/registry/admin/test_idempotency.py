"""Idempotency keys: one key, one request, one response, also after a crash or a repeated request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from threading import Barrier

import pytest
from sqlalchemy import text

from registry.admin.idempotency import HOLD, KEEP, Begun, IdempotencyKeyReused, RequestInProgress, StoredReply
from registry.errors import RegistryUnfit
from registry.store import Registry
from tests.support.registry.registrar import SetClock

POST = "POST /api/v1/members/1/unmask"
BODY = sha256(b"{}").digest()
ANSWER = StoredReply(
    200, {"content-type": "application/json", "location": "/x"}, '{"name":"司马相如"}'.encode() + b"\xff\x00"
)


def begun(registry: Registry, principal: str = "li", key: str = "k") -> Begun:
    got = registry.idempotency_keys.begin(principal, key, POST, BODY)
    assert isinstance(got, Begun)
    return got


def test_the_same_request_gets_the_same_answer(registry: Registry) -> None:
    hand = begun(registry)
    with pytest.raises(RequestInProgress):
        registry.idempotency_keys.begin("li", "k", POST, BODY)
    registry.idempotency_keys.finish("li", "k", hand, ANSWER)
    assert registry.idempotency_keys.begin("li", "k", POST, BODY) == ANSWER
    assert begun(registry, "wang").attempt == 1  # another's key is another key
    assert "司马" not in repr(ANSWER)


@pytest.mark.parametrize(
    ("request_", "digest"), [("POST /api/v1/members/2/unmask", BODY), (POST, sha256(b"other").digest())]
)
@pytest.mark.parametrize("finished", [False, True])
def test_another_request_under_the_same_key_is_refused(
    registry: Registry, request_: str, digest: bytes, finished: bool
) -> None:
    hand = begun(registry)
    if finished:
        registry.idempotency_keys.finish("li", "k", hand, ANSWER)
    with pytest.raises(IdempotencyKeyReused, match="choose a new one"):
        registry.idempotency_keys.begin("li", "k", request_, digest)


def test_a_request_whose_process_died_is_begun_again_and_the_dead_one_says_nothing_more(
    registry: Registry, clock: SetClock
) -> None:
    dead = begun(registry)
    clock.forward(HOLD)
    second = begun(registry)
    assert (dead.attempt, second.attempt) == (1, 2)
    registry.idempotency_keys.finish("li", "k", dead, StoredReply(500, {}, b"late"))
    registry.idempotency_keys.give_up("li", "k", dead)
    with pytest.raises(RequestInProgress):
        registry.idempotency_keys.begin("li", "k", POST, BODY)
    registry.idempotency_keys.finish("li", "k", second, ANSWER)
    assert registry.idempotency_keys.begin("li", "k", POST, BODY) == ANSWER


def test_a_request_that_was_given_up_may_be_sent_again_at_once(registry: Registry) -> None:
    registry.idempotency_keys.give_up("li", "k", begun(registry))
    assert begun(registry).attempt == 2


def test_answers_are_forgotten_in_time(registry: Registry, clock: SetClock) -> None:
    registry.idempotency_keys.finish("li", "k", begun(registry), ANSWER)
    clock.forward(KEEP - timedelta(seconds=1))
    assert registry.idempotency_keys.sweep() == 0
    assert registry.idempotency_keys.begin("li", "k", POST, BODY) == ANSWER
    clock.forward(timedelta(seconds=1))
    assert begun(registry).attempt == 1
    clock.forward(KEEP)
    assert registry.idempotency_keys.sweep() == 1


def test_answers_are_sealed_and_bound_to_their_key(registry: Registry) -> None:
    registry.idempotency_keys.finish("li", "k", begun(registry), ANSWER)
    registry.idempotency_keys.finish("eve", "k", begun(registry, "eve"), StoredReply(204, {}, b""))
    with registry._context.database.write() as conn:
        (sealed,) = conn.execute(text("SELECT sealed FROM replies WHERE principal = 'li'")).scalars()
        assert "司马".encode() not in bytes(sealed)
        conn.execute(text("UPDATE replies SET sealed = :sealed WHERE principal = 'eve'"), {"sealed": sealed})
    with pytest.raises(RegistryUnfit, match="were changed or moved"):
        registry.idempotency_keys.begin("eve", "k", POST, BODY)


def test_of_many_at_once_one_does_it(registry: Registry) -> None:
    together = Barrier(6)

    def send(_: int) -> str:
        together.wait()
        try:
            return type(registry.idempotency_keys.begin("li", "k", POST, BODY)).__name__
        except RequestInProgress:
            return "in progress"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, range(6))) == ["Begun"] + ["in progress"] * 5
