"""Training of aligners: shipped configurations build, a tiny training ends in an aligner."""

from pathlib import Path

import kaldiio
import numpy as np
import pytest
import yaml

from espnet_ssr.align.abs import AlignUtterance
from espnet_ssr.align.labels import load_labels
from espnet_ssr.align.trained import NETWORKS, load_trained_aligner
from espnet_ssr.datadir import read_keyed, write_keyed
from espnet_ssr.task.align import SSRAlignTask

RECIPES = Path(__file__).resolve().parents[2] / "egs2"
CONFIGS = sorted({path.resolve() for path in RECIPES.glob("*/*/conf/tuning/align*.yaml")})
TEXTS = {
    f"u{i}": text for i, text in enumerate(["ab c", "b", "c a", "abc", "", "abcabcabc abcabc"])
}


@pytest.fixture
def data(tmp_path):
    """``text``, features of width 3 and ``utt2num_frames``; nothing of ``u3``."""
    generator = np.random.default_rng(0)
    write_keyed(tmp_path / "text", TEXTS)
    feats = {u: generator.normal(size=(12, 3)).astype(np.float32) for u in TEXTS if u != "u3"}
    kaldiio.save_ark(str(tmp_path / "feats.ark"), feats, scp=str(tmp_path / "feats.scp"))
    write_keyed(tmp_path / "utt2num_frames", dict.fromkeys(feats, "12"))
    return tmp_path


def command(data, name="ctc", **options):
    given = {
        "output_dir": data / "exp", "input_size": 3, "frame_rate": 25, "aligner": name,
        "aligner_conf": "{hidden_size: 8}", "max_epoch": 1, "batch_type": "numel",
        "batch_bins": 40, "num_workers": 0, "num_att_plot": 0, "keep_nbest_models": 1,
        "use_tensorboard": "false", "use_matplotlib": "false", "optim": "adam", "ngpu": 0,
        "resume": "true", "log_level": "ERROR", **options,
    }  # fmt: skip
    found = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    for part in ("train", "valid"):
        for name, kind in (("text", "text"), ("feats.scp", "kaldi_ark")):
            triple = f"{data / name},{name.removesuffix('.scp')},{kind}"
            found += [f"--{part}_data_path_and_name_and_type", triple]
    return found


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_training_ends_in_an_aligner(data, name):
    options = {"labels_conf": "{outer_delimiters: true}"} if name == "unity2" else {}
    SSRAlignTask.main(cmd=command(data, name, **options))
    folder = data / "exp"
    labels = load_labels(folder / "labels.json")
    assert labels.names == ["<blank>", " ", "a", "b", "c"]
    for part in ("train", "valid"):
        assert read_keyed(folder / f"{part}_shape") == dict.fromkeys(("u0", "u1", "u2"), "12")
        assert read_keyed(folder / f"{part}_skipped") == {
            "u3": "no_features", "u4": "no_label", "u5": "too_short",
        }  # fmt: skip
    aligner = load_trained_aligner(str(folder / "valid.loss.best.pth"))
    speech = kaldiio.load_scp(str(data / "feats.scp"))["u0"]
    (levels,) = aligner.align_batch([AlignUtterance("u0", speech, "ab c")])
    assert [span.label for span in levels["word"].spans] == ["ab", "c"]
    assert levels["word"].spans[-1].end <= 12 / 25
    # Going on with other transcripts would give the labels other numbers.
    write_keyed(data / "text", {**TEXTS, "u4": "x"})
    with pytest.raises(ValueError, match=r"cannot resume: .*labels\.json"):
        SSRAlignTask.main(cmd=command(data, name, **options))
    assert load_labels(folder / "labels.json").names == labels.names


def parse(*options):
    return SSRAlignTask.get_parser().parse_args(["--input_size", "8", *options])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configuration_builds_a_model(config, tmp_path, installed_model):
    written = yaml.safe_load(config.read_text(encoding="utf-8"))
    if llm := written.get("labels_conf", {}).get("llm"):
        written["labels_conf"]["llm"] = installed_model(llm)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(written))
    write_keyed(tmp_path / "text", {"u": "press one for the sales department", "v": "thank you"})
    write_keyed(tmp_path / "utt2num_frames", {"u": "100", "v": "90"})
    args = parse("--config", str(tmp_path / "config.yaml"), "--output_dir", str(tmp_path))
    files = [(str(tmp_path / n), n.removesuffix(".scp"), "") for n in ("text", "feats.scp")]
    args.train_data_path_and_name_and_type = args.valid_data_path_and_name_and_type = files
    SSRAlignTask.prepare_training(args)
    model = SSRAlignTask.build_model(args)
    assert type(model.network) is NETWORKS[written["aligner"]]
    optimizers = SSRAlignTask.build_optimizers(args, model)
    assert optimizers[0].param_groups[0]["lr"] == written["optim_conf"]["lr"]


def test_unknown_options_are_refused_by_name(data):
    with pytest.raises(ValueError, match="labels_conf: unknown option vocab_size; .* takes"):
        SSRAlignTask.main(cmd=command(data, labels_conf="vocab_size=3"))
    with pytest.raises(ValueError, match="aligner_conf: unknown option hiden_size; .* takes"):
        SSRAlignTask.main(cmd=command(data, aligner_conf="hiden_size=3"))


def test_data_that_is_not_given_is_named(data):
    given = [part for part in command(data) if not part.endswith(",text,text")]
    given = [
        part
        for part, following in zip(given, [*given[1:], ""], strict=True)
        if not (part.endswith("_type") and following.startswith("--"))
    ]
    with pytest.raises(ValueError, match="no text among the data"):
        SSRAlignTask.main(cmd=given)


def test_data_names():
    assert SSRAlignTask.required_data_names() == ("feats", "text")
    assert SSRAlignTask.optional_data_names() == ()
