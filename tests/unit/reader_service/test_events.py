"""Events: in order for everyone, resumable, and nobody is waited for."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from reader_service.events import GAP, Event, EventBus, SlowConsumer
from tests.support.waiting import PATIENCE

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def bus(size: int = 100) -> EventBus:
    return EventBus(size=size, clock=lambda: AT, epoch="e1")


async def take(events: AsyncIterator[list[Event]], count: int) -> list[Event]:
    taken: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        while len(taken) < count:
            taken += await anext(events)
    return taken


def test_an_event_is_written_as_json_with_its_id_and_time() -> None:
    event = bus().publish("verdict", "counter-1", {"code": "ACTIVE", "unit": "第一工会"})
    assert json.loads(event.json) == {
        "id": "e1-1",
        "at": "2026-11-22T09:00:00+00:00",
        "kind": "verdict",
        "topic": "counter-1",
        "data": {"code": "ACTIVE", "unit": "第一工会"},
    }


def test_what_threads_publish_reaches_a_listener_in_order() -> None:
    async def main() -> list[Event]:
        events, publishers = bus(1000), []
        listener = events.subscribe()
        publishers = [
            threading.Thread(target=lambda: [events.publish("n", "t", {}) for _ in range(100)]) for _ in range(4)
        ]
        waiting = asyncio.create_task(take(listener, 400))
        await asyncio.sleep(0)
        for thread in publishers:
            thread.start()
        received = await waiting
        for thread in publishers:
            thread.join()
        return received

    assert [event.number for event in asyncio.run(main())] == list(range(1, 401))


def test_a_listener_goes_on_after_the_event_it_names() -> None:
    async def main() -> list[Event]:
        events = bus()
        for number in range(5):
            events.publish("n", str(number), {})
        return await take(events.subscribe("e1-3"), 2)

    assert [event.topic for event in asyncio.run(main())] == ["3", "4"]


@pytest.mark.parametrize("after", ["e0-3", "e1-1", "e1-99", "e1-x", "nonsense", "", f"e1-{'9' * 5000}"])
def test_a_request_for_events_no_longer_stored_gets_a_notice_of_the_gap_and_goes_on(after: str) -> None:
    async def main() -> list[Event]:
        events = bus(size=3)
        for number in range(10):
            events.publish("n", str(number), {})
        listener = events.subscribe(after)
        first = await anext(listener)
        events.publish("n", "new", {})
        return first + await take(listener, 1)

    gap, new = asyncio.run(main())
    assert (gap.kind, gap.id, new.topic) == (GAP, "e1-10", "new")


def test_a_listener_hears_only_the_kinds_it_may() -> None:
    async def main() -> list[Event]:
        events = bus()
        listener = events.subscribe("e1-0", kinds=lambda kind: kind.startswith("lane."))
        for kind in ("verdict", "lane.state", "reader.added", "lane.card"):
            events.publish(kind, "t", {})
        return await take(listener, 2)

    assert [event.kind for event in asyncio.run(main())] == ["lane.state", "lane.card"]


def test_a_slow_listener_is_let_go_and_the_others_are_not() -> None:
    async def main() -> list[Event]:
        events = bus(1000)
        slow, quick = events.subscribe(behind=10), events.subscribe(behind=100)
        for number in range(11):
            events.publish("n", str(number), {})
        with pytest.raises(SlowConsumer):
            await anext(slow)
        return await take(quick, 11)

    assert len(asyncio.run(main())) == 11


def test_a_listener_that_reconnects_gets_all_stored_events_in_messages_of_bounded_size() -> None:
    async def main() -> list[list[Event]]:
        events = bus(10_000)
        for number in range(5_000):
            events.publish("n", str(number), {})
        back, batches = events.subscribe("e1-0", behind=2_000), list[list[Event]]()
        while sum(map(len, batches)) < 5_000:
            batches.append(await anext(back))
        for number in range(2_001):
            events.publish("n", str(number), {})
        with pytest.raises(SlowConsumer):  # it has caught up: from now on it is as every other listener
            await anext(back)
        return batches

    batches = asyncio.run(main())
    assert [event.number for batch in batches for event in batch] == list(range(1, 5_001))
    assert max(map(len, batches)) == 500


def test_who_comes_back_and_is_overtaken_by_the_ring_is_let_go() -> None:
    async def main() -> None:
        events = bus(1_000)
        for number in range(1_000):
            events.publish("n", str(number), {})
        back = events.subscribe("e1-0", behind=10)
        await anext(back)
        for number in range(501):
            events.publish("n", str(number), {})
        with pytest.raises(SlowConsumer):
            await anext(back)

    asyncio.run(main())


def test_a_closed_bus_ends_its_listeners() -> None:
    async def main() -> None:
        events = bus()
        waiting = asyncio.create_task(anext(events.subscribe(), None))
        await asyncio.sleep(0)
        events.close()
        async with asyncio.timeout(PATIENCE):
            assert await waiting is None

    asyncio.run(main())
