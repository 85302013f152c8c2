"""Loops on the simulated device: what a step moves, or waits for, stands in waits.toml with its reason."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest
import simulated
from engines import ENGINES
from explicit import ExplicitDevices

WAITS = tomllib.loads(Path(__file__).with_name("waits.toml").read_text(encoding="utf-8"))["wait"]
MOST = 24  # entries of the list, which may only shrink
SHORT, LONG = 10, 20  # steps


def each_step(run, rt) -> dict[tuple[str, str], int]:
    """Events a step by kind and place, from the difference of two lengths; those of an epoch round to none."""
    with ExplicitDevices():  # a tensor of no axes mixes with those of any device, so that alone would not tell
        run(rt, SHORT)  # and what is made once and kept is no step's
    counts, steps = [], []
    for length in (SHORT, LONG):
        simulated.EVENTS.clear()
        steps.append(run(rt, length) or length)
        counts.append(Counter({key: n for key, n in simulated.EVENTS.items() if key[0] != "operation"}))
    more = counts[1] - counts[0]
    return {key: each for key, n in more.items() if (each := round(n / (steps[1] - steps[0])))}


@pytest.mark.parametrize("name", ENGINES)
def test_a_step_waits_for_nothing_that_is_not_listed(name):
    listed = {(wait["kind"], wait["place"]): wait["each"] for wait in WAITS if wait["engine"] == name}
    with simulated.installed() as rt:
        assert each_step(ENGINES[name], rt) == listed


def test_the_list_names_engines_and_reasons_and_does_not_grow():
    assert all(set(wait) == {"engine", "kind", "place", "each", "reason"} and wait["reason"] for wait in WAITS)
    assert {wait["engine"] for wait in WAITS} <= set(ENGINES)
    assert len(WAITS) <= MOST


def test_what_a_loop_asks_for_at_every_step_is_found_and_what_it_asks_for_once_is_not():
    def loop(rt, steps):
        x = rt.zeros(3)
        x.cpu()
        for step in range(steps):
            x = x + float(x.sum()) + (rt.tensor([1.0]) if step % 2 else 0.0)
            if step % 10 == 0:
                x.tolist()

    with simulated.installed() as rt:
        assert each_step(loop, rt) == {("item", "elsewhere"): 1}
        assert each_step(lambda rt, steps: [rt.tensor([1.0]) for _ in range(steps)] and None, rt) == {
            ("to device", "runtime.Runtime.tensor"): 1
        }
