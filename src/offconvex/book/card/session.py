"""One call of `make gpu`: the missing parts, one after another, as long as the budget lasts; each kept when it ends."""

import itertools
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from offconvex import files
from offconvex.book import processes
from offconvex.book.card import record
from offconvex.book.card.chapters import said
from offconvex.book.card.device import Card, ask, cuda, first_line
from offconvex.book.card.parts import Part
from offconvex.book.card.parts import versions as of_parts
from offconvex.book.card.record import MeasuredPart
from offconvex.book.execution import provenance


def run(
    parts: Sequence[Part],
    *,
    budget: float,
    jobs: int = 1,
    device: str = "cuda",
    card: Card = cuda,
    root: Path | None = None,
) -> int:
    """Measure what is missing, in the order of the parts, then what failed before; return how many parts failed.

    A part is missing if it was never measured, or by other code. One that failed before may take all that is left.

    Args:
        parts: in their order.
        budget: seconds of this call.
        jobs: how many parts may run at a time, of those that may.
        device: what the parts' functions are given.
        card: says what the device is, in a process of its own.
        root: top of the book's checkout, by default this one's.

    Raises:
        ValueError: without a card, or if another one's measurements are kept.
        OSError: if nothing can be kept.
    """
    begin = time.monotonic()
    machine = provenance.machine() | ask(card)
    files.probe(record.place(root).parent)
    kept = record.load(root)
    for part in kept.values():
        if part.machine["card"] != machine["card"]:
            raise ValueError(
                f"{record.FILE} holds measurements of another card, {part.machine['card']}; move it away to measure "
                f"{machine['card']}."
            )
    versions = of_parts(parts)
    present = {name: part for name, part in kept.items() if part.code == versions.get(name)}
    missing = [part for part in parts if part.name not in present]
    failed = [part for part in parts if part.name in present and present[part.name].error]
    print(f"{machine['card']}, {budget:.0f} s: {len(missing)} of {len(parts)} parts to measure", flush=True)

    def tell(words: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {words}", flush=True)

    def due(waiting: Sequence, *, again: bool = False) -> Iterator[tuple]:
        for part in waiting:
            rest = budget - (time.monotonic() - begin)
            if rest < part.seconds:
                left.append(part)
                continue
            tell(part.name)
            yield part, device, time.time() + (rest if again else part.seconds)

    left: list = []
    wrong = 0
    batches = [(list(group), False) for _, group in itertools.groupby(missing, key=lambda part: part.together)]
    for waiting, again in [*batches, *([(failed, True)] if failed else [])]:
        beside = jobs if waiting[0].together and not again else 1
        with processes.at_work(perform, due(waiting, again=again), workers=beside, alone=True) as ended:
            for (part, _, until), seconds, future in ended:
                found, error = _result(future, seconds, until)
                name, made = part.name, versions[part.name]
                record.store(MeasuredPart(name, round(seconds, 2), error, made, beside, machine, found), root)
                wrong += bool(error)
                tell(f"{name}: {f'failed: {error}' if error else f'done in {seconds:.1f} s'}")
    if left:
        print("left for the next call: " + ", ".join(f"{part.name} ({part.seconds:.0f} s)" for part in left))
    return wrong


def perform(part: Part, device: str, until: float) -> tuple[dict[str, object], str]:
    """Call a part's function; what it found, and why it failed in one line, or "".

    At a time of the clock the system ends this process, whatever it is waiting for.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(until - time.time(), 1e-3))
    try:
        found = dict(part.function(device))
    except Exception as error:
        return {}, said(error)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return found, str(found.pop("stopped", ""))


def _result(future: Future, seconds: float, until: float) -> tuple[dict[str, object], str]:
    try:
        return future.result()
    except ChildProcessError as error:
        return {}, f"ended after {seconds:.0f} s, all that it is given" if time.time() >= until else str(error)
    except Exception as error:  # what it returned does not travel, or it could not be asked
        return {}, f"{type(error).__name__}: {first_line(error)}"
