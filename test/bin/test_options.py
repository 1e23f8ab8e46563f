"""Options that several commands share."""

import sys

import pytest

from espnet_ssr.bin.options import make_inference_parser, parse_inference


@pytest.mark.parametrize("written", ["{sharpness: 2, top_k: 5}", "[sharpness=2, top_k=5]", None])
def test_options_of_a_head_in_a_file_or_on_the_command_line(monkeypatch, tmp_path, written):
    (tmp_path / "decode.yaml").write_text(f"head_conf: {written}\n" if written else "device: cpu\n")
    options = [] if written else ["--head_conf", "sharpness=2", "top_k=5"]
    given = ["--model_file", "m", "--reference", "r", "--feats_scp", "f", "--output_dir", "o"]
    config = ["--config", str(tmp_path / "decode.yaml")]
    monkeypatch.setattr(sys, "argv", ["inference", *given, *config, *options])
    args = parse_inference(make_inference_parser("Made up."))
    assert args.head_conf == {"sharpness": 2, "top_k": 5}
