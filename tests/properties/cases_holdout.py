"""Properties of held-out sets: packed bits, leaderboards, descriptions, bounds."""

import math

import numpy as np
from properties import agree, case, within
from scipy.stats import binom

from offconvex.holdout import leaderboard, simulate, theory
from offconvex.holdout.razor import calculator, description
from offconvex.holdout.razor import theory as razor_theory

# --- packed bits ------------------------------------------------------------------------------------------------------


# --- leaderboards -----------------------------------------------------------------------------------------------------


def submitted(d):
    return d.uniform(d.int(1, 4), d.int(1, 8))


case(
    leaderboard.naive,
    submitted,
    lambda r, x: agree(r, [[round(v, 5) for v in row] for row in x.tolist()]),
    each=["losses"],
)


def climbed(losses, step):
    """The Ladder of one row of losses, line by line as it is published."""
    best, reports = math.inf, []
    for loss in losses:
        if loss < best - step:
            best = round(loss / step) * step
        reports.append(best)
    return reports


case(
    leaderboard.ladder,
    lambda d: (submitted(d), d.one(0.01, 0.1, 0.25, 1.0)),
    lambda r, x, step: (
        agree(r[0], [climbed(row, step) for row in x], 1e-6)
        and np.array_equal(r[1], np.diff(r[0], axis=1, prepend=math.inf) < 0)
    ),
    each=["losses"],
    refuses={"step": [0.0, -0.1, 1.5, math.nan]},
)


def differing(d):
    better, worse = d.int(0, 40), d.int(0, 40)
    return np.array([better + worse]), np.array([(worse - better) / 100]), 100


def check_paired(result, count, change, size):
    plus = round((count[0] + change[0] * size) / 2)
    values = np.array([1.0] * plus + [-1.0] * (count[0] - plus) + [0.0] * (size - count[0]))
    return agree(result[0], values.std(ddof=1), 1e-6)


case(leaderboard.paired_deviation, differing, check_paired)


# --- descriptions and their bounds ------------------------------------------------------------------------------------

DESCRIPTIONS = (
    "graph: input 784 -> dense 10 -> softmax",
    "graph: input 784 -> dense 32 -> relu -> dense 10 -> softmax\nphrase: sgd rate 0.1",
)
ENCODED = description.encode(description.parse(DESCRIPTIONS[0]))


def parsed(d):
    return (description.parse(d.one(*DESCRIPTIONS)),)


case(
    description.decode,
    lambda d: description.encode(parsed(d)[0]),
    lambda r, code: description.encode(r) == code,
    refuses={"bits": ["", ENCODED + "0", ENCODED[:-1]]},
)
case(
    calculator.assess,
    lambda d: (
        (d.one(*DESCRIPTIONS),),
        {"error": d.float(0, 0.4), "size": d.int(100, 10_000), "delta": d.float(0.001, 1)},
    ),
    refuses={"error": [-0.1, 1.1], "size": [0], "delta": [0.0]},
)


def bounded(d):
    options = {"delta": d.float(0.001, 1), "inequality": d.one("okamoto", "kl", "binomial", "hoeffding")}
    return (d.float(2, 500), d.float(0, 1), d.int(1, 10_000)), options


case(
    razor_theory.true_error_bound,
    bounded,
    refuses={
        "bits": [-1.0, math.nan],
        "error": [-0.1, 1.1],
        "size": [0, 2.5],
        "delta": [0.0],
        "inequality": ["chernoff"],
    },
    examples=40,
)


case(
    razor_theory.logsumexp_tails,
    lambda d: (lambda w: np.log(w / w.sum()))(d.uniform(d.int(1, 9), low=0.1)),
    lambda r, logs: agree(np.exp(r), np.exp(logs)[::-1].cumsum()[::-1]),
)

# --- searches and evidence --------------------------------------------------------------------------------------------


# --- closed forms -----------------------------------------------------------------------------------------------------


def votes(d):
    return (d.int(1, 60), d.int(20, 500)), {"flip": d.one(True, False), "noise": d.one(0.0, 0.01)}


case(
    theory.kept_and_right,
    lambda d: votes(d)[0][1:],
    lambda r, size: agree(r[0], binom.sf(math.ceil(size / 2) - 1, size, 0.5), 1e-6) and 0.5 <= r[1] <= 0.7,
)
case(
    theory.hoeffding_gap,
    lambda d: (d.uniform(d.int(1, 4), low=1, high=999), d.int(20, 300)),
    lambda r, models, size: agree(np.exp(2 * size * r**2), models),
    each=["models"],
)


case(
    theory.log_binomial,
    lambda d: (lambda top: (float(top), np.arange(0, top + 1, max(1, top // 4))))(d.int(1, 200)),
    lambda r, top, bottom: within(r - [math.log(math.comb(int(top), int(b))) for b in bottom], -1e-7, 1e-7),
    each=["bottom"],
)
case(
    theory.private_guarantee,
    lambda d: (d.uniform(d.int(1, 4), low=0, high=999), d.int(20, 300), d.float(0.01, 1)),
    lambda r, queries, size, noise: agree(r**2, queries / (2 * noise**2 * size) / (2 * size)),
    each=["queries"],
)
case(
    simulate.luckiest_gaps,
    lambda d: ([1, 2, 5], d.int(20, 90), 400, d.int(0, 9)),
    lambda r, counts, size, *_: within(np.abs(r[0] - theory.luckiest_gap(np.array(counts), size)) / r[1], 0, 6),
    examples=3,
    refuses={"counts": [[3], [999]]},
)
