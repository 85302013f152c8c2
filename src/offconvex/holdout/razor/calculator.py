"""The calculator: a description in, its bits and the bound on the true error out; and how far the coding matters."""

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offconvex.holdout.razor.description import Expression, encode, parse, text_of
from offconvex.holdout.razor.theory import INEQUALITIES, true_error_bound
from offconvex.holdout.razor.vocabulary import ALPHABETS

DICTIONARY = 15  # bits for a word out of 32,768, about a desk dictionary


@dataclass(frozen=True)
class Assessment:
    """What a description is worth.

    Attributes:
        bits: length of the whole description.
        parts: for each expression, its text and bits; the end of the description takes three more.
        bounds: bound on the true error by inequality; empty without a test error.
    """

    bits: int
    parts: tuple[tuple[str, int], ...]
    bounds: Mapping[str, float]


def assess(text: str, *, error: float | None = None, size: int | None = None, delta: float = 0.05) -> Assessment:
    """Bits of a description and, given a test error, the bounds on the true error.

    Args:
        text: the description, in the language of `offconvex.holdout.razor.description`.
        error: share of the test set that the model gets wrong.
        size: examples in the test set.
        delta: chance that a bound fails, over the draw of the test set.

    Raises:
        ValueError: if the description cannot be read or a number is out of range.
    """
    if (error is None) != (size is None):
        raise ValueError("A bound needs both the test error and the size of the test set; got one of them.")
    expressions = parse(text)
    bits = len(encode(expressions))
    done, parts = 0, []
    for i, expression in enumerate(expressions, start=1):
        # Names cost by what came before, so each expression is what it adds.
        so_far = len(encode(expressions[:i])) - 3
        parts.append((text_of([expression]).strip(), so_far - done))
        done = so_far
    bounds = {}
    if error is not None:
        bounds = {name: true_error_bound(bits, error, size, delta=delta, inequality=name) for name in INEQUALITIES}
    return Assessment(bits, tuple(parts), bounds)


def report(found: Assessment, *, error: float | None, delta: float) -> str:
    """An assessment as lines of text."""
    lines = [f"{bits:6d} bits  {text}" for text, bits in found.parts]
    lines.append(f"{found.bits:6d} bits  in all, with the end mark")
    if found.bounds:
        lines.append(f"true error, with probability {1 - delta:g}, from a test error of {100 * error:.2f} %:")
        lines += [f"{100 * bound:9.2f} %  {name}" for name, bound in found.bounds.items()]
    return "\n".join(lines)


def lengths(descriptions: Sequence[Sequence[Expression]]) -> dict[str, list[float]]:
    """Bits of each description under six assumptions on the code.

    "own code"; "one alphabet", words of all three types from one list; "dictionary", words of phrases from a desk
    dictionary; "entropy", the ideal code for the frequencies of tokens in these very descriptions, table not charged;
    "characters", eight bits each; "zlib", the library's compression of the text.
    """
    own = [float(len(encode(d))) for d in descriptions]
    union = math.ceil(math.log2(sum(map(len, ALPHABETS.values()))))
    widths = {kind: math.log2(len(alphabet)) for kind, alphabet in ALPHABETS.items()}
    found = {"own code": own, "one alphabet": [], "dictionary": [], "entropy": [], "characters": [], "zlib": []}
    counts = {kind: Counter() for kind in ALPHABETS}
    for description in descriptions:
        for expression in description:
            counts[expression.kind].update([*expression.tokens, "end of expression"])
    for bits, description in zip(own, descriptions):
        words = Counter(e.kind for e in description for token in e.tokens if isinstance(token, str))
        found["one alphabet"].append(bits + sum(n * (union - widths[kind]) for kind, n in words.items()))
        found["dictionary"].append(bits + words["phrase"] * (DICTIONARY - widths["phrase"]))
        found["entropy"].append(
            math.ceil(
                3
                + sum(len(_tag(e)) for e in description)
                + sum(
                    -math.log2(counts[e.kind][token] / counts[e.kind].total())
                    for e in description
                    for token in (*e.tokens, "end of expression")
                )
            )
        )
        text = text_of(description).encode()
        found["characters"].append(8.0 * len(text))
        found["zlib"].append(8.0 * len(zlib.compress(text, 9)))
    return found


def _tag(expression: Expression) -> str:
    return {"phrase": "0", "equation": "10", "graph": "110"}[expression.kind]
