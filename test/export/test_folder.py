"""Exported folders: transformers loads them without this package and computes the same."""

import re
import subprocess
import sys

import pytest
import soundfile
import torch
from experiments import HULL, make_sound
from safetensors import safe_open
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from espnet_ssr.export.folder import export_model
from espnet_ssr.export.remote_code import write_remote_code
from espnet_ssr.llm.prompt import Prompt
from espnet_ssr.speech_lm.folder import find_model
from espnet_ssr.speech_lm.load import read_training
from espnet_ssr.task.lm import SSRLMTask
from espnet_ssr.task.trained import load_trained

TINY = {"encoder": "tiny", "encoder_conf": {"output_size": 8}}
FEATURES = ["--input_size", "8"]
SSR = ["--connector", "ssr", "--connector_conf"]
SSR += ["hidden_size=8", "--connector_conf", "num_heads=2", "--connector_conf", "pooling=cross"]
CIF = ["--connector", "cif", "--connector_conf", "hidden_size=8", "--connector_conf", "num_heads=2"]
STACK = ["--connector", "stack", "--connector_conf", "hidden_size=8"]

BATCH = {
    "feats": torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(0)),
    "feats_lengths": torch.tensor([20, 13]),
}
SEGMENTS = {
    "token_end": torch.tensor([[0.1, 0.12, 0.3], [0.05, 0.2, 0.0]]),
    "token_lengths": torch.tensor([3, 2]),
}


@torch.no_grad()
def assert_computes_the_same(exported, files, segments):
    args = read_training(files)
    model, llm = load_trained(args, files.model_file)
    model.eval(), llm.eval()
    expected = model.connect(segments.get("token_end"), segments.get("token_lengths"), **BATCH)
    vectors, lengths = exported.connect(**BATCH, **segments)
    assert torch.equal(lengths, expected.lengths)
    torch.testing.assert_close(vectors, expected.embeds.to(llm.dtype))
    tokenizer = AutoTokenizer.from_pretrained(args.llm)
    found = exported.prompt_embeds("transcribe", vectors[:1, : lengths[0]])
    row = Prompt(tokenizer).around(expected.embeds[0, : lengths[0]], llm)
    torch.testing.assert_close(found[0], row)
    logits = exported(inputs_embeds=found).logits[0]
    torch.testing.assert_close(logits, llm.logits(llm.hidden([row])[0]), atol=1e-4, rtol=0)
    ids = exported.generate(
        inputs_embeds=found,
        attention_mask=torch.ones(found.shape[:2]),
        do_sample=False,
        max_new_tokens=5,
    )
    (written,) = llm.generate([row], [llm.model.config.eos_token_id], 5)
    assert ids[0].tolist()[: len(written)] == written


@pytest.mark.parametrize(
    ("options", "segments"),
    [(SSR, SEGMENTS), ([], SEGMENTS), (CIF, {}), ([*SSR, *HULL], SEGMENTS), ([*CIF, *HULL], {})],
    ids=["ssr", "mean", "cif", "ssr-hull", "cif-hull"],
)
def test_distilled_connectors(options, segments, make_experiment, tmp_path, remote_code):
    files = find_model(make_experiment(*FEATURES, *options), **TINY)
    export_model(files, tmp_path / "exported")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "exported", trust_remote_code=True)
    assert_computes_the_same(loaded.eval(), files, segments)


@pytest.mark.parametrize("finetune", ["lora", "vanilla"])
def test_fine_tuned_models_on_audio(finetune, make_experiment, tmp_path, remote_code):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8", "--finetune", finetune]
    files = find_model(make_experiment(*options, *STACK, task=SSRLMTask))
    export_model(files, tmp_path / "exported")
    export_model(files, tmp_path / "exported")  # once more, in its place
    loaded = AutoModel.from_pretrained(tmp_path / "exported", trust_remote_code=True)
    assert_computes_the_same(loaded.eval(), files, {})


