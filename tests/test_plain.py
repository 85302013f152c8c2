"""Formulas as plain text, each against what one would type by hand."""

import unicodedata

import pytest

from offconvex import plain

WRITTEN = {
    r"L\,\sigma^{2-2/L}": "L σ^(2−2/L)",
    r"W_{j+1}^\top W_{j+1} - W_j W_j^\top": "Wⱼ₊₁ᵀ Wⱼ₊₁ − Wⱼ Wⱼᵀ",
    r"1/\sqrt{2\ell}": "1/√(2ℓ)",
    r"\begin{bmatrix} * & 1 \\ 1 & 0 \end{bmatrix}": "[[*, 1], [1, 0]]",
    r"\begin{pmatrix} x_1 \\ x_2 \\ \end{pmatrix}": "[[x₁], [x₂]]",
    # Scripts: with signs of their own, without, nested, of a whole group, in either order.
    r"x_i^{(n)} \le 10^{-4}": "xᵢ⁽ⁿ⁾ ≤ 10⁻⁴",
    r"x^2_i": "xᵢ²",
    r"\ell_{2/N}": "ℓ_(2/N)",
    r"\ell_\infty": "ℓ_∞",
    r"\|W\|_*": "‖W‖_*",
    r"x_{\text{eff}}": "x_eff",
    r"\sigma^{2 - 2/L}": "σ^(2−2/L)",
    r"0.508\, r\, e^{-r^2/2}": "0.508 r e^(−r²/2)",
    r"x^{2^k}": "x^(2ᵏ)",
    r"x^10": "x¹0",
    r"{a+b}^2": "(a+b)²",
    r"\frac{a}{b}^2": "(a/b)²",
    r"\left(\frac{a}{b}\right)^2": "(a/b)²",
    r"W'": "W′",
    r"x'_i": "xᵢ′",
    # Fractions and roots: parentheses where, and only where, something could be misread.
    r"\frac{1}{2}": "1/2",
    r"-\frac12 x": "−(1/2) x",
    r"\frac{a+b}{2}": "(a+b)/2",
    r"\frac{\lVert a \rVert^2}{2\eta}": "‖a‖²/(2η)",
    r"\frac{|x|}{|y|}": "|x|/|y|",
    r"f + \frac{\eta}{4}|\nabla f|^2": "f + (η/4)|∇f|²",
    r"\frac{1}{\sqrt{n}}": "1/√n",
    r"1/\frac{a}{b}": "1/(a/b)",
    r"\eta\,\frac{\partial f}{\partial x}": "η (∂f/∂x)",
    r"\sqrt{x}^2": "(√x)²",
    r"\sqrt2 x": "√2 x",
    r"\sqrt[3]{x+1}": "³√(x+1)",
    r"0.225 \sqrt{k/n}": "0.225 √(k/n)",
    r"\binom{n}{k}": "binom(n, k)",
    # Names, letters, accents, fonts.
    r"2\log n": "2 log n",
    r"\log\frac{1}{\delta}": "log(1/δ)",
    r"\sin\delta = \sin\delta_0 \cdot \exp(-(r^2 - r_0^2)/2)": "sin δ = sin δ₀ · exp(−(r² − r₀²)/2)",
    r"\log_2 n": "log₂ n",
    r"\lim_{n\to\infty} a_n": "lim_(n→∞) aₙ",
    r"\mathbb{E}[\operatorname{tr} A]": "𝔼[tr A]",
    r"\mathcal{L}, \mathbb{R}^{n\times n}, \mathfrak{g}": "ℒ, ℝ^(n×n), 𝔤",
    r"\mathrm{rank}(W)": "rank(W)",
    r"\text{SO}(3)": "SO(3)",
    r"\text{if }x>0": "if x > 0",
    r"\hat w, \tilde{W}, \bar{x}": unicodedata.normalize("NFC", "w\u0302, W\u0303, x\u0304"),
    r"\widehat{xy}": "hat(xy)",
    r"\alpha\beta\Gamma\lambda\varphi\Omega": "αβΓλφΩ",
    # Spaces: none where TeX needs one, one around relations and after commas, but in a number.
    r"N=3": "N = 3",
    r"n\to\infty": "n → ∞",
    r"(a,b)": "(a, b)",
    r"1{,}000": "1,000",
    r"|\nabla f|\,|y|": "|∇f| |y|",
    r"-1 \le x < 1": "−1 ≤ x < 1",
    r"\{1, \dots, n\}": "{1, …, n}",
    r"5\,\%": "5 %",
}

REFUSED = {
    r"\foo x": r"the command \foo is not known",
    "{a": "a brace is not closed",
    "a}": "} without its beginning",
    r"\sqrt": "has no argument",
    "x^": "has no argument",
    r"\frac{a}": "has no argument",
    r"\text": "has no argument",
    r"\text{a": "a brace is not closed",
    r"\sqrt[3": "a bracket is not closed",
    r"\begin{cases}a\end{cases}": "the environment cases is not known",
    r"\begin{bmatrix} 1": "the environment bmatrix does not end",
    r"\begin{bmatrix} 1 \end{matrix}": "the environment bmatrix does not end",
    r"a \\ b": "without its beginning",
    "a & b": "& without its beginning",
    "x^2^3": "two superscripts",
    "x_2_3": "two subscripts",
}


@pytest.mark.parametrize("tex", WRITTEN)
def test_a_formula_reads_as_one_would_type_it(tex):
    assert plain.text(f"${tex}$") == WRITTEN[tex]


@pytest.mark.parametrize("tex", REFUSED)
def test_what_has_no_plain_text_is_refused_in_one_sentence(tex):
    with pytest.raises(ValueError) as refused:
        plain.text(f"Here ${tex}$ stands.")
    message = str(refused.value)
    assert message.startswith(f"the formula ${tex}$ cannot be written as plain text: ") and REFUSED[tex] in message
    assert message.endswith(".") and "\n" not in message


def test_text_around_formulas_stays():
    assert plain.text("A rate of $10^{-3}$ or $\\sigma$, not 3^(2).") == "A rate of 10⁻³ or σ, not 3^(2)."
    assert plain.text("no formula - at all {}") == "no formula - at all {}"


def test_a_dollar_sign_without_partner_is_refused():
    with pytest.raises(ValueError, match="has no partner"):
        plain.text("It costs $5.")
