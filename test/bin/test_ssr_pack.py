"""Options of commands that pack and export: what is given is taken, what is not stays."""

import argparse
import sys

import pytest
import yaml

from espnet_ssr.bin import ssr_pack
from espnet_ssr.bin.model_options import add_model_options, read_model_options


@pytest.fixture
def read(tmp_path):
    """A function from options to ``ModelFiles``."""
    (tmp_path / "model.pth").touch()
    (tmp_path / "config.yaml").touch()
    described = {"model_file": "model.pth", "config": "config.yaml", "prefix_space": False}
    described |= {"encoder": "tiny", "max_pause": 0.5}
    (tmp_path / "speech_lm.yaml").write_text(yaml.safe_dump(described))

    def read(model, *options):
        parser = argparse.ArgumentParser()
        add_model_options(parser)
        return read_model_options(
            parser.parse_args(["--model_file", str(tmp_path / model), *options])
        )

    return read


def test_all_options(read):
    files = read(
        *("model.pth", "--encoder", "whisper", "--encoder_conf", "model=whisper-base", "layer=3"),
        *("--aligner", "hf_ctc", "--aligner_conf", "model=x", "--align_encoder_conf", "layer=2"),
        *("--prefix_space", "false", "--textless_unit", "token", "--max_pause", "0"),
    )
    assert files.encoder == "whisper"
    assert files.encoder_conf == {"model": "whisper-base", "layer": 3}
    assert (files.aligner, files.aligner_conf) == ("hf_ctc", {"model": "x"})
    assert files.aligner_encoder_conf == {"layer": 2}
    assert (files.prefix_space, files.textless_unit, files.max_pause) == (False, "token", 0)


def test_what_is_not_given_stays(read):
    files = read("model.pth", "--encoder_conf")
    assert (files.encoder, files.encoder_conf, files.prefix_space) == (None, {}, True)
    packed = read(".", "--max_pause", "0.2")
    assert (packed.encoder, packed.prefix_space, packed.max_pause) == ("tiny", False, 0.2)


def test_the_archive_must_be_a_zip_file(monkeypatch, capsys):
    options = ["--model_file", "x", "--output_dir", "y", "--zip", "y.tar"]
    monkeypatch.setattr(sys, "argv", ["ssr_pack", *options])
    with pytest.raises(SystemExit):
        ssr_pack.main()
    assert "--zip y.tar: its name must end in .zip" in capsys.readouterr().err
