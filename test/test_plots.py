"""Pictures are written whole, as PNG, and show what they were given."""

import warnings

import numpy as np
import pytest
from matplotlib import pyplot

from espnet_ssr.align.alignment import Span
from espnet_ssr.plots import (
    plot_alignment,
    plot_bars,
    plot_error_curves,
    plot_histogram,
    plot_panels,
    plot_scaling,
)

PNG = b"\x89PNG\r\n\x1a\n"
RATE = 16000


@pytest.fixture
def figures(monkeypatch):
    """Figures as they were when they were closed."""
    closed, close = [], pyplot.close
    monkeypatch.setattr(pyplot, "close", lambda figure: (closed.append(figure), close(figure)))
    return closed


def check_png(path):
    """One whole picture, in a folder that was made for it, and nothing else."""
    assert path.read_bytes().startswith(PNG)
    assert pyplot.imread(path).std() > 0
    assert list(path.parent.iterdir()) == [path]
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("speech", [np.random.default_rng(0).normal(size=RATE), np.zeros(RATE)])
def test_alignment(tmp_path, figures, speech):
    # Dollars are no formula: as one, this label would not even parse.
    spans = [Span("oh", 0.1, 0.3), Span("$5_{$", 0.4, 0.9), Span("空", 0.9, 1.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no glyph for the last one; silence is -inf dB
        plot_alignment(tmp_path / "new" / "a.png", speech, RATE, spans, "utt_$1$")
    check_png(tmp_path / "new" / "a.png")
    wave, spectrum = figures[0].axes
    assert [text.get_text() for text in spectrum.texts] == [span.label for span in spans]
    assert [text.get_position()[0] for text in spectrum.texts] == pytest.approx([0.2, 0.65, 0.95])
    assert wave.get_title() == "utt_$1$"
    assert len(wave.patches) == len(spectrum.patches) == len(spans)


def test_alignment_beside_its_reference(tmp_path, figures):
    spans, reference = [Span("oh", 0.1, 0.3)], [Span("oh", 0.15, 0.3), Span("no", 0.5, 0.6)]
    speech = np.random.default_rng(0).normal(size=RATE)
    plot_alignment(tmp_path / "new" / "a.png", speech, RATE, spans, "utt", reference)
    check_png(tmp_path / "new" / "a.png")
    for axis in figures[0].axes:
        drawn = [(p.get_x(), p.get_linestyle()) for p in axis.patches]
        assert drawn == [(0.1, "-"), (0.15, "--"), (0.5, "--")]
        assert len({p.get_edgecolor() for p in axis.patches}) == 2
    assert figures[0].axes[0].get_title() == "utt (dashed: reference)"


def test_pictures_of_long_speech_are_wider(tmp_path, figures):
    for seconds in (2, 20, 60):
        speech = np.random.default_rng(0).normal(size=300 * seconds)
        plot_alignment(tmp_path / "a.png", speech, 300, [], "utt")
    assert [figure.get_figwidth() for figure in figures] == [12, 24, 60]


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.4, 0.4 + 1e-16, 0.7 - 0.3], [1.0, 2.0, 3.0] * 100 + [1e6]]
)
def test_histogram(tmp_path, figures, values):
    plot_histogram(tmp_path / "new" / "a.png", values, "duration (s)")
    check_png(tmp_path / "new" / "a.png")
    axis = figures[0].axes[0]
    assert axis.get_title() == f"n = {len(values)}"
    # Nothing is lost, and one outlier does not squeeze the others into one bar.
    assert sum(bar.get_height() for bar in axis.patches) == len(values)
    if len(values) > 3:
        assert axis.get_xlim()[1] < 10
        assert axis.get_legend().get_texts()[0].get_text() == "median 2"


