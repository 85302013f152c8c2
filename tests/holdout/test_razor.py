"""The code for descriptions, the calculator, its command, and the page's form, computed by its own script in node."""

import json
import re
import shutil
import subprocess

import pytest

from offconvex import paths
from offconvex.book import command_line
from offconvex.holdout.razor import calculator, description, vocabulary
from offconvex.holdout.razor import theory as razor_theory

STATIC = paths.project_root() / "book" / "_static"
SCRIPT = STATIC / "razor-calculator.js"
TEXTS = (
    "graph: input 28 28 -> conv 3 16 stride 2 -> relu -> dense 10 -> softmax",
    "phrase: sgd rate 0.1 momentum .90 decay 1e-4 batch 64 epochs 12",
    "equation: B(x) = b + g * (x - mean(x)) / sqrt(var(x) + 0.01)",
    "# a comment\n\n  graph : input 784 -> Block -> Block from 3\r\nphrase: Block width 1000000 and 0 and 1.5e-20",
    "phrase:\nequation: a = 0\ngraph:",
)
WRONG = (
    "",
    "sgd rate 0.1",
    "phrase: momentun",
    "graph: 1234567890123456",
    "equation: foo",
    "phrase: 1e200",
    "words: a",
)

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the script cannot be run")


def call(expression: str):
    """Value of a JavaScript expression in which `x` is the calculator."""
    program = f"const x = require({json.dumps(str(SCRIPT))}); console.log(JSON.stringify({expression}));"
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("text", TEXTS)
def test_a_description_survives_the_code(text):
    expressions = description.parse(text)
    bits = description.encode(expressions)
    assert set(bits) <= {"0", "1"}
    assert description.decode(bits) == expressions
    assert description.parse(description.text_of(expressions)) == expressions


def test_the_code_is_prefix_free():
    codes = [description.encode(description.parse(text)) for text in TEXTS]
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    with pytest.raises(ValueError, match="after the end"):
        description.decode(codes[0] + "0")
    with pytest.raises(ValueError, match="end inside"):
        description.decode(codes[0][:-1])


def test_bits_are_those_of_the_documented_costs():
    # phrase 1, word 1 + 8, number 0.1 = 1 e-1: 2 + 3 + 3, end 3, end of description 3.
    assert len(description.encode(description.parse("phrase: rate 0.1"))) == 1 + 9 + 8 + 3 + 3
    # equation 2, three names 3 + (0, 1, 2) bits, one again 3 + 2, symbol 1 + 5, end 3, end 3.
    assert len(description.encode(description.parse("equation: a b c = a"))) == 2 + 9 + 3 + 5 + 6 + 6
    # graph 3, node 1 + 5, number 100 = 1 e2: 2 + 3 + 5, end 3, end 3.
    assert len(description.encode(description.parse("graph: dense 100"))) == 3 + 6 + 10 + 6


def test_a_name_that_was_not_introduced_is_refused():
    one = description.encode(description.parse("equation: a b"))
    # Names so far are two; place 3 of a field of two bits would be a fourth.
    with pytest.raises(ValueError, match="never introduced"):
        description.decode(one[:-6] + "110" + "11" + "111" + "111")


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_gets_a_sentence(text):
    with pytest.raises(ValueError) as error:
        description.parse(text)
    assert str(error.value).endswith((".", "`."))


def test_vocabularies_are_distinct_words_in_powers_of_two():
    for words in vocabulary.ALPHABETS.values():
        assert len(words) == len(set(words)) and len(words) & (len(words) - 1) == 0


def test_assessment_adds_up_and_bounds_are_the_theory_s():
    text = "\n".join(TEXTS[:3])
    found = calculator.assess(text, error=0.1, size=10_000)
    assert sum(bits for _, bits in found.parts) + 3 == found.bits
    assert found.bounds["kl"] == razor_theory.true_error_bound(found.bits, 0.1, 10_000, inequality="kl")
    assert calculator.assess(text).bounds == {}
    with pytest.raises(ValueError, match="both"):
        calculator.assess(text, error=0.1)


