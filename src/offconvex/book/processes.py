"""Work in processes of its own, several at a time: one that is killed takes nothing but its own task with it."""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import operator
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from offconvex.book import surroundings

KILLED = "its process was killed (memory?)"

Ended = Iterator[tuple[tuple, float, Future]]
"""Arguments of each task that has ended, how many seconds it took, and what became of it."""


@contextlib.contextmanager
def at_work(work: Callable, tasks: Iterable[tuple], *, workers: int, alone: bool = False) -> Iterator[Ended]:
    """Call `work(*task)` for all tasks, `workers` at a time; inside, iterate over those that have ended.

    A task is asked for when a worker is free, so that tasks may depend on the time that is left.

    The future of a task whose process was killed raises ChildProcessError, and the other tasks go on. Processes are
    fresh, since a forked torch may deadlock, have clean surroundings, and take one task after another; with `alone`,
    each ends with its first.

    If what happens inside fails, no further task is begun and the running ones are awaited. If it is interrupted, or
    the calling process dies, however suddenly, the workers end with all their own processes in the middle of what they
    do: nobody would hear of their results, and files that nobody asked for any more must not be replaced.
    """
    listening, alive = multiprocessing.Pipe(duplex=False)

    def fresh() -> ProcessPoolExecutor:
        # One pool for each worker: a pool that loses a worker loses all.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_end_together, initargs=(listening,))

    waiting, idle = iter(tasks), [fresh() for _ in range(min(workers, operator.length_hint(tasks, workers)))]
    running: dict[Future, tuple[tuple, ProcessPoolExecutor, float]] = {}

    def ended() -> Ended:
        while True:
            while idle and (task := next(waiting, None)) is not None:
                worker = idle.pop()
                running[worker.submit(work, *task)] = task, worker, time.monotonic()
            if not running:
                return
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                task, worker, start = running.pop(future)
                killed = isinstance(future.exception(), BrokenProcessPool)
                if killed or alone:
                    worker.shutdown()
                    worker = fresh()
                if killed:
                    future = Future()
                    future.set_exception(ChildProcessError(KILLED))
                idle.append(worker)
                yield task, time.monotonic() - start, future

    try:
        with surroundings.clean():
            yield ended()
    except Exception:
        raise
    except BaseException:
        alive.close()
        raise
    finally:
        for worker in [*idle, *(worker for _, worker, _ in running.values())]:
            worker.shutdown()
        alive.close()
        listening.close()


def _end_together(alive: multiprocessing.connection.Connection) -> None:
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())  # its own spans processes, and is said to be left over when one ends like this
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _end_with(alive: multiprocessing.connection.Connection) -> None:
    import psutil

    multiprocessing.connection.wait([alive])  # nothing is ever sent: it is the other end that closes
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(1)
