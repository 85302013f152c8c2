"""A code for descriptions of networks: phrases, equations and graphs, to bits and back.

One expression a line, `phrase: ...`, `equation: ...` or `graph: ...`; lines that begin with # are not read. A token is
a word of the type's vocabulary, a decimal number, or a name, which is a single letter or begins with a capital. Arrows
in graphs are for the eye: a node's edge comes from the node before it, and `from 3` adds one from three nodes before.

The bits, in order (a prefix-free code, so that Kraft's inequality holds):

    expression   phrase 0, equation 10, graph 110, end of the description 111
    token        word 0, number 10, name 110, end of the expression 111
    word         its place in the type's vocabulary: 8 bits in phrases, 5 in equations and graphs
    number       m 10^e with m not divisible by 10: Elias' gamma code of m + 1, then of 2e + 1 (e >= 0) or -2e (e < 0)
    name         its place among the names so far, the next one being new: ceil(log2(names so far + 1)) bits
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from offconvex.holdout.razor.vocabulary import ALPHABETS

KINDS = ("phrase", "equation", "graph")
TAGS = ("0", "10", "110", "111")
DIGITS = "0123456789"
LONGEST_NUMBER = 15  # digits; more cannot be told apart in double precision, and the page's form computes in it
TOKEN = re.compile(r"->|[A-Za-z_][A-Za-z_0-9]*|[0-9]*\.?[0-9]+(?:e-?[0-9]+)?|\S")
NAME = re.compile(r"[A-Z][A-Za-z0-9]*|[a-z]")
NUMBER = re.compile(r"([0-9]*)\.?([0-9]*)(?:e(-?[0-9]+))?")
LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Expression:
    """One line of a description.

    Attributes:
        kind: one of KINDS.
        tokens: words as text, numbers as pairs (m, e), names as their place (int) in order of appearance.
    """

    kind: str
    tokens: tuple


def parse(text: str) -> tuple[Expression, ...]:
    """Expressions of a description.

    Raises:
        ValueError: naming line and token, if a line has no type or a word is not known.
    """
    names: dict[str, int] = {}
    expressions = []
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kind, colon, content = line.partition(":")
        kind = kind.strip()
        if not colon or kind not in KINDS:
            raise ValueError(
                f"Line {number}: expected `phrase:`, `equation:` or `graph:` and then its words; got {line.strip()!r}."
            )
        tokens = [t for t in TOKEN.findall(content) if t != "->"]
        expressions.append(Expression(kind, tuple(_token(t, kind, names, number) for t in tokens)))
    if not expressions:
        raise ValueError("The description is empty: expected lines such as `graph: input 784 -> dense 10 -> softmax`.")
    return tuple(expressions)


def _token(text: str, kind: str, names: dict[str, int], line: int) -> str | int | tuple[int, int]:
    if text in ALPHABETS[kind]:
        return text
    if text[-1] in DIGITS and text[0] in "." + DIGITS:
        return _number(text, line)
    if NAME.fullmatch(text):
        return names.setdefault(text, len(names))
    close = difflib.get_close_matches(text, ALPHABETS[kind], n=1)
    hint = f"did you mean {close[0]!r}? A" if close else "a"
    raise ValueError(
        f"Line {line}: {text!r} is not in the vocabulary of a{'n' if kind == 'equation' else ''} {kind}; "
        f"{hint} name of your own is a single letter or begins with a capital."
    )


def _number(text: str, line: int) -> tuple[int, int]:
    whole, part, power = NUMBER.fullmatch(text).groups()
    digits, exponent = (whole + part).lstrip("0"), int(power or 0) - len(part)
    if len(digits) > LONGEST_NUMBER or abs(exponent) > 99:
        raise ValueError(f"Line {line}: {text!r} has more than {LONGEST_NUMBER} digits or an exponent beyond 99.")
    if not digits:
        return 0, 0
    kept = digits.rstrip("0")
    return int(kept), exponent + len(digits) - len(kept)


def text_of(expressions: Sequence[Expression]) -> str:
    """A description that parses to the same expressions; names become N1, N2, ..."""
    return "".join(f"{e.kind}: {' '.join(map(_text, e.tokens))}\n" for e in expressions)


def _text(token: str | int | tuple[int, int]) -> str:
    if isinstance(token, str):
        return token
    if isinstance(token, int):
        return f"N{token + 1}"
    m, e = token
    if 0 <= e <= 8:
        return str(m * 10**e)
    if -8 <= e < 0:
        digits = str(m).rjust(1 - e, "0")
        return f"{digits[:e]}.{digits[e:]}"
    return f"{m}e{e}"


def encode(expressions: Sequence[Expression]) -> str:
    """Bits of a description, as text of 0 and 1."""
    names = 0
    parts = []
    for expression in expressions:
        parts.append(TAGS[KINDS.index(expression.kind)])
        alphabet = ALPHABETS[expression.kind]
        for token in expression.tokens:
            if isinstance(token, str):
                parts.append(TAGS[0] + _fixed(alphabet.index(token), len(alphabet)))
            elif isinstance(token, tuple):
                m, e = token
                parts.append(TAGS[1] + _gamma(m + 1) + _gamma(2 * e + 1 if e >= 0 else -2 * e))
            else:
                parts.append(TAGS[2] + _fixed(token, names + 1))
                names = max(names, token + 1)
        parts.append(TAGS[3])
    return "".join(parts) + TAGS[3]


def decode(bits: str) -> tuple[Expression, ...]:
    """Inverse of `encode`.

    Raises:
        ValueError: if the bits are not those of a description, or go on after its end.
    """
    stream, names, expressions = iter(bits), 0, []
    try:
        while (tag := _read_tag(stream)) < 3:
            alphabet, tokens = ALPHABETS[KINDS[tag]], []
            while (kind := _read_tag(stream)) < 3:
                if kind == 0:
                    tokens.append(alphabet[_read_fixed(stream, len(alphabet))])
                elif kind == 1:
                    m, code = _read_gamma(stream) - 1, _read_gamma(stream)
                    tokens.append((m, code // 2 if code % 2 else -(code // 2)))
                else:
                    place = _read_fixed(stream, names + 1)
                    if place > names:
                        raise ValueError("These bits use a name that was never introduced.")
                    names = max(names, place + 1)
                    tokens.append(place)
            expressions.append(Expression(KINDS[tag], tuple(tokens)))
    except StopIteration:
        raise ValueError("The bits end inside a description.") from None
    if next(stream, None) is not None:
        raise ValueError("There are bits after the end of the description.")
    return tuple(expressions)


def _fixed(value: int, size: int) -> str:
    width = (size - 1).bit_length()
    return f"{value:0{width}b}" if width else ""


def _gamma(value: int) -> str:
    binary = f"{value:b}"
    return "0" * (len(binary) - 1) + binary


def _read_tag(stream: Iterator[str]) -> int:
    tag = 0
    while tag < 3 and next(stream) == "1":
        tag += 1
    return tag


def _read_fixed(stream: Iterator[str], size: int) -> int:
    value = 0
    for _ in range((size - 1).bit_length()):
        value = 2 * value + int(next(stream))
    return value


def _read_gamma(stream: Iterator[str]) -> int:
    zeros = 0
    while next(stream) == "0":
        zeros += 1
    value = 1
    for _ in range(zeros):
        value = 2 * value + int(next(stream))
    return value
