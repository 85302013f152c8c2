"""Processes that work side by side, and end with the command that started them."""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import threading


def pool(workers: int) -> concurrent.futures.ProcessPoolExecutor:
    """A pool of `workers` fresh processes; a forked torch may deadlock, so they are spawned.

    When the process that made the pool dies, however suddenly, so do its workers, in the middle of what they do: nobody
    would hear of their results, and files that nobody asked for any more must not be replaced.
    """
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_end_together)


def _end_together() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