def test_the_chapter_s_example_has_the_bits_it_says():
    chapter = (paths.project_root() / "book/sources/meta-overfitting.md").read_text()
    example = re.search(r"```\n(graph:.*?)```", chapter, flags=re.S).group(1)
    expressions = description.parse(example)
    assert f"{sum(len(e.tokens) for e in expressions)} tokens" in chapter
    assert f"take {len(description.encode(expressions))} bits" in chapter


def test_assumptions_on_the_code_are_ordered():
    found = calculator.lengths([description.parse(text) for text in TEXTS[:3]])
    for own, union, dictionary, characters in zip(
        found["own code"], found["one alphabet"], found["dictionary"], found["characters"]
    ):
        assert own <= min(union, dictionary) and characters > 2 * own


def test_the_command_prints_bits_and_bounds(tmp_path, capsys):
    file = tmp_path / "network.txt"
    file.write_text(TEXTS[0] + "\n" + TEXTS[1])
    assert command_line.main(["razor", str(file), "--error", "0.11", "--size", "10000"]) == 0
    printed = capsys.readouterr().out
    found = calculator.assess(file.read_text(), error=0.11, size=10_000)
    assert f"{found.bits} bits" in printed and f"{100 * found.bounds['okamoto']:.2f} %" in printed
    assert command_line.main(["razor", str(file)]) == 0
    assert "%" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (None, [], "no file"),
        ("phrase: momentun 0.9", [], "did you mean 'momentum'"),
        ("phrase: sgd", ["--error", "11", "--size", "100"], "share between 0 and 1"),
        ("phrase: sgd", ["--error", "0.1"], "needs both"),
        (b"\xff\xfe", [], "cannot be read as text"),
    ],
)
def test_the_command_explains_what_is_wrong(tmp_path, capsys, content, options, sentence):
    file = tmp_path / "network.txt"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert command_line.main(["razor", str(file), *options]) == 2
    message = capsys.readouterr().err
    assert sentence in message and "Traceback" not in message and message.count("\n") == 1


@needs_node
def test_the_form_has_the_same_vocabulary():
    assert call("x.ALPHABETS") == {kind: list(words) for kind, words in vocabulary.ALPHABETS.items()}


@needs_node
@pytest.mark.parametrize("text", [*TEXTS, "\n".join(TEXTS)])
def test_the_form_counts_the_same_bits(text):
    found, expected = call(f"x.measure({json.dumps(text)})"), calculator.assess(text)
    assert found["bits"] == expected.bits
    assert [bits for _, bits in found["parts"]] == [bits for _, bits in expected.parts]


@needs_node
@pytest.mark.parametrize("text", WRONG)
def test_the_form_refuses_what_the_parser_refuses(text):
    attempt = f"(() => {{ try {{ x.measure({json.dumps(text)}); return ''; }} catch (e) {{ return e.message; }} }})()"
    assert call(attempt)


@needs_node
@pytest.mark.parametrize("inequality", razor_theory.INEQUALITIES)
def test_the_form_computes_the_same_bounds(inequality):
    cases = [(b, e, n, d) for b in (0, 104, 1032) for e in (0.0, 0.0449, 0.3) for n, d in ((50_000, 0.05), (777, 1e-5))]
    values = call(f"{json.dumps(cases)}.map(([b, e, n, d]) => x.bound(b, e, n, d, {json.dumps(inequality)}))")
    expected = [razor_theory.true_error_bound(b, e, n, delta=d, inequality=inequality) for b, e, n, d in cases]
    assert values == pytest.approx(expected, abs=1e-9)


@needs_node
@pytest.mark.parametrize(
    "arguments", ["-1, .1, 10, .05", "1, 2, 10, .05", "1, .1, 1.5, .05", "1, .1, 10, 0", "1, NaN, 10, .05"]
)
def test_the_form_refuses_bad_numbers(arguments):
    attempt = f"(() => {{ try {{ x.bound({arguments}, 'kl'); return ''; }} catch (e) {{ return e.message; }} }})()"
    assert call(attempt)


def test_script_and_style_stand_alone():
    for file in (SCRIPT, STATIC / "razor-calculator.css"):
        text = file.read_text()
        assert "http" not in text and "@import" not in text and "fetch(" not in text
