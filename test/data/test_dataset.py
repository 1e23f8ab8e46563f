"""Utterances are what ESPnet's dataset gives; damaged ones are left out and named."""

import kaldiio
import numpy as np
import pytest
import soundfile
from espnet2.train.dataset import ESPnetDataset

from espnet_ssr.data.dataset import Batch, TableDataset
from espnet_ssr.data.shapes import read_shapes

NAMES = ("a", "b", "c", "d")
FILES = [
    ("feats.scp", "feats", "kaldi_ark"),
    ("wav.scp", "speech", "sound"),
    ("token_id", "token_id", "text_int"),
    ("token_end", "token_end", "text_float"),
]


def check(utt_id, data):
    if not np.isfinite(data["feats"]).all():
        raise ValueError(f"{utt_id}: feats has NaN")
    return {**data, "drawn": np.random.random(2)}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    feats = {name: rng.normal(size=(5 + i, 3)).astype("float32") for i, name in enumerate(NAMES)}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    tables = {"wav.scp": [], "token_id": [], "token_end": [], "shape": []}
    for name, suffix in zip(NAMES, ("wav", "flac", "wav", "flac"), strict=True):
        path = tmp_path / f"{name}.{suffix}"
        soundfile.write(path, rng.uniform(-1, 1, 2000), 16000, subtype="PCM_16")
        tables["wav.scp"].append(f"{name} {path}\n")
        tables["token_id"].append(f"{name} 5 7\n")
        tables["token_end"].append(f"{name} 0.04 0.1\n")
        tables["shape"].append(f"{name} {len(feats[name])},3\n")
    for name, lines in tables.items():
        (tmp_path / name).write_text("".join(lines))
    return tmp_path


def build(folder, files=FILES, **options):
    files = [(str(folder / path), name, kind) for path, name, kind in files]
    shapes = read_shapes(folder / "shape")
    return TableDataset(files, shapes, options.pop("preprocess", check), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_espnet_gives(folder, dtype):
    files = [(str(folder / path), name, kind) for path, name, kind in FILES]
    expected = ESPnetDataset(files, preprocess=check, float_dtype=dtype)
    found = build(folder, float_dtype=dtype)
    assert found.names() == expected.names()
    assert found.has_name("feats")
    assert not found.has_name("pause")
    for row, name in enumerate(NAMES):
        np.random.seed(1)
        utt_id, data = found[row]
        np.random.seed(1)
        assert utt_id == name
        _, wanted = expected[name]
        assert data.keys() == wanted.keys()
        for key, value in wanted.items():
            assert data[key].dtype == value.dtype
            np.testing.assert_array_equal(data[key], value)
            assert data[key].flags.writeable


def test_what_is_drawn_depends_on_the_batch_alone(folder):
    dataset = build(folder)
    first = dataset.__getitems__(Batch([0, 1], [], (1, 2)))
    dataset.__getitems__(Batch([2], [], (1, 3)))
    again = dataset.__getitems__(Batch([0, 1], [], (1, 2)))
    other = dataset.__getitems__(Batch([0, 1], [], (1, 3)))
    drawn = [[data["drawn"].tolist() for _, data in found.read] for found in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def cut(path):
    path.write_bytes(path.read_bytes()[:-1500])


def drop_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def two_channels(path):
    soundfile.write(path, np.zeros((100, 2)), 16000)


def nan(path):
    content = path.read_bytes()
    place = content.index(b"FM ") + 13  # and the numbers of rows and columns
    path.write_bytes(content[:place] + np.float32("nan").tobytes() + content[place + 4 :])


DAMAGES = {
    "truncated wav": ("a.wav", cut, {"a": "truncated_audio"}),
    "truncated flac": ("b.flac", cut, {"b": None}),
    "garbage": ("c.wav", lambda path: path.write_bytes(b"x" * 99), {"c": "unreadable_audio"}),
    "empty": ("d.flac", lambda path: path.write_bytes(b""), {"d": "unreadable_audio"}),
    "missing": ("a.wav", lambda path: path.unlink(), {"a": "unreadable_audio"}),
    "stereo": ("a.wav", two_channels, {"a": "not_mono"}),
    "truncated ark": (
        "feats.ark",
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        {"d": "unreadable_features"},
    ),
    "no ark": ("feats.ark", lambda path: path.unlink(), dict.fromkeys("abcd")),
    "NaN": ("feats.ark", nan, {"a": "bad_example"}),
    "no line": ("token_id", drop_line, {"a": "no_line"}),
    "no number": (
        "token_id",
        lambda path: path.write_text(path.read_text().replace("b 5", "b x")),
        {"b": "bad_example"},
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_left_out(folder, damage):
    file, spoil, expected = DAMAGES[damage]
    spoil(folder / file)
    dataset = build(folder)
    batch = Batch([0, 1, 2, 3], [], (1,))
    if len(expected) == len(NAMES):
        with pytest.raises(RuntimeError, match="none of 4 utterances can be read; the first is a"):
            dataset.__getitems__(batch)
        return
    found = dataset.__getitems__(batch)
    assert {skipped.utt_id for skipped in found.skipped} == expected.keys()
    assert [name for name, _ in found.read] == [n for n in NAMES if n not in expected]
    for utt_id, cause, details in found.skipped:
        assert cause == expected[utt_id] or expected[utt_id] is None
        assert details


def test_another_takes_the_place_of_a_batch_that_is_damaged(folder):
    (folder / "a.wav").unlink()
    (folder / "c.wav").unlink()
    found = build(folder).__getitems__(Batch([0], [2, 1, 3], (1,)))
    assert [name for name, _ in found.read] == ["b"]
    assert [skipped.utt_id for skipped in found.skipped] == ["a", "c"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("token_id", "token_id", "csv_int")], "token_id,token_id,csv_int: the type must be one"),
        ([FILES[2], FILES[2]], "there is another file for token_id"),
    ],
)
def test_files_that_are_refused(folder, files, message):
    with pytest.raises(ValueError, match=message):
        build(folder, files)
