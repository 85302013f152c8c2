"""Claims are judged by claims.toml on both sides of every bound, and every way to be wrong has its sentence."""

import json

import numpy as np
import pytest
import torch

from offconvex import claims

ENTRY = """
["{id}"]
chapter = "{chapter}"
kind = "claim"
sentence = "A sentence."
source = "key, Theorem 1"
scale = "exact"
figure = "{figure}"
reason = "A reason."
measures = [{measures}]
"""


def entry(id, measures, chapter="room", figure=""):
    return ENTRY.format(id=id, measures=measures, chapter=chapter, figure=figure)


GOOD = (
    entry("room.most", '{quantity = "distance", at_most = 0.5}', figure="fig-room-a")
    + entry("room.least", '{quantity = "rank", at_least = 2}')
    + entry("room.both", '{quantity = "slope", at_least = 0.9, at_most = 1.1}')
    + entry(
        "room.pair",
        '{name = "low", quantity = "low error", at_most = 1}, {name = "high", quantity = "high error", at_least = 2}',
    )
    + entry("other.claim", '{quantity = "distance", at_most = 1}', chapter="other")
)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    file = tmp_path / "claims.toml"
    file.write_text(GOOD)
    loaded = claims.load(file)
    monkeypatch.setattr(claims, "_registry", lambda: loaded)


@pytest.fixture
def output(registry, open_chapter):
    return open_chapter("room", seed=4)


def stored(output):
    return json.loads((output / "claims.json").read_text())