def test_bars(tmp_path, figures):
    groups = {"ssr": {"cosine": 0.9, "top 1": 0.5}, "mean": {"cosine": 0.25, "top 1": 0.125}}
    plot_bars(tmp_path / "new" / "a.png", groups, "test")
    check_png(tmp_path / "new" / "a.png")
    axis = figures[0].axes[0]
    assert [bar.get_height() for bar in axis.patches] == [0.9, 0.5, 0.25, 0.125]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["cosine", "top 1"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["ssr", "mean"]


def test_low_outliers_do_not_squeeze_the_others(tmp_path, figures):
    plot_histogram(tmp_path / "a.png", [-1.0, -2.0, -3.0] * 100 + [-1e6], "score")
    assert figures[0].axes[0].get_xlim()[0] > -10


def test_error_curves(tmp_path, figures):
    errors = {"hmm": np.array([30.0, 10.0, 20.0, 500.0]), "ctc": np.zeros(0)}
    plot_error_curves(tmp_path / "new" / "a.png", errors, "test: word ends")
    check_png(tmp_path / "new" / "a.png")
    axis = figures[0].axes[0]
    assert axis.lines[0].get_xydata().tolist() == [[10, 0.25], [20, 0.5], [30, 0.75], [500, 1]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["hmm", "ctc"]


def test_panels(tmp_path, figures):
    points = {
        "ssr": [{"rate": 2.0, "nats": 1.0, "size": 4.0}, {"rate": 3.0, "nats": 2.0}],
        "stack": [{"rate": 12.0, "nats": 1.5, "accuracy": 0.5}],
        "not trained": [],
    }
    names = {"x_names": ["rate", "size"], "y_names": ["nats", "accuracy"]}
    levels = {"nats": {"text": 0.25}}
    plot_panels(tmp_path / "new" / "a.png", points, **names, title="test", levels=levels)
    check_png(tmp_path / "new" / "a.png")
    drawn = [[line.get_xydata().tolist() for line in axis.lines] for axis in figures[0].axes]
    level = [[0.0, 0.25], [1.0, 0.25]]
    assert drawn == [
        [[[2, 1], [3, 2]], [[12, 1.5]], [], level],
        [[[4, 1]], [], [], level],  # what lacks a figure is not drawn
        [[], [[12, 0.5]], []],
        [[], [], []],
    ]
    # A row looks alike in all panels, and every row is in the legend.
    assert len({axis.lines[1].get_color() for axis in figures[0].axes}) == 1
    assert [t.get_text() for t in figures[0].axes[1].get_legend().get_texts()] == list(points)


def test_scaling(tmp_path, figures):
    panels = {
        "accuracy": {"hull": [(0.3, 0.5, 0.0), (10, 0.75, 0.125)], "linear": [(1, 0.25, 0.0)]},
        "M": {"hull": [(0.3, 2.0, 0.0)]},
        "gap": {"hull": [(0.3, 9.0, 0.0)]},
        "other gap": {"hull": [(0.3, 9.0, 0.0)]},
        "third gap": {"hull": [(0.3, 9.0, 0.0)]},
    }
    plot_scaling(tmp_path / "new" / "a.png", panels, {"gap": {"cascade": 8.0}}, "test")
    check_png(tmp_path / "new" / "a.png")
    axes = figures[0].axes
    assert [axis.get_ylabel() for axis in axes[:5]] == list(panels)
    first = axes[0].containers
    assert [list(c.lines[0].get_xdata()) for c in first] == [[0.3, 10], [1]]
    assert [t.get_text() for t in axes[0].get_xticklabels()] == ["0.3", "1", "10"]
    assert axes[2].lines[-1].get_ydata() == [8, 8]
    assert not axes[5].axison
    labels = [text.get_text() for text in axes[2].get_legend().get_texts()]
    assert labels == ["hull", "linear", "cascade"]


def test_failed_write_leaves_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    plot_histogram(path, [1.0], "x")
    before = path.read_bytes()

    def broken(figure, file, **options):
        raise OSError("no space left")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken)
    with pytest.raises(OSError, match="no space left"):
        plot_histogram(path, [1.0, 2.0], "x")
    assert path.read_bytes() == before
    pyplot.close("all")
