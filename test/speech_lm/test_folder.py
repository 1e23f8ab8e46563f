"""Finding, loading and packing models: experiments, packed folders, the hub; what is refused."""

import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from experiments import save_ctc_aligner

from espnet_ssr import SpeechLM
from espnet_ssr.align.labels import TokenLabels
from espnet_ssr.speech_lm import find_model, pack
from espnet_ssr.speech_lm.load import as_dtype
from espnet_ssr.task.lm import SSRLMTask

RAW = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]


@pytest.fixture(scope="module")
def wav(sound):
    return sound(1.2, (0.2, 0.4), (0.6, 1.0))


def outputs(lm, wav, text="hi hi"):
    """What must be the same of the same model."""
    vectors = lm.embed(wav, text)
    prompt = lm.prompts["transcribe"]
    return vectors.tolist(), lm.generate(prompt, [wav], max_tokens=8), lm.prompts


def test_importing_the_package_is_cheap():
    code = (
        "import sys, espnet_ssr\n"
        "assert not {'torch', 'numpy', 'transformers'} & set(sys.modules)\n"
        "try: espnet_ssr.Speechlm\n"
        "except AttributeError as error: assert 'Speechlm' in str(error)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_packed_folder_gives_the_same(on_features, encoder, ctc_checkpoint, wav, tmp_path):
    prompts = {"transcribe": "Say:<speech> é:<text>"}
    lm = SpeechLM.from_pretrained(
        on_features, aligner=ctc_checkpoint, prompts=prompts, prefix_space=False, **encoder
    )
    pack(lm.files, tmp_path / "packed")
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "packed", moved)
    assert sorted(str(p.relative_to(moved)) for p in moved.rglob("*") if p.is_file()) == [
        "aligner/config.yaml",
        "aligner/labels.json",
        "aligner/model.pth",
        "config.yaml",
        "model.pth",
        "speech_lm.yaml",
    ]
    again = SpeechLM.from_pretrained(moved)
    assert outputs(again, wav) == outputs(lm, wav)
    assert again.segment(wav) == lm.segment(wav)
    # A packed folder can be packed again, onto itself too.
    pack(again.files, moved)
    assert outputs(SpeechLM.from_pretrained(str(moved)), wav) == outputs(lm, wav)


def test_what_is_given_comes_before_what_is_packed(on_features, encoder, tmp_path, beep_aligner):
    pack(find_model(on_features, **encoder), tmp_path / "packed")
    lm = SpeechLM.from_pretrained(tmp_path / "packed", aligner=beep_aligner, prefix_space=False)
    assert lm.files.prefix_space is False
    assert lm.files.encoder_conf == {"output_size": 8}
    with pytest.raises(ValueError, match="unknown option prefixspace; ModelFiles takes"):
        SpeechLM.from_pretrained(tmp_path / "packed", prefixspace=False)


def test_packing_is_whole_or_not_at_all(on_features, encoder, ctc_checkpoint, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    files = find_model(on_features, **encoder)
    with pytest.raises(FileExistsError, match="data is there already and no packed model"):
        pack(files, tmp_path / "data")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        pack(find_model(on_features, aligner="nowhere.pth", **encoder), tmp_path / "packed")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    pack(files, tmp_path / "packed")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        pack(find_model(on_features, aligner="nowhere.pth", **encoder), tmp_path / "packed")
    SpeechLM.from_pretrained(tmp_path / "packed")


@pytest.mark.parametrize("connector", ["ctc_compress", "ctc_hull"])
def test_the_aligner_inside_a_connector_is_packed(
    make_experiment, connector, causal_lm, wav, tmp_path
):
    (tmp_path / "aligner").mkdir()
    labels = TokenLabels.build(["hi jk"], causal_lm)
    aligner = save_ctc_aligner(tmp_path / "aligner", labels)
    options = ["--connector", connector, "--connector_conf", f"aligner={aligner}"]
    checkpoint = make_experiment(*RAW, *options, task=SSRLMTask)
    lm = SpeechLM.from_pretrained(checkpoint)
    pack(lm.files, tmp_path / "packed")
    config = tmp_path / "packed" / "config.yaml"
    config.write_text(config.read_text().replace(aligner, "/gone.pth"))
    assert outputs(SpeechLM.from_pretrained(tmp_path / "packed"), wav) == outputs(lm, wav)


def test_a_model_of_the_hub(on_features, encoder, tmp_path, monkeypatch, beep_aligner):
    pack(find_model(on_features, **encoder), tmp_path / "packed")
    asked = []

    def fetch(name):
        asked.append(name)
        return str(tmp_path / "packed")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    lm = SpeechLM.from_pretrained("somebody/ssr", aligner=beep_aligner)
    assert asked == ["somebody/ssr"]
    assert lm.files.model_file == tmp_path / "packed" / "model.pth"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "no model 'nothing': no checkpoint"),
        ("./no/thing", "no checkpoint"),
        ("{folder}", r"no speech_lm\.yaml, so it is no packed model"),
        ("{folder}/model.pth", r"no file .*config\.yaml"),
    ],
)
def test_models_that_are_not_there(name, message, on_features, tmp_path):
    shutil.copy(on_features, tmp_path / "model.pth")
    with pytest.raises(FileNotFoundError, match=message):
        SpeechLM.from_pretrained(name.format(folder=tmp_path))


