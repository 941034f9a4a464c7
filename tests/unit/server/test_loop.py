"""Whatever other threads hand to the loop is done, however they race with its sleep."""

import asyncio
import threading

from goliat_monitoring.server.loop import new_loop

THREADS, CALLS = 4, 3_000


def test_nothing_that_a_thread_calls_is_left_lying() -> None:
    async def count() -> int:
        loop, done, heard = asyncio.get_running_loop(), asyncio.Event(), list[int]()
        answered = [threading.Semaphore(0) for _ in range(THREADS)]

        def hear(who: int) -> None:
            heard.append(who)
            answered[who].release()
            if len(heard) == THREADS * CALLS:
                done.set()

        def call(who: int) -> None:
            # Each waits for its answer: a call that is missed would leave the loop asleep for good.
            for _ in range(CALLS):
                loop.call_soon_threadsafe(hear, who)
                answered[who].acquire()

        for who in range(THREADS):
            threading.Thread(target=call, args=(who,), daemon=True).start()
        await asyncio.wait_for(done.wait(), 60)
        return len(heard)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(count()) == THREADS * CALLS
