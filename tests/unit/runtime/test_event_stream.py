"""Server-sent events: their form, and queues that bound how far a client may be behind."""

import pytest

from services.runtime.http.event_stream import StreamListeners, bye_frame, event_frame


class Told:
    """What the metrics were told."""

    def __init__(self) -> None:
        self.connected: list[int] = []
        self.dropped: list[str] = []

    def listeners(self, **terms: float) -> StreamListeners[int]:
        given = {"most": 2, "queue_length": 2, "heartbeat_s": 60.0, **terms}
        return StreamListeners(
            most=int(given["most"]),
            queue_length=int(given["queue_length"]),
            heartbeat_s=given["heartbeat_s"],
            connected=self.connected.append,
            dropped=self.dropped.append,
        )


def test_an_event_has_an_id_a_name_and_one_line_of_data() -> None:
    assert event_frame("journey", "7", '{"이름":1}') == 'id: 7\nevent: journey\ndata: {"이름":1}\n\n'.encode()
    assert bye_frame("slow") == b'event: bye\ndata: {"reason":"slow"}\n\n'


async def test_what_is_offered_comes_in_order() -> None:
    told = Told()
    listeners = told.listeners()
    one = listeners.join()
    for item in (1, 2):
        listeners.offer(one, item)
    queue = listeners.queued(one)
    assert [await anext(queue), await anext(queue)] == [1, 2]
    listeners.leave(one)
    listeners.leave(one)
    assert told.connected == [1, 0, 0]


async def test_who_is_too_far_behind_is_let_go_and_gets_nothing_that_is_out_of_order() -> None:
    told = Told()
    listeners = told.listeners()
    slow = listeners.join()
    for item in (1, 2, 3):
        listeners.offer(slow, item)
    assert [item async for item in listeners.queued(slow)] == []
    assert (slow.ended, told.dropped, listeners.everyone()) == ("slow", ["slow"], [])


async def test_silence_is_broken_by_a_sign_of_life() -> None:
    listeners = Told().listeners(heartbeat_s=0.001)
    assert await anext(listeners.queued(listeners.join())) is None


async def test_there_is_room_for_so_many_and_none_after_the_end() -> None:
    listeners = Told().listeners()
    both = [listeners.join(), listeners.join()]
    assert not listeners.has_room
    listeners.leave(both[0])
    assert listeners.has_room
    listeners.close()
    assert not listeners.has_room
    assert both[1].ended == "restart"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_listeners_are_counted(number: int) -> None:
    listeners = Told().listeners()
    for _ in range(number):
        listeners.join()
    assert len(listeners) == number