def test_the_encoder_must_be_known_once_and_be_the_right_one(on_features, make_experiment, encoder):
    with pytest.raises(ValueError, match="extracted features: say of which encoder"):
        SpeechLM.from_pretrained(on_features)
    with pytest.raises(ValueError, match="7 numbers a frame .* trained on 8 at 50 Hz"):
        SpeechLM.from_pretrained(on_features, encoder="tiny", encoder_conf={"output_size": 7})
    with pytest.raises(ValueError, match="unknown encoder 'wisper': choose from"):
        SpeechLM.from_pretrained(on_features, encoder="wisper")
    with pytest.raises(ValueError, match=r"encoder: .*config\.yaml says it already: tiny"):
        SpeechLM.from_pretrained(make_experiment(*RAW), **encoder)


@pytest.mark.parametrize("finetune", ["none", "vanilla", "lora"])
def test_fine_tuned_models(finetune, make_experiment, wav, beep_aligner, tmp_path):
    options = ["--finetune", finetune, "--prompts", "ask=What? <speech> So:<text>"]
    options += ["--tasks", "ask=1"]
    if finetune == "lora":
        options += ["--lora_conf", "rank=2"]
    if finetune == "vanilla":  # with a teacher, which is not needed any more
        options += ["--model_conf", 'losses={"kl":1}']
    checkpoint = make_experiment(*RAW, *options, task=SSRLMTask)
    lm = SpeechLM.from_pretrained(checkpoint, aligner=beep_aligner)
    assert lm.prompts["ask"] == "What? <speech> So:"
    assert lm.listener.model.teacher is None
    state = torch.load(checkpoint, weights_only=True)
    loaded = dict(lm.listener.model.named_parameters())
    assert any(name.startswith("llm.") for name in state) == (finetune != "none")
    assert all(torch.equal(loaded[name], value) for name, value in state.items() if name in loaded)
    assert not any(p.requires_grad for p in lm.llm.parameters())
    pack(lm.files, tmp_path / "packed")
    again = SpeechLM.from_pretrained(tmp_path / "packed", aligner=beep_aligner)
    assert outputs(again, wav) == outputs(lm, wav)
    assert again.score("a", "bc").log_likelihood == lm.score("a", "bc").log_likelihood


def test_dtype_is_the_llms(make_experiment, beep_aligner, wav):
    checkpoint = make_experiment(*RAW, "--finetune", "lora", task=SSRLMTask)
    lm = SpeechLM.from_pretrained(checkpoint, dtype="bfloat16", aligner=beep_aligner)
    assert {p.dtype for p in lm.llm.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in lm.listener.model.connector.parameters()} == {torch.float32}
    assert lm.embed(wav).dtype == torch.float32
    assert lm.score(["a", wav], "b").per_token.dtype == torch.float32
    assert isinstance(lm.generate("a<speech>", [wav], max_tokens=3), str)
    assert as_dtype(torch.float16) == torch.float16
    with pytest.raises(ValueError, match="dtype: float32, bfloat16 or float16, not 'int8'"):
        as_dtype("int8")


def test_an_aligner_by_its_name_has_options(on_features, encoder):
    options = {"aligner": "trained", "aligner_conf": {"modle": "x.pth"}, **encoder}
    with pytest.raises(ValueError, match="aligner_conf: unknown option modle"):
        SpeechLM.from_pretrained(on_features, **options)


def test_another_llm_may_be_named(on_features, encoder, causal_lm, tmp_path):
    shutil.copytree(causal_lm, tmp_path / "llm")
    files = find_model(on_features, llm=str(tmp_path / "llm"), **encoder)
    pack(files, tmp_path / "packed")
    described = yaml.safe_load((tmp_path / "packed" / "speech_lm.yaml").read_text())
    assert described["llm"] == str(tmp_path / "llm")
    SpeechLM.from_pretrained(tmp_path / "packed")
