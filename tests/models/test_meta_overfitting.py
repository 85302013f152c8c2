"""The model cell on the reused test set against the book's analyst: equal coins, equal votes; answers are needed."""

import re

import model_cells
import numpy as np
import pytest

from offconvex.holdout import analyst, bits, theory

CHAPTER = "meta-overfitting"
KEPT = "praised = coins[:sent][told[:sent] <= 0.5]"


def table(printed: str) -> np.ndarray:
    """What the cell prints, a row for each number of queries: that, then percents."""
    return np.array([[float(x) for x in re.findall(r"[\d.]+", line)] for line in printed.splitlines()[1:]])


def test_the_books_analyst_makes_the_same_votes_of_the_same_coins(monkeypatch):
    cell, printed = model_cells.run(CHAPTER)
    size, rows = cell["size"], table(printed)
    sent = tuple(rows[:, 0].astype(int))
    halves, asked = (cell["coins"][:, :size], cell["coins"][:, size:]), [0, 0]

    def coins(draws, repetitions, count, *, size):
        # The analyst draws a block of submissions, then what they say of fresh labels, in turn.
        which = 0 if asked[0] == asked[1] else 1
        asked[which] += count
        return bits.pack(halves[which][asked[which] - count : asked[which]])[None]

    monkeypatch.setattr(analyst.bits, "random", coins)
    labels = tuple(part.astype(bool) for part in np.split(cell["truth"], 2))
    run = analyst.boost(analyst.Boosting(size, sent, 1, fresh=True), 0, "not drawn from", labels=labels)
    found = np.stack([run["loss"][0], run["fresh"][0], run["least"][0]], axis=1)
    assert [[f"{value:.1%}" for value in row] for row in found] == [
        [f"{value}%" for value in row] for row in rows[:, 1:]
    ]


def test_what_is_printed_has_the_laws_of_the_theory():
    rows = table(model_cells.run(CHAPTER)[1])
    spread = 100 * 0.5 / np.sqrt(4000)  # of the loss of one vote, in percent
    queries = rows[:, 0].astype(int)
    # Six standard errors each: once in thirty million rows.
    assert rows[:, 1] == pytest.approx(100 * theory.vote_losses(queries, 4000), abs=6 * spread)
    assert rows[:, 2] == pytest.approx(np.full(4, 50.0), abs=6 * spread)
    assert rows[:, 3] == pytest.approx(50 - 100 * theory.luckiest_gap(queries, 4000), abs=6 * spread)


def test_without_answers_or_with_few_decimals_there_is_less_to_climb_on():
    _, deaf = model_cells.vary(CHAPTER, (KEPT, "praised = coins[:sent]"))
    assert table(deaf)[-1, 1] == pytest.approx(50, abs=6 * 0.8)
    _, rounded = model_cells.vary(CHAPTER, (KEPT, "praised = coins[:sent][told[:sent].round(2) <= 0.5]"))
    expected = 100 * theory.vote_loss(4000, 4000, digits=2)
    assert table(rounded)[-1, 1] == pytest.approx(expected, abs=6 * 0.8) and expected > 34
