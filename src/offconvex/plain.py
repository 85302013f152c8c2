r"""Formulas between dollar signs as plain text: for messages, the command line and whatever else typesets nothing.

A formula is read into atoms, as TeX does it, and the atoms are joined: `$L\,\sigma^{2-2/L}$` is L σ^(2−2/L), and what
TeX shows by place alone gets parentheses. The author's spaces stay; relations and commas are spaced in any case,
except in sub- and superscripts. Libraries do this less well (tried: pylatexenc 2.11 and unicodeit 0.7.5 lose or keep
the braces of σ^{2-2/L}, flatlatex 0.15 leaves ^\top and matrices), and claims.toml must be read where only the
package is.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_LETTERS = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {spelled}")
    for spelled in (
        "ALPHA BETA GAMMA DELTA EPSILON ZETA ETA THETA IOTA KAPPA LAMDA MU NU XI OMICRON PI RHO SIGMA TAU UPSILON PHI "
        "CHI PSI OMEGA"
    ).split()
    for name in [spelled.lower().replace("lamda", "lambda")]
}
_LETTERS |= {
    name.capitalize(): letter.upper()
    for name, letter in _LETTERS.items()
    if name in ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
}
_LETTERS |= {"varepsilon": "ε", "vartheta": "ϑ", "varphi": "φ", "varrho": "ρ", "varsigma": "ς", "varpi": "ϖ"}
_LETTERS |= {"ell": "ℓ", "hbar": "ℏ", "imath": "ı", "jmath": "ȷ", "Re": "Re", "Im": "Im"}

_SIGNS = {
    "infty": "∞", "emptyset": "∅", "varnothing": "∅", "top": "ᵀ", "prime": "′", "bot": "⊥", "perp": "⊥",
    "star": "*", "ast": "*", "dagger": "†", "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱",
    "sum": "∑", "prod": "∏", "int": "∫", "oint": "∮", "bigcup": "⋃", "bigcap": "⋂", "bigoplus": "⨁", "bigotimes": "⨂",
    "angle": "∠", "degree": "°", "%": "%", "#": "#", "&": "&", "_": "_", "colon": ":",
}  # fmt: skip
_OPERATORS = {
    "cdot": "·", "times": "×", "div": "÷", "pm": "±", "mp": "∓", "circ": "∘", "bullet": "•", "otimes": "⊗",
    "oplus": "⊕", "odot": "⊙", "cup": "∪", "cap": "∩", "setminus": "∖", "wedge": "∧", "land": "∧", "vee": "∨",
    "lor": "∨",
}  # fmt: skip
_RELATIONS = {
    "le": "≤", "leq": "≤", "leqslant": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥", "ne": "≠", "neq": "≠", "ll": "≪",
    "gg": "≫", "lt": "<", "gt": ">", "approx": "≈", "sim": "∼", "simeq": "≃", "cong": "≅", "equiv": "≡", "propto": "∝",
    "asymp": "≍", "lesssim": "≲", "gtrsim": "≳", "prec": "≺", "preceq": "⪯", "succ": "≻", "succeq": "⪰", "in": "∈",
    "notin": "∉", "ni": "∋", "subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "mid": "|",
    "parallel": "∥", "to": "→", "rightarrow": "→", "leftarrow": "←", "gets": "←", "leftrightarrow": "↔", "mapsto": "↦",
    "Rightarrow": "⇒", "implies": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔", "iff": "⇔", "longrightarrow": "→",
    "longmapsto": "↦", "uparrow": "↑", "downarrow": "↓", "nearrow": "↗", "searrow": "↘", "coloneqq": ":=",
    "models": "⊨", "vdash": "⊢",
}  # fmt: skip
_PREFIXES = {"nabla": "∇", "partial": "∂", "neg": "¬", "forall": "∀", "exists": "∃"}
_OPENING = {"(": "(", "[": "[", "langle": "⟨", "lfloor": "⌊", "lceil": "⌈", "lvert": "|", "lVert": "‖", "{": "{"}
_CLOSING = {")": ")", "]": "]", "rangle": "⟩", "rfloor": "⌋", "rceil": "⌉", "rvert": "|", "rVert": "‖", "}": "}"}
_BARS = {"vert": "|", "Vert": "‖", "|": "‖"}
_FUNCTIONS = set(
    "arccos arcsin arctan arg argmax argmin cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup "
    "ln log max min Pr sec sin sinh sup tan tanh".split()
)
_SPACES = {",", ";", ":", " ", "quad", "qquad", "thinspace", "medspace", "thickspace", "enspace"}
_IGNORED = {"!", "displaystyle", "textstyle", "limits", "nolimits", "left", "right", "middle"}
_IGNORED |= {size + side for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")}
_ACCENTS = {
    "hat": "\u0302", "widehat": "\u0302", "check": "\u030c", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304",
    "overline": "\u0304", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7", "mathring": "\u030a",
}  # fmt: skip
_FONTS: dict[str, tuple[str, ...]] = {"mathcal": ("SCRIPT",), "mathscr": ("SCRIPT",), "mathbb": ("DOUBLE-STRUCK",)}
_FONTS |= {"mathfrak": ("BLACK-LETTER", "FRAKTUR")}
_UPRIGHT = {"mathrm", "mathbf", "mathsf", "mathtt", "mathit", "boldsymbol", "bm", "operatorname", "operatorname*"}
_WORDS = {"text", "textrm", "textbf", "textit", "textsf", "texttt", "textnormal", "mbox"}
_MATRICES = {"matrix", "bmatrix", "pmatrix", "smallmatrix"}

_UP = dict(zip("0123456789+−=()′*ᵀ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾′*ᵀ"))
_UP |= dict(zip("abcdefghijklmnoprstuvwxyzT", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ"))
_UP |= dict(zip("ABDEGHIJKLMNOPRUVWβγδθφχ", "ᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵁⱽᵂᵝᵞᵟᶿᵠᵡ"))
_DOWN = dict(zip("0123456789+−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"))

_TOKEN = re.compile(r"\\operatorname\*|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\.\d+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class _Atom:
    """A piece of a formula and what TeX takes it for.

    Attributes:
        text: how it is written.
        kind: "letter", "operator", "relation", "comma", "space", "prefix", "function", "open", "close", "bar", or what
            needs parentheses beside other letters: a "fraction", a "root", and a "sum" from between braces.
    """

    text: str
    kind: str


def text(sentence: str) -> str:
    r"""A sentence with its formulas in Unicode: `$W_{j+1}^\top$` as Wⱼ₊₁ᵀ, `$1/\sqrt{2\ell}$` as 1/√(2ℓ).

    Raises:
        ValueError: if a formula does not end, its braces do not match, or one of its commands is not known here.
    """
    parts = sentence.split("$")
    if len(parts) % 2 == 0:
        raise ValueError(f"a formula stands between two dollar signs; one of them has no partner in {sentence!r}.")
    return "".join(_formula(part) if i % 2 else part for i, part in enumerate(parts))


def _formula(tex: str) -> str:
    tokens = deque(_TOKEN.findall(tex))
    try:
        atoms = _read(tokens)
        if tokens:
            raise ValueError(f"{tokens[0]} without its beginning")
    except ValueError as error:
        raise ValueError(f"the formula ${tex}$ cannot be written as plain text: {error}.") from None
    return _join(atoms).strip()


def _read(tokens: deque[str], until: str = "") -> list[_Atom]:
    # Atoms up to a closing brace, `&`, `\\`, `\end` or the given token, which stays.
    atoms: list[_Atom] = []
    while tokens and tokens[0] not in ("}", "&", "\\\\", "\\end", until):
        if tokens[0] in ("^", "_", "'"):
            base = atoms.pop() if atoms and atoms[-1].kind != "space" else _Atom("", "letter")
            atoms.append(_scripted(base, tokens))
        else:
            atoms += _next(tokens)
    return atoms


def _next(tokens: deque[str]) -> list[_Atom]:
    # What the next token stands for, with its arguments.
    token = tokens.popleft()
    if token == "{":
        return _group(_inside(tokens))
    if len(token) > 1 and token[0] == "\\":
        return _command(token[1:], tokens)
    if token.isspace() or token == "~":
        return [_Atom(" ", "space")]
    kinds = {"(": "open", "[": "open", ")": "close", "]": "close", "|": "bar", ",": "comma", ";": "comma"}
    kinds |= dict.fromkeys("+-−*/·×", "operator") | dict.fromkeys("=<>≤≥≠≈→", "relation")
    return [_Atom(token.replace("-", "−"), kinds.get(token, "letter"))]


def _command(name: str, tokens: deque[str]) -> list[_Atom]:
    for table, kind in (
        (_LETTERS, "letter"), (_SIGNS, "letter"), (_OPERATORS, "operator"), (_RELATIONS, "relation"),
        (_PREFIXES, "prefix"), (_OPENING, "open"), (_CLOSING, "close"), (_BARS, "bar"),
    ):  # fmt: skip
        if name in table:
            return [_Atom(table[name], kind)]
    if name in _FUNCTIONS:
        return [_Atom(name, "function")]
    if name in _SPACES or name.isspace():
        return [_Atom(" ", "space")]
    if name in _IGNORED:
        if name in ("left", "right") and tokens and tokens[0] == ".":
            tokens.popleft()  # a side without a sign
        return []
    for names, written in _WITH_ARGUMENTS.items():
        if name in names:
            return written(name, tokens)
    raise ValueError(f"the command \\{name} is not known")


def _inside(tokens: deque[str]) -> list[_Atom]:
    # What stands up to the brace that closes, which goes.
    atoms = _read(tokens)
    if not tokens or tokens[0] != "}":
        raise ValueError("a brace is not closed")
    tokens.popleft()
    return atoms


def _argument(tokens: deque[str]) -> list[_Atom]:
    # One token, or what stands between braces.
    while tokens and tokens[0].isspace():
        tokens.popleft()
    if not tokens or tokens[0] in ("}", "&", "^", "_"):
        raise ValueError("a command or a script has no argument")
    if tokens[0] == "{":
        tokens.popleft()
        return _inside(tokens)
    if tokens[0].isdigit() and len(tokens[0]) > 1:  # TeX takes one digit alone
        digits = tokens.popleft()
        tokens.extendleft([digits[1:], digits[0]])
    return _next(tokens)


def _group(atoms: list[_Atom]) -> list[_Atom]:
    # Braces show nothing, but a script behind them belongs to all of it.
    if len(atoms) == 1:
        return [_Atom(atoms[0].text, "letter" if atoms[0].kind == "comma" else atoms[0].kind)]
    return [_Atom(_join(atoms), "letter" if _whole(atoms) else "sum")] if atoms else []


def _scripted(base: _Atom, tokens: deque[str]) -> _Atom:
    below, above, primes = "", "", ""
    while tokens and tokens[0] in ("^", "_", "'"):
        sign = tokens.popleft()
        if sign == "'":
            primes += "′"
        elif above if sign == "^" else below:
            raise ValueError(f"two {'superscripts' if sign == '^' else 'subscripts'} have one place")
        elif sign == "_":
            below = _script("_", _argument(tokens), _DOWN)
        else:
            above = _script("^", _argument(tokens), _UP)
    alone = base.kind in ("fraction", "sum", "root")
    kind = "letter" if alone else base.kind
    return _Atom((f"({base.text})" if alone else base.text) + below + primes + above, kind)


def _script(sign: str, atoms: list[_Atom], signs: dict[str, str]) -> str:
    written = _join(atoms, tight=True)
    if set(written) <= set(signs):
        return "".join(signs[letter] for letter in written)
    return sign + (written if len(written) == 1 or re.fullmatch(r"[A-Za-z0-9.]+", written) else f"({written})")


def _fraction(name: str, tokens: deque[str]) -> list[_Atom]:
    above, below = _argument(tokens), _argument(tokens)
    over = _join(above) if {a.kind for a in above} <= {"letter", "prefix", "space"} else _enclosed(above)
    return [_Atom(f"{over}/{_enclosed(below)}", "fraction")]


def _root(name: str, tokens: deque[str]) -> list[_Atom]:
    degree = ""
    if tokens and tokens[0] == "[":
        tokens.popleft()
        degree = _script("", _read(tokens, until="]"), _UP)
        if not tokens or tokens.popleft() != "]":
            raise ValueError("a bracket is not closed")
    return [_Atom(f"{degree}√{_enclosed(_argument(tokens))}", "root")]


def _binomial(name: str, tokens: deque[str]) -> list[_Atom]:
    return [_Atom(f"binom({_join(_argument(tokens))}, {_join(_argument(tokens))})", "letter")]


def _accented(name: str, tokens: deque[str]) -> list[_Atom]:
    inner = _join(_argument(tokens))
    if name != "overline" and len(inner) > 1:
        return [_Atom(f"{name.removeprefix('wide')}({inner})", "letter")]
    return [_Atom(unicodedata.normalize("NFC", "".join(c + _ACCENTS[name] for c in inner)), "letter")]


def _in_font(name: str, tokens: deque[str]) -> list[_Atom]:
    return [_Atom("".join(_styled(c, _FONTS[name]) for c in _join(_argument(tokens))), "letter")]


def _styled(letter: str, styles: tuple[str, ...]) -> str:
    called = unicodedata.name(letter).removeprefix("LATIN ").replace("LETTER ", "")
    for full in (f"{prefix}{style} {called}" for prefix in ("", "MATHEMATICAL ") for style in styles):
        try:
            return unicodedata.lookup(full)
        except KeyError:
            continue
    return letter


def _upright(name: str, tokens: deque[str]) -> list[_Atom]:
    inner = _join(_argument(tokens))
    word = name.startswith("operatorname") or (name == "mathrm" and len(inner) > 1)
    return [_Atom(inner, "function" if word else "letter")]


def _words(name: str, tokens: deque[str]) -> list[_Atom]:
    if not tokens or tokens.popleft() != "{":
        raise ValueError(f"\\{name} has no argument")
    found = []
    while tokens and tokens[0] != "}":
        found.append(tokens.popleft())
    if not tokens:
        raise ValueError("a brace is not closed")
    tokens.popleft()
    return [_Atom("".join(found), "letter")]


def _matrix(name: str, tokens: deque[str]) -> list[_Atom]:
    environment = _words(name, tokens)[0].text
    if environment not in _MATRICES:
        raise ValueError(f"the environment {environment} is not known")
    rows = [[_join(_read(tokens)).strip()]]
    while tokens and tokens[0] in ("&", "\\\\"):
        if tokens.popleft() == "&":
            rows[-1].append(_join(_read(tokens)).strip())
        else:
            rows.append([_join(_read(tokens)).strip()])
    if not tokens or tokens.popleft() != "\\end" or _words("end", tokens)[0].text != environment:
        raise ValueError(f"the environment {environment} does not end")
    rows = [row for row in rows if row != [""]]  # the last row may end like the others
    return [_Atom("[" + ", ".join(f"[{', '.join(row)}]" for row in rows) + "]", "letter")]


_WITH_ARGUMENTS: dict[tuple[str, ...], Callable[[str, deque[str]], list[_Atom]]] = {
    ("frac", "tfrac", "dfrac"): _fraction,
    ("sqrt",): _root,
    ("binom",): _binomial,
    tuple(_ACCENTS): _accented,
    tuple(_FONTS): _in_font,
    tuple(_UPRIGHT): _upright,
    tuple(_WORDS): _words,
    ("begin",): _matrix,
}


def _whole(atoms: list[_Atom]) -> bool:
    # One sign, or a pair of delimiters with all else between them.
    kinds = [atom.kind for atom in _paired(atoms) if atom.kind not in ("space", "prefix")]
    if len(kinds) == 1:
        return kinds[0] in ("letter", "function", "root")
    depth = 0
    for position, kind in enumerate(kinds):
        depth += (kind == "open") - (kind == "close")
        if depth == 0 and position < len(kinds) - 1:
            return False
    return bool(kinds)


def _enclosed(atoms: list[_Atom]) -> str:
    written = _join(atoms).strip()
    return written if _whole(atoms) else f"({written})"


def _paired(atoms: list[_Atom]) -> list[_Atom]:
    # Bars open and close in turn: |x| |y|.
    inside = {"|": False, "‖": False}
    found = []
    for atom in atoms:
        if atom.kind == "bar":
            sign = atom.text[0]
            atom = _Atom(atom.text, "close" if inside[sign] else "open")
            inside[sign] = not inside[sign]
        found.append(atom)
    return found


def _join(atoms: list[_Atom], *, tight: bool = False) -> str:
    # `tight`: without spaces, as in scripts.
    written, left, spaced = "", _Atom("", "open"), False
    following = deque(atom for atom in _paired(atoms) if atom.kind != "space")
    for atom in _paired(atoms):
        if atom.kind == "space":
            spaced = True
            continue
        following.popleft()
        right = following[0] if following else _Atom("", "close")
        enclosed = atom.kind == "sum" or (atom.kind == "fraction" and _beside(left, right))
        piece = f"({atom.text})" if enclosed else atom.text
        if written and _space(left, spaced, _Atom(piece, "open") if enclosed else atom):
            written += " "
        written += piece
        left, spaced = atom, False
    return written.replace(" ", "") if tight else written


def _beside(left: _Atom, right: _Atom) -> bool:
    # Whether a fraction between these two could be misread.
    ends = {"operator", "relation", "comma"}
    return left.kind not in ends | {"open"} or right.kind not in ends | {"close"} or "/" in (left.text, right.text)


def _space(left: _Atom, spaced: bool, right: _Atom) -> bool:
    if "relation" in (left.kind, right.kind) or left.kind == "comma":
        return True
    if right.kind in ("close", "comma") or left.kind in ("open", "prefix"):
        return False
    # Names of functions keep off letters on both sides, and letters off a root: 2 log n, log(n), √2 x.
    signs = {"letter", "function", "fraction", "root", "prefix"}
    name = left.kind in ("function", "root") and right.kind in signs
    return spaced or name or (right.kind == "function" and left.kind in signs | {"close"})
