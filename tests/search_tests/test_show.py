"""`actsearch show`: everything that is known, and a picture that stays readable."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from primitives import ActsearchError, monotone_activations, parse
from primitives.analysis import analyse
from primitives.equivalence.canonical import canonical
from primitives.equivalence.kinds import kind_in_words
from search.commands.cli import main
from search.export.plot import draw, figure, picture
from search.report.pictures.curve import curve_picture
from search.terminal.card import card
from search.terminal.inspection import describe
from search.terminal.inspection_codec import description_to_json


def show(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["actsearch", "show", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_json_has_the_whole_analysis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(monkeypatch, "gelu(x)", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    gaussian, shape = analyse(parse("gelu(x)")).gaussian, analyse(parse("gelu(x)")).shape
    assert gaussian is not None
    assert shape is not None
    assert found["analysis"]["gaussian"]["chi"] == gaussian.chi
    assert found["analysis"]["shape"]["low"] == shape.low
    assert [point["bias_std"] for point in found["edge_of_chaos"]] == [0.05, 0.2, 0.5]
    assert found["half_stable"]["variance"] == pytest.approx(3.5616, abs=1e-4)


def test_proofs_are_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for text, said in {
        "exp(beta)*x; beta=1": ("proved increasing, for all values of beta", "proved affine"),
        "beta*x; beta=1": ("refuted, over all values of beta", "f(-8) = 8 > f(8) = -8 at beta = -1"),
        "x*sigmoid(x)": ("refuted", "not increasing", "f(-1.28125) = -0.278463699 < f(8) = 7.9973172"),
        "relu(x)*relu(x)": ("proved increasing", "proved convex", "proved from 0"),
        "log(x)": ("unknown: log(x) is not proved to have a value for every x",),
    }.items():
        assert show(monkeypatch, text) == 0
        printed = capsys.readouterr().out
        assert all(part in printed for part in said), printed
    assert show(monkeypatch, "beta*x; beta=1", "--json") == 0
    proof = json.loads(capsys.readouterr().out)["proof"]
    assert (proof["verdict"], proof["proved"], proof["falls"]["parameters"]) == ("refuted", "", {"beta": -1.0})


def test_monotone_prints_three_expressions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = monotone_activations(parse("elu(x)"))
    monkeypatch.setattr(sys, "argv", ["actsearch", "monotone", "elu(x)"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert not end.value.code
    assert printed == [["convex", made.convex.text], ["concave", made.concave.text], ["bounded", made.bounded.text]]
    monkeypatch.setattr(sys, "argv", ["actsearch", "monotone", "tanh(x)", "--json"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "it is not proved convex" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["gelu(x)", "relu(x)", "x*sigmoid(b*x); b=1:channel", "log(x)", "1/x", "3", "exp(exp(x))", "paired(sign(x),x)"],
)
def test_the_card_leaves_nothing_out(text: str) -> None:
    found = describe(parse(text))
    groups = dict(card(found))
    assert list(groups) == ["function", "shape", "proved", "normal inputs z", "edge of chaos", "screens", "classes"]
    for part, heading in (("gaussian", "normal inputs z"), ("shape", "shape")):
        features = json.loads(json.dumps(description_to_json(found)))["analysis"][part]
        if features:
            lines = len(groups[heading]) + 1 if part == "shape" else len(groups[heading])  # both bounds in one line
            assert lines == len(features), heading
    assert all(text for lines in groups.values() for _, text in lines[1:])


def test_a_pair_and_a_parameter_per_network_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "paired(relu(x),relu(x+b)); b=0.05:network"
    assert show(monkeypatch, text) == 0
    out = capsys.readouterr().out
    assert "b = 0.05 per network" in out
    assert "by a derivative of its own" in out
    assert show(monkeypatch, "paired(relu(x),relu(x+0.05))", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["known"]["name"] == "HeLU"
    assert found["analysis"]["shape"] == json.loads(json.dumps(asdict(analyse(parse("relu(x)")))))["shape"]


LAYER, GATE, PLACES = "x/rms_c(x)", "silu(x)*z", "layers(sin(10*x),x/rms_c(x),relu(x))"


@pytest.mark.parametrize("text", [LAYER, GATE, PLACES, "paired(relu(x),relu(x+0.1))*z", "layers(x/rms_c(x),x*z)"])
def test_every_kind_is_said(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(monkeypatch, text) == 0
    out = capsys.readouterr().out
    for part in (text, kind_in_words(parse(text)), "cost, in ReLUs", "complexity", "screen", "exact"):
        assert part in out
    assert show(monkeypatch, text, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    form = canonical(parse(text))
    assert (found["kind"], found["canonical"]) == (kind_in_words(form), form.text)
    assert found["inputs"] == sorted(form.inputs)
    assert found["axes"] == "ncp"
    assert found["analysis"] is None
    assert [part["expression"] for part in found["parts"]] == [
        part.text for part in parse(text).parts if len(parse(text).parts) > 1
    ]


def test_one_function_per_place_is_profiled_part_by_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(monkeypatch, PLACES, "--json") == 0
    parts = json.loads(capsys.readouterr().out)["parts"]
    for part, text in zip(parts, ("sin(10*x)", None, "relu(x)"), strict=True):
        assert part["analysis"] == (text and json.loads(json.dumps(asdict(analyse(parse(text))))))
    assert parts[2]["known"]["name"] == "ReLU"
    headings = [heading for heading, _ in card(describe(parse(PLACES)))]
    assert "shape, function 1 of 3" in headings
    assert "analysis, function 2 of 3" in headings


def test_a_gate_has_a_curve_for_each_z(tmp_path: Path) -> None:
    value, slope = figure(parse(GATE)).axes
    x = torch.linspace(-5.0, 5.0, 4000, dtype=torch.float64)
    labels = [text.get_text() for text in figure(parse(GATE)).legends[0].get_texts()]
    for z, label, of_value, of_slope in zip((-1, 0.5, 1, 2), labels, value.lines[-4:], slope.lines[-4:], strict=False):
        assert label == f"$z = {z:g}$"
        leaf = x.clone().requires_grad_()
        expected = z * torch.nn.functional.silu(leaf)
        expected.sum().backward()
        low, high = value.get_ylim()
        seen = expected.detach().clamp(low - 9 * (high - low), high + 9 * (high - low))
        np.testing.assert_allclose(np.asarray(of_value.get_ydata()), seen.numpy(), atol=1e-12)
        assert leaf.grad is not None
        np.testing.assert_allclose(np.asarray(of_slope.get_ydata()), leaf.grad.numpy(), atol=1e-12)
    draw(parse(GATE), tmp_path / "gate.png")


def test_each_function_of_a_network_has_its_picture(tmp_path: Path) -> None:
    made = figure(parse(PLACES))
    assert len(made.axes) == 6
    assert "no picture" in made.axes[2].texts[0].get_text()
    draw(parse(PLACES), tmp_path / "places.svg")


def test_a_layer_with_statistics_has_no_picture_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(monkeypatch, LAYER, "--plot", str(tmp_path / "x.svg")) != 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "it is a layer with statistics, and an output depends on more than one number" in captured.err
    assert list(tmp_path.iterdir()) == []
    assert b"svg" in picture(parse(LAYER), ".svg")


def test_the_report_has_a_picture_of_every_kind() -> None:
    assert curve_picture(parse("relu(x)")).count("<path") == 4
    gate = curve_picture(parse(GATE))
    assert gate.count('class="value"') == gate.count('class="slope"') == 4
    assert "z = −1, 0.5, 1, 2" in gate
    assert "a layer with statistics" in curve_picture(parse(LAYER))
    places = curve_picture(parse(PLACES))
    assert places.count("<svg class") == 2
    assert "2 of 3: x/rms_c(x)" in places


def test_text_has_headings_and_numbers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(monkeypatch, "relu(x)") == 0
    out = capsys.readouterr().out
    for part in ("normal inputs z", "edge of chaos", "ReLU (equal)", "1.41421", "non-decreasing", "C0", "float16"):
        assert part in out


@pytest.mark.parametrize("name", ["picture.svg", "picture.png"])
def test_plot_writes_one_file_and_always_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    assert show(monkeypatch, "silu(x)", "--plot", str(path)) == 0
    assert "SiLU" in capsys.readouterr().out
    first = path.read_bytes()
    if name.endswith("svg"):
        assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    else:
        assert first.startswith(b"\x89PNG\r\n\x1a\n")
    draw(parse("silu(x)"), path)
    assert path.read_bytes() == first
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("picture.jpg", ["picture.jpg", ".svg or .png"]),
        ("picture.sgv", ["did you mean '.svg'?"]),
        ("picture", [".svg or .png"]),
        ("nowhere/picture.svg", ["does not exist", "nowhere"]),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_printed(
    name: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert show(monkeypatch, "silu(x)", "--plot", name) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    for part in expected:
        assert part in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_drawing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.svg"
    draw(parse("relu(x)"), path)
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        draw(parse("tanh(x)"), path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["picture.svg"]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("gelu(x)", (-1, 0), (5, 6)),
        ("relu(x)", (-1, 0), (5, 6)),
        ("sin(10*x)", (-1.2, -1), (1, 1.2)),
        ("exp(x)", (-2, 0), (7.4, 20)),
        ("x**3", (-30, -8), (8, 30)),
        ("1/x", (-20, -2), (2, 20)),
        ("exp(exp(x))", (-100, 2), (100, 1e4)),
        ("1e200*x**9", (-1e204, 0), (0, 1e204)),
        ("exp(-1/x**2)", (-1, 0.1), (0.8, 2)),
        ("log(x)", (-10, -2), (1.6, 3)),
        ("log(-1-x*x)", (-2, 0), (0, 2)),
        ("2", (0, 2), (2, 4)),
    ],
)
def test_limits_stay_sensible(text: str, low: tuple[float, float], high: tuple[float, float], tmp_path: Path) -> None:
    value, slope = figure(parse(text)).axes
    bottom, top = value.get_ylim()
    assert low[0] <= bottom <= low[1]
    assert high[0] <= top <= high[1]
    assert slope.get_ylim()[0] < slope.get_ylim()[1]
    draw(parse(text), tmp_path / "picture.png")  # warnings are errors


def test_jumps_are_gaps_and_the_bands_hold_their_mass() -> None:
    value, _ = figure(parse("floor(x)+sin(20*x)")).axes
    y = np.asarray(value.lines[-1].get_ydata())
    assert 8 <= sum(bool(v != v) for v in y) <= 10  # nine steps
    widths = sorted(patch.get_width() for patch in value.patches if isinstance(patch, Rectangle))
    assert widths == pytest.approx([2 * 0.994458, 2 * 1.959964])


def test_suffix_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(ActsearchError, match=r"\.svg or \.png"):
        draw(parse("x"), tmp_path / "x.pdf")