@pytest.mark.parametrize(
    ("id", "inside", "outside"),
    [
        ("room.most", [0.5, 0.0, -7], [0.5 + 1e-15, 1e300]),
        ("room.least", [2, 2.0, 1e300], [2 - 1e-15, -1e300]),
        ("room.both", [0.9, 1, 1.1], [0.9 - 1e-15, 1.1 + 1e-15]),
    ],
)
def test_a_bound_holds_on_one_side_and_fails_on_the_other(output, capsys, id, inside, outside):
    for value in inside:
        claims.check(id, value)
        assert stored(output)[id]["holds"] is True
    assert capsys.readouterr().out == f"✓ {id}\n" * len(inside)
    for value in outside:
        with pytest.raises(claims.ClaimFailed, match=f"^{id} misses its bound"):
            claims.check(id, value)
        assert stored(output)[id]["holds"] is False
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("id", ["room.most", "room.least", "room.both"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_never_hold(output, id, value):
    with pytest.raises(claims.ClaimFailed, match="misses its bound"):
        claims.check(id, value)


def test_a_miss_says_the_quantity_the_value_and_the_bound(output):
    with pytest.raises(claims.ClaimFailed) as failure:
        claims.check("room.pair", {"low": 1.25, "high": 3})
    assert str(failure.value) == "room.pair misses its bound. low error: 1.25, bound ≤ 1."
    with pytest.raises(claims.ClaimFailed, match="low error: 2, bound ≤ 1; high error: 1, bound ≥ 2"):
        claims.check("room.pair", {"low": 2, "high": 1})
    with pytest.raises(claims.ClaimFailed, match="slope: 2, bound 0.9 … 1.1"):
        claims.check("room.both", 2)


def test_a_miss_says_its_quantity_without_tex(tmp_path, monkeypatch, open_chapter):
    file = tmp_path / "claims.toml"
    file.write_text(entry("room.rate", r"{quantity = 'distance from $2-2/L$, $\sigma_1$ alone', at_most = 1}"))
    loaded = claims.load(file)
    monkeypatch.setattr(claims, "_registry", lambda: loaded)
    open_chapter("room")
    with pytest.raises(claims.ClaimFailed) as failure:
        claims.check("room.rate", 3)
    assert str(failure.value) == "room.rate misses its bound. distance from 2−2/L, σ₁ alone: 3, bound ≤ 1."


def test_the_record_of_a_claim(output):
    claims.check("room.most", 0.25)
    assert stored(output) == {
        "room.most": {
            "kind": "claim",
            "scale": "exact",
            "observed": 0.25,
            "bound": "≤ 0.5",
            "holds": True,
            "figure": "fig-room-a",
            "seed": 4,
        }
    }
    claims.check("room.pair", {"high": 3, "low": 0})
    assert stored(output)["room.pair"]["observed"] == {"high": 3.0, "low": 0.0}
    assert stored(output)["room.pair"]["bound"] == {"high": "≥ 2", "low": "≤ 1"}


def test_the_record_has_the_same_bytes_in_any_order(output):
    claims.check("room.most", 0.25)
    claims.check("room.pair", {"low": 0.1, "high": 2})
    claims.control("room.most", 0.75)
    first = (output / "claims.json").read_bytes()
    claims.reset(output)
    assert not (output / "claims.json").exists()
    claims.check("room.pair", {"high": 2, "low": 0.1})
    claims.check("room.most", 0.25)
    claims.control("room.most", 0.75)
    assert (output / "claims.json").read_bytes() == first
    assert [file.name for file in output.iterdir()] == ["claims.json"]


@pytest.mark.parametrize("one", [0.25, np.float32(0.25), np.array(0.25), torch.tensor(0.25, device="cpu")])
def test_numbers_of_any_library_are_values(output, one):
    claims.check("room.most", one)
    assert stored(output)["room.most"]["observed"] == 0.25


@pytest.mark.parametrize("bad", [np.ones(2), torch.ones(2, device="cpu"), "small", None, [0.1]])
def test_a_value_is_one_number(output, bad):
    with pytest.raises(ValueError, match="room.most: each observed value must be one number; got"):
        claims.check("room.most", bad)
    assert not (output / "claims.json").exists()


def test_a_control_must_break_the_bound(output, capsys):
    claims.check("room.most", 0.25)
    claims.control("room.most", 0.75)
    assert capsys.readouterr().out == "✓ room.most\n✓ room.most fails on its control\n"
    assert stored(output)["room.most"]["control"] == 0.75 and stored(output)["room.most"]["control_fails"] is True
    with pytest.raises(claims.ClaimFailed, match="room.most does not break its bound on its control. distance: 0.5"):
        claims.control("room.most", 0.5)
    assert stored(output)["room.most"]["control_fails"] is False


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_control_that_could_not_be_measured_shows_nothing(output, value):
    claims.check("room.most", 0.25)
    with pytest.raises(claims.ClaimFailed, match="does not break its bound"):
        claims.control("room.most", value)


def test_a_control_may_give_some_of_the_measures_and_each_must_break_its_bound(output):
    claims.check("room.pair", {"low": 0, "high": 3})
    claims.control("room.pair", {"low": 2})
    assert stored(output)["room.pair"]["control"] == {"low": 2.0}
    with pytest.raises(claims.ClaimFailed, match="high error: 3"):
        claims.control("room.pair", {"low": 2, "high": 3})


def test_a_control_follows_its_claim(output):
    with pytest.raises(ValueError, match="room.most: check the claim before its control"):
        claims.control("room.most", 0.75)


@pytest.mark.parametrize("judge", [claims.check, claims.control])
def test_unknown_ids_other_chapters_and_wrong_measures(output, judge):
    with pytest.raises(ValueError, match="Unknown claim 'room.mots': no such entry in claims.toml"):
        judge("room.mots", 0.1)
    with pytest.raises(ValueError, match="other.claim belongs to the chapter 'other', but the open chapter is 'room'"):
        judge("other.claim", 0.1)
    with pytest.raises(ValueError, match="room.most has the measures its single value; got 'low'"):
        judge("room.most", {"low": 0.1})
    with pytest.raises(ValueError, match="room.pair has the measures 'high', 'low'; got its single value"):
        judge("room.pair", 0.1)
    with pytest.raises(ValueError, match="room.pair has the measures 'high', 'low'; got none"):
        judge("room.pair", {})


def test_every_measure_of_a_claim_must_be_given(output):
    with pytest.raises(ValueError, match="room.pair: no value for 'high'; every measure of a claim must be given"):
        claims.check("room.pair", {"low": 0.1})


def test_nothing_is_judged_without_an_open_chapter(registry, open_chapter):
    with pytest.raises(RuntimeError, match="No chapter is open"):
        claims.check("room.most", 0.1)


def test_smoke_sizes_are_recorded_and_not_judged(registry, open_chapter, capsys):
    output = open_chapter("room", profile="smoke")
    claims.check("room.most", 7.0)
    claims.control("room.most", 0.25)
    assert capsys.readouterr().out == "· room.most: run, not judged at smoke size\n" * 2
    record = stored(output)["room.most"]
    assert record["observed"] == 7.0 and record["holds"] is False and record["control_fails"] is False
    # What is wrong at any size stays wrong.
    with pytest.raises(ValueError, match="Unknown claim"):
        claims.check("room.mots", 7.0)


def test_paper_sizes_are_judged(registry, open_chapter):
    open_chapter("room", profile="paper")
    with pytest.raises(claims.ClaimFailed):
        claims.check("room.most", 7.0)


def test_load_keeps_the_order_and_the_fields(tmp_path):
    file = tmp_path / "claims.toml"
    file.write_text(GOOD)
    loaded = claims.load(file)
    assert list(loaded) == ["room.most", "room.least", "room.both", "room.pair", "other.claim"]
    assert loaded["room.pair"].measures == (
        claims.Measure("low", "low error", None, 1),
        claims.Measure("high", "high error", 2, None),
    )
    assert loaded["room.most"].chapter == "room" and loaded["room.most"].figure == "fig-room-a"


@pytest.mark.parametrize("kind", claims.KINDS)
def test_every_kind_is_stored_and_prints_the_same_line(tmp_path, monkeypatch, open_chapter, capsys, kind):
    file = tmp_path / "claims.toml"
    file.write_text(entry("room.a", ONE).replace('kind = "claim"', f'kind = "{kind}"'))
    loaded = claims.load(file)
    monkeypatch.setattr(claims, "_registry", lambda: loaded)
    output = open_chapter("room")
    claims.check("room.a", 0.25)
    claims.control("room.a", 0.75)
    assert capsys.readouterr().out == "✓ room.a\n✓ room.a fails on its control\n"
    assert stored(output)["room.a"]["kind"] == kind and stored(output)["room.a"]["holds"] is True


def test_luck_and_uses_are_read_and_change_no_record(tmp_path, monkeypatch, open_chapter):
    plain = entry("room.a", ONE) + entry("room.b", ONE)
    full = plain.replace("at_most = 0.5}", 'at_most = 0.5, luck = {chance = 1e-6, how = "Hoeffding, n = 400."}}')
    full = full.replace('["room.b"]', '["room.b"]\nuses = ["room.a"]')
    records = {}
    for name, text in {"plain": plain, "full": full}.items():
        file = tmp_path / f"{name}.toml"
        file.write_text(text)
        loaded = claims.load(file)
        monkeypatch.setattr(claims, "_registry", lambda loaded=loaded: loaded)
        output = open_chapter("room")
        claims.check("room.a", 0.25)
        records[name] = (output / "claims.json").read_bytes()
    assert records["full"] == records["plain"]
    assert loaded["room.a"].measures[0].luck == claims.Luck(1e-6, "Hoeffding, n = 400.")
    assert loaded["room.a"].uses == () and loaded["room.b"].uses == ("room.a",)
    assert claims.load(tmp_path / "plain.toml")["room.a"].measures[0].luck is None


ONE = '{quantity = "distance", at_most = 0.5}'


def with_luck(luck):
    return entry("a", ONE.replace("}", f", luck = {luck}}}"))


def using(id, *uses):
    return entry(id, ONE).replace(f'["{id}"]', f'["{id}"]\nuses = {json.dumps(uses)}')


MALFORMED = {
    "missing fields": ('["a"]\nchapter = "room"\n', r"claims.toml, a: missing fields \['figure'"),
    "unknown field": (entry("a", ONE) + "colour = 3\n", r"a: missing fields \[\], unknown fields \['colour'\]"),
    "no table": ("a = 1\n", "a: expected a table with chapter, kind,.*; got 1"),
    "kind": (entry("a", ONE).replace('kind = "claim"', 'kind = "fact"'), "a: kind must be one of"),
    "scale": (entry("a", ONE).replace('scale = "exact"', 'scale = "big"'), "a: kind must be one of.* and scale one of"),
    "no text": (entry("a", ONE).replace('reason = "A reason."', "reason = 3"), "every other field text"),
    "no list": (entry("a", ONE).replace(f"[{ONE}]", ONE), "a: measures must be a list of tables"),
    "no tables": (entry("a", "1, 2"), "a: a measure has quantity, at_least, at_most, name and luck only; got 1"),
    "no measures": (entry("a", ""), "a: measures need distinct names"),
    "no bound": (entry("a", '{quantity = "q"}'), "a: every measure needs at_least, at_most or both"),
    "no quantity": (entry("a", "{at_most = 1}"), "a: a measure has quantity"),
    "misspelt bound": (entry("a", '{quantity = "q", at_least = 0, atmost = 1}'), "a: a measure has quantity.*atmost"),
    "text bound": (entry("a", '{quantity = "q", at_most = "1"}'), "a: bounds must be finite numbers.*got"),
    "bound that always holds": (entry("a", '{quantity = "q", at_most = inf}'), "a: bounds must be finite numbers"),
    "bound that never holds": (entry("a", '{quantity = "q", at_most = nan}'), "a: bounds must be finite numbers"),
    "empty interval": (entry("a", '{quantity = "q", at_least = 2, at_most = 1}'), "at_least <= at_most; got"),
    "equal names": (
        entry("a", '{name = "n", quantity = "q", at_most = 1}, {name = "n", quantity = "r", at_most = 1}'),
        "a: measures need distinct names",
    ),
    "a nameless one of two": (entry("a", f'{ONE}, {{name = "n", quantity = "r", at_most = 1}}'), "distinct names"),
    "a quantity without words": (
        entry("a", "{quantity = 3, at_most = 1}"),
        "a: name and quantity of a measure are text",
    ),
    "a name without letters": (entry("a", '{name = 3, quantity = "q", at_most = 1}'), "a: name and quantity"),
    "luck without a reason": (with_luck("{chance = 1e-6}"), "a: luck has chance and how; got"),
    "luck as a number": (with_luck("1e-6"), "a: luck has chance and how; got 1e-06"),
    "luck with more": (with_luck('{chance = 0, how = "h", seeds = 3}'), "a: luck has chance and how; got"),
    "too much luck": (with_luck('{chance = 1.1e-4, how = "h"}'), "a: chance must be between 0 and 0.0001; got 0.00011"),
    "negative luck": (with_luck('{chance = -1e-9, how = "h"}'), "a: chance must be between 0 and 0.0001; got -1e-09"),
    "no number of luck": (with_luck('{chance = nan, how = "h"}'), "a: chance must be between 0 and 0.0001; got nan"),
    "yes for luck": (with_luck('{chance = false, how = "h"}'), "a: chance must be between 0 and 0.0001; got False"),
    "empty reason for luck": (with_luck('{chance = 0, how = " "}'), "a: how must say in words how .*; got ' '"),
    "a number for a reason": (with_luck("{chance = 0, how = 3}"), "a: how must say in words how .*; got 3"),
    "uses as text": (using("a").replace("[]", '"b"', 1), "a: uses must be a list of claims, each once; got 'b'"),
    "uses of a number": (using("a").replace("[]", "[3]", 1), r"a: uses must be a list of claims, each once; got \[3\]"),
    "uses twice": (using("a", "b", "b") + using("b"), "a: uses must be a list of claims, each once; got"),
    "uses an unknown claim": (using("a", "c", "b"), "claims.toml, a: uses what is no claim: b, c."),
    "uses itself": (using("a", "a"), "claims cannot rest on each other in a circle: a uses a."),
    "a circle": (
        using("a", "b") + using("b", "c") + using("c", "a") + using("d", "a"),
        "in a circle: (a uses b uses c uses a|b uses c uses a uses b|c uses a uses b uses c).",
    ),
    "no TOML": ("[a\n", "Expected"),
    "twice": (entry("a", ONE) * 2, "Cannot declare"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_entry_is_named(tmp_path, name):
    text, message = MALFORMED[name]
    file = tmp_path / "claims.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        claims.load(file)