def test_only_the_llm_is_in_bfloat16(make_experiment, tmp_path, remote_code):
    options = [*FEATURES, "--llm_conf", "dtype=bfloat16"]
    files = find_model(make_experiment(*options, *STACK, task=SSRLMTask), **TINY)
    export_model(files, tmp_path / "exported")
    loaded = AutoModel.from_pretrained(tmp_path / "exported", trust_remote_code=True).eval()
    assert loaded.language_model.dtype == torch.bfloat16
    assert loaded.connector.output.weight.dtype == torch.float32
    assert_computes_the_same(loaded, files, {})


@pytest.mark.parametrize("finetune", ["none", "lora", "vanilla"])
def test_a_hull_of_a_fine_tuned_llm(finetune, make_experiment, tmp_path, remote_code):
    options = [*FEATURES, *SSR, *HULL, "--finetune", finetune]
    if finetune != "vanilla":
        options += ["--llm_conf", "dtype=bfloat16"]
    files = find_model(make_experiment(*options, task=SSRLMTask), **TINY)
    export_model(files, tmp_path / "exported")
    loaded = AutoModel.from_pretrained(tmp_path / "exported", trust_remote_code=True).eval()
    expected = torch.float32 if finetune == "vanilla" else torch.bfloat16
    assert loaded.language_model.dtype == expected
    state = loaded.connector.output.state_dict()
    assert not any("networks" in name for name in state)
    assert state.pop("keys.ids").dtype == torch.long
    assert {value.dtype for value in state.values()} == {torch.float32}
    if finetune == "lora":  # merged and rounded: not what adapters compute, but the same vectors
        model, _ = load_trained(read_training(files), files.model_file)
        with torch.no_grad():
            vectors = model.eval().connect(*SEGMENTS.values(), **BATCH).embeds
            found, _ = loaded.connect(**BATCH, **SEGMENTS)
        torch.testing.assert_close(found, vectors.to(expected))
    else:
        assert_computes_the_same(loaded, files, SEGMENTS)


def test_files(make_experiment, tmp_path):
    files = find_model(make_experiment(*FEATURES), **TINY)
    export_model(files, tmp_path / "exported")
    names = {path.name for path in (tmp_path / "exported").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} < names
    code = sorted(name for name in names if name.endswith(".py"))
    assert [name for name in code if name.startswith("connector")] == [
        "connector.py",
        "connector_abs.py",
        "connector_heads.py",
        "connector_keys.py",
        "connector_mean.py",
        "connector_mlp.py",
        "connector_segments.py",
    ]
    assert "encoder_tiny.py" in code
    for name in names - {"model.safetensors"}:
        text = (tmp_path / "exported" / name).read_text()
        assert "from espnet_ssr" not in text
        assert str(tmp_path.parent) not in text
    with safe_open(tmp_path / "exported" / "model.safetensors", "pt") as weights:
        parts = {name.split(".")[0] for name in weights.offset_keys()}
    assert parts == {"connector", "language_model"}


def test_refused(make_experiment, tmp_path):
    files = find_model(make_experiment(*FEATURES))
    with pytest.raises(ValueError, match="extracted features: say of which encoder"):
        export_model(files, tmp_path / "exported")
    with pytest.raises(FileExistsError, match="is there already and no exported model"):
        export_model(files, tmp_path)
    for connector in ("ctc_compress", "ctc_hull"):
        with pytest.raises(ValueError, match=f"{connector} has an aligner inside.*use ssr_pack"):
            write_remote_code(connector, [], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_cards_example_runs_without_this_package(make_experiment, tmp_path):
    files = find_model(make_experiment(*FEATURES, *SSR), **TINY)
    export_model(files, tmp_path / "exported")
    card = (tmp_path / "exported" / "README.md").read_text()
    example = re.search("```python\n(.*?)```", card, re.DOTALL)[1]
    example = example.replace("this folder, or its name on the hub", "exported")
    blocked = "import sys\nsys.modules['espnet_ssr'] = sys.modules['espnet2'] = None\n"
    (tmp_path / "example.py").write_text(blocked + example)
    soundfile.write(tmp_path / "audio.wav", make_sound(1.5, (0.2, 1.1)), 16000)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
