"""A fine-tuned model of a recipe, with a tiny LLM: text ability before and after, and packed in
every way, of which all write the same after every test utterance."""

import json

import kaldiio
import pytest
import torch
from espnet2.main_funcs.pack_funcs import unpack
from mini_recipe import ENCODER, FEATS
from transformers import AutoModel

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.datadir import read_keyed

pytestmark = pytest.mark.slow

MODEL = "exp/finetune_lora_tiny"
TOKENS = 16
PAIRS = {
    "agreement": [("The cats sleep.", "The cats sleeps."), ("She sings.", "She sing.")],
    "reflexives": [("He saw himself.", "He saw herself."), ("I wash myself.", "I wash himself.")],
}
TRAINING = "--max_epoch 1 --batch_type unsorted --batch_size 8 --num_workers 0"
# Of two updates, so that adapters are not next to nothing.
TRAINING += " --optim_conf lr=0.01 --scheduler_conf warmup_steps=1"


def write_blimp(folder):
    """Pairs as those of BLiMP, a file a paradigm."""
    folder.mkdir()
    for paradigm, pairs in PAIRS.items():
        rows = [{"sentence_good": good, "sentence_bad": bad} for good, bad in pairs]
        lines = [json.dumps({**row, "UID": paradigm, "field": "syntax"}) for row in rows]
        (folder / f"{paradigm}.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def tuned(recipe, causal_lm):
    """A recipe after fine-tuning, measuring, packing and a dry run of the upload, its options and
    what was printed."""
    recipe = recipe.clone()
    write_blimp(recipe / "blimp")
    (recipe / "held_out.txt").write_text("The sun is up.\nNobody sleeps at noon.\n")
    options = ["--llm", causal_lm, "--distill_tag", "tiny", "--finetune", "lora"]
    options += ["--lm_tag", "tiny", "--lm_args", TRAINING]
    options += ["--retention_text", "held_out.txt", "--blimp", "blimp"]
    options += ["--skip_packing", "false", "--pack_transformers", "true"]
    options += ["--skip_upload", "false", "--hf_repo", "somebody/ssr"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield recipe, options, recipe.run(*options).must_succeed()


def test_text_ability_before_and_after(tuned):
    recipe = tuned[0]
    result = json.loads((recipe / MODEL / "decode_retention/text/result.json").read_text())
    assert result["documents"] == 2
    assert result["paradigms"].keys() == PAIRS.keys()
    before, after = (result["retention"][name]["perplexity"] for name in ("before", "after"))
    assert before != after
    table = (recipe / "exp/RESULTS.md").read_text()
    assert "### text, without speech" in table
    (row,) = (line for line in table.splitlines() if line.startswith("| original LLM "))
    assert f"{before:.2f}" in row


def test_every_utterance_has_the_same_text(tuned, installed_model, monkeypatch, tmp_path):
    recipe = tuned[0]
    packed = recipe / MODEL / "packed"
    monkeypatch.setenv("SSR_MODELS", installed_model(ENCODER).removesuffix(f"/{ENCODER}"))
    texts = read_keyed(recipe / "dump/test/text")
    wavs = read_keyed(recipe / "dump/test/wav.scp")
    speech = [Speech(recipe / wav, text=texts[utt_id]) for utt_id, wav in wavs.items()]

    def transcribe(model, **options):
        lm = SpeechLM.from_pretrained(model, **options)
        prompts = [lm.prompts["transcribe"]] * len(speech)
        each = [[s] for s in speech]
        return lm.generate(prompts, each, max_tokens=TOKENS, stop_at_newline=False)

    encoder = {"encoder": "whisper", "encoder_conf": {"model": ENCODER}}
    expected = transcribe(recipe / MODEL / "valid.loss.ave.pth", aligner="hmm", **encoder)
    assert len(expected) == len(texts)
    assert len(set(expected)) > 1
    assert transcribe(packed / "speech_lm") == expected
    unpack(packed / "espnet.zip", tmp_path / "unpacked")
    assert transcribe(tmp_path / "unpacked") == expected


@torch.no_grad()
def test_transformers_write_the_same(tuned, installed_model, monkeypatch, remote_code):
    recipe = tuned[0]
    packed = recipe / MODEL / "packed"
    monkeypatch.setenv("SSR_MODELS", installed_model(ENCODER).removesuffix(f"/{ENCODER}"))
    lm = SpeechLM.from_pretrained(packed / "speech_lm")
    model = AutoModel.from_pretrained(packed / "transformers", trust_remote_code=True).eval()
    (seg_dir,) = (recipe / "dump/test").glob("seg_hmm_causal*")
    ends = read_keyed(seg_dir / "token_end")
    feats = kaldiio.load_scp(str(recipe / f"dump/test/{FEATS}/feats.scp"))
    for utt_id in ends:
        token_end = torch.tensor([[float(end) for end in ends[utt_id].split()]])
        vectors, _ = model.connect(torch.from_numpy(feats[utt_id].copy())[None], None, token_end)
        inputs = model.prompt_embeds("transcribe", vectors)
        mask = torch.ones(inputs.shape[:2], dtype=torch.long)
        ids = model.generate(
            inputs_embeds=inputs, attention_mask=mask, do_sample=False, max_new_tokens=TOKENS
        )
        (expected,) = lm.llm.generate([inputs[0]], [lm.llm.model.config.eos_token_id], TOKENS)
        assert ids[0].tolist()[: len(expected)] == expected


def test_what_would_be_sent(tuned):
    recipe, options, output = tuned
    packed = recipe / MODEL / "packed"
    assert output.count("dry run, nothing was sent: HF_HUB_OFFLINE is set") == 2
    for name, repo in (
        ("speech_lm", "somebody/ssr"),
        ("transformers", "somebody/ssr-transformers"),
    ):
        plan = json.loads((packed / f"upload_{name}.json").read_text())
        assert (plan["repo"], plan["sent"]) == (repo, False)
        sizes = {file["path"]: file["bytes"] for file in plan["files"]}
        there = [path for path in (packed / name).rglob("*") if path.is_file()]
        assert sizes == {str(p.relative_to(packed / name)): p.stat().st_size for p in there}
    assert "model.safetensors" in sizes

    again = recipe.run(*options).must_succeed()
    assert f"{MODEL}/packed: nothing to do" in again
    assert f"{MODEL}/decode_retention/text: nothing to do" in again
