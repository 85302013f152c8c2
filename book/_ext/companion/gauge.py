"""A measured value on an axis with its bound: the allowed side shaded, the value a dot, its control a cross."""

import math
from collections.abc import Callable, Sequence

from offconvex import claims

DECADES = 3.0  # from a one-sided bound, which lies in the middle, to either end


def draw(measure: claims.Measure, value: float | None, control: float | None, seeds: Sequence[float] = ()) -> str:
    """The gauge as SVG. It repeats what the line says in words and numbers, so it is hidden from those who hear it.

    Args:
        measure: the bound.
        value: what was measured, if anything was.
        control: the same with a hypothesis removed, if there is a control.
        seeds: what was measured at other seeds; they are drawn as a thin line from the least to the largest.
    """
    where = axis(measure)
    left = where(measure.at_least) if measure.at_least is not None else 0.0
    right = where(measure.at_most) if measure.at_most is not None else 100.0
    parts = ['<path class="g-axis" d="M0 8H100"/>', f'<path class="g-allowed" d="M{left:.1f} 8H{right:.1f}"/>']
    # A tick at each bound: what is shaded may be a point.
    ends = [end for end, bound in ((left, measure.at_least), (right, measure.at_most)) if bound is not None]
    parts += [f'<path class="g-bound" d="M{end:.1f} 4V12"/>' for end in ends]
    finite = [each for each in seeds if math.isfinite(each)]
    if finite and min(finite) < max(finite):
        parts.append(f'<path class="g-seeds" d="M{where(min(finite)):.1f} 14H{where(max(finite)):.1f}"/>')
    if control is not None and math.isfinite(control):
        parts.append(f'<path class="g-control" d="M{where(control) - 3:.1f} 5l6 6m0-6l-6 6"/>')
    if value is not None and math.isfinite(value):
        parts.append(f'<circle class="g-value" cx="{where(value):.1f}" cy="8" r="3.6"/>')
    return f'<svg class="gauge" viewBox="-6 0 112 16" aria-hidden="true">{"".join(parts)}</svg>'


def axis(measure: claims.Measure) -> Callable[[float], float]:
    """Where a value lies between 0 and 100.

    A one-sided positive bound is in the middle of a logarithmic axis of `DECADES` to either side, and so is one of
    zero or below of an axis that is straight near the bound; the two of a two-sided one enclose its middle third.
    """
    low, high = measure.at_least, measure.at_most
    if low is not None and high is not None:
        middle, width = (low + high) / 2, (high - low) or 1.0
        return _inside(lambda value: 50 + 100 * (value - middle) / width / 3)
    bound = low if low is not None else high
    if bound > 0:
        return _inside(lambda value: 50 + 50 * math.log10(value / bound) / DECADES if value > 0 else -math.inf)
    scale = abs(bound) or 1.0
    return _inside(lambda value: 50 + 48 * math.tanh((value - bound) / scale))


def _inside(place: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: min(max(place(value), 2.0), 98.0)
