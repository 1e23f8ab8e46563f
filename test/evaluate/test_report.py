"""RESULTS.md: a row an experiment beside its controls, a picture a test set."""

import json
import re

import pytest
import yaml

from espnet_ssr.evaluate.experiments import collect, split_common_suffix
from espnet_ssr.evaluate.report import COLUMNS, LLM_COLUMNS, TEXTLESS_COLUMNS, write_results

FIGURES = {
    "cosine": 0.9, "centred_cosine": 0.8, "mse": 0.5, "token_accuracy": 0.7,
    "token_accuracy_seen": 0.75, "token_accuracy_unseen": None, "wer": 0.125, "cer": 0.0625,
}  # fmt: skip
BANDS = [
    {"from": first, "to": last, "tokens": tokens, "token_accuracy": accuracy}
    for first, last, tokens, accuracy in [(0, 0, 3, 0.25), (100, 999, 3, 0.5), (1000, None, 1, 1.0)]
]


def add_experiment(expdir, name, test_set="test", inference="decode", seed=0, **figures):
    folder = expdir / f"distill_{name}"
    output = folder / inference / test_set
    output.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed}))
    (folder / "env.txt").write_text("espnet_ssr: 0.1.0 (commit abc)\nseed: 0\n")
    rows = {
        "connector": {**FIGURES, **figures},
        "shuffled segments": {**FIGURES, "token_accuracy": 0.01},
        "mean embedding": {**FIGURES, "token_accuracy": 0.0},
    }
    result = {
        "figures": rows, "parameters": 4_700_000, "seen_share": 0.914, "utterances": 27,
        "bands": {"frequency": BANDS},
        "tokens": 306, "seconds": 81.4, "vectors_per_second": 3.75, "frames_per_vector": 13.3,
    }  # fmt: skip
    (output / "result.json").write_text(json.dumps(result))


def table_rows(text):
    """Cells of each row of all tables."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture
def expdir(tmp_path):
    folder = tmp_path / "exp"
    add_experiment(folder, "mean", token_accuracy=0.6, seed=5)
    add_experiment(folder, "ssr_block")
    return folder


def test_two_experiments(expdir, tmp_path):
    output = tmp_path / "RESULTS.md"
    write_results(expdir, output, "./run.sh --stage 10")
    text = output.read_text(encoding="utf-8")
    header, _, *rows = table_rows(text)
    assert header == ["model", "trained by", "parameters", "seed", *COLUMNS.values()]
    names = [row[0] for row in rows]
    shuffled = "↳ shuffled segments"
    assert names == ["**mean**", shuffled, "**ssr_block**", shuffled, "mean embedding"]
    by_count = ["0.250", "-", "-", "0.625"]
    figures = ["0.900", "0.800", "0.500", "0.600", *by_count, "12.5", "6.2"]
    assert rows[0][1:] == ["0.1.0 (commit abc)", "4.70 M", "5", *figures]
    assert rows[1][header.index("token accuracy")] == "0.010"
    assert all(len(row) == len(header) for row in rows)
    assert "./run.sh --stage 10" in text
    assert "27 utterances, 81 s, 306 tokens, of which 91.4 % occur in the training set" in text
    # What every column means is said below.
    assert all(name.split()[0].lower() in text.split("![")[1].lower() for name in header[4:])


@pytest.mark.parametrize(
    ("names", "short", "suffix"),
    [
        (["ssr_hmm_llm", "mean_x_hmm_llm"], ["ssr", "mean_x"], "hmm_llm"),
        (["ssr_hmm", "ssr_hmm"], ["ssr_hmm", "ssr_hmm"], ""),  # one model on two test sets
        (["llm", "ssr_llm"], ["llm", "ssr_llm"], ""),  # something must be left of each
        (["ssr_a", "mean_b"], ["ssr_a", "mean_b"], ""),
    ],
)
def test_what_all_names_end_with_is_said_once(names, short, suffix):
    assert split_common_suffix(names) == (short, suffix)


def test_pictures_are_png_and_linked(expdir, tmp_path):
    add_experiment(expdir, "mean_other", test_set="other")
    output = tmp_path / "RESULTS.md"
    write_results(expdir, output, "")
    pictures = re.findall(r"!\[\w+\]\(([^)]+)\)", output.read_text(encoding="utf-8"))
    assert pictures == ["images/other.png", "images/test.png"]
    for picture in pictures:
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["RESULTS.md", "exp", "images"]


def test_each_test_set_has_its_own_table(expdir, tmp_path):
    add_experiment(expdir, "mean_other", test_set="other", inference="decode")
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    other, test = text.split("## other")[1].split("## test")
    assert [r[0] for r in table_rows(other) if r[0].startswith("**")] == ["**mean_other**"]
    assert [r[0] for r in table_rows(test) if r[0].startswith("**")] == [
        "**mean**",
        "**ssr_block**",
    ]


def test_other_ways_of_inference_are_named(expdir):
    folder = expdir / "distill_mean" / "decode_best" / "test"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    assert [e.name for e in collect(expdir)] == ["mean", "mean (decode_best)", "ssr_block"]


@pytest.mark.parametrize("make", [True, False], ids=["trained only", "no such folder"])
def test_nothing_evaluated(tmp_path, make):
    expdir = tmp_path / "exp"
    if make:
        (expdir / "distill_mean").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="exp: nothing was evaluated yet: run stage 10"):
        write_results(expdir, tmp_path / "RESULTS.md", "")
    assert not (tmp_path / "RESULTS.md").exists()


TEXTLESS = {
    "segments_exact": 0.25, "segments_within_one": 0.5, "segment_surplus": -0.125,
    "tokens_found": 0.625, "centred_cosine_of_exact": 0.75, "wer": 0.5, "cer": 0.25,
}  # fmt: skip


def add_result(folder, inference, result, test_set="test"):
    """A further ``result.json`` of an experiment, which may be new."""
    output = folder / inference / test_set
    output.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 0}))
    (output / "result.json").write_text(json.dumps(result))


def add_textless(expdir, name, test_set="test", **figures):
    result = {"textless": {**TEXTLESS, **figures}, "utterances": 27, "missing": 1}
    add_result(expdir / f"distill_{name}", "decode_textless", result, test_set)


def test_textless_rows_stand_under_forced_ones(expdir, tmp_path):
    add_textless(expdir, "ssr_block")
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    forced, textless = text.split("### test, segments without transcripts")
    assert "textless" not in forced
    header, _, *rows = table_rows(textless)
    assert header == ["model", "segments", *TEXTLESS_COLUMNS.values()]
    expected = ["0.250", "0.500", "-0.125", "0.625", "0.750", "50.0", "25.0"]
    assert rows == [
        ["**ssr_block**", "forced", "-", "-", "-", "-", "0.800", "12.5", "6.2"],
        ["**ssr_block**", "textless", *expected],
    ]
    # What every column means is said below.
    assert all(name in textless.lower() for name in header[2:6])


def test_textless_without_exact_utterances_and_without_forced_ones(tmp_path):
    add_textless(tmp_path / "exp", "ssr", "other", centred_cosine_of_exact=None)
    write_results(tmp_path / "exp", tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "## other\n" in text
    assert [row[1] for row in table_rows(text)[2:]] == ["textless"]
    assert table_rows(text)[2][6] == "-"
    assert not (tmp_path / "images").exists()


def test_own_segments_of_a_connector_stand_beside_those_of_the_aligner(expdir, tmp_path):
    file = expdir / "distill_mean" / "decode" / "test" / "result.json"
    result = {**json.loads(file.read_text()), "textless": {**TEXTLESS, "tokens_found": 0.5}}
    file.write_text(json.dumps(result))
    add_textless(expdir, "mean")
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    forced, textless = text.split("### test, segments without transcripts")
    assert "**mean**" in forced  # one file has both
    column = 2 + list(TEXTLESS_COLUMNS).index("tokens_found")
    rows = [(row[1], row[column]) for row in table_rows(textless)[2:]]
    assert rows == [("forced", "-"), ("own", "0.500"), ("textless", "0.625")]


def llm_figures(nats, **more):
    return {"nats_per_token": nats, "token_accuracy": 0.5, **more}


def llm_result(nats):
    rows = {
        "connector": llm_figures(nats, wer=0.25, cer=None),
        "text": llm_figures(0.125, wer=0.125),
        "other utterance": llm_figures(4.0),
        "nothing": llm_figures(5.0),
    }
    return {"llm": rows, "parameters": 4_000_000, "vectors_per_second": 12.5}


def test_models_in_front_of_the_llm(expdir, tmp_path):
    add_result(expdir / "lm_stack", "decode_llm", llm_result(2.0))
    continuation = {"connector": llm_figures(6.0), "text": llm_figures(5.5)}
    dictation = {"connector": llm_figures(0.75, wer=0.2)}
    mean = {**llm_result(3.0), "continuation": continuation, "dictation": dictation}
    add_result(expdir / "distill_mean", "decode_llm", mean)
    add_result(expdir / "finetune_lora", "decode_llm", mean)
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    forced, llm = text.split("### test, in front of the LLM")
    assert "stack" not in forced
    header, _, mean, stack, lora = table_rows(llm)
    assert header[-len(LLM_COLUMNS) :] == list(LLM_COLUMNS.values())
    nats = ["0.125", "4.000", "5.000"]
    commit, size = "0.1.0 (commit abc)", ["4.00 M", "0", "12.50"]
    assert mean == [
        "**mean**", "distilled", commit, *size, "3.000", *nats, "0.500", "25.0", "-", "12.5",
        "6.000", "5.500", "0.750", "20.0",
    ]  # fmt: skip
    assert stack[:3] == ["**stack**", "through the LLM", "unknown"]
    assert stack[6] == "2.000"
    assert stack[-4:] == ["-"] * 4
    assert lora[:2] == ["**lora**", "fine-tuned"]
    assert all(name.lower() in llm.split("## What")[1].lower() for name in ("nats a token", "WER"))


def test_only_models_trained_through_the_llm(tmp_path):
    add_result(tmp_path / "exp" / "lm_stack", "decode_llm", llm_result(2.0), "other")
    write_results(tmp_path / "exp", tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert len(table_rows(text)) == 3
    assert "token accuracy" not in text  # nor are figures explained that are not there
    assert not (tmp_path / "images").exists()


def test_text_ability_before_and_after(tmp_path):
    before, after = {"perplexity": 60.0, "blimp": 0.75}, {"perplexity": 63.0, "blimp": 0.745}
    change = {"perplexity": 0.05, "blimp": -0.005, "blimp_interval": [-0.02, 0.01]}
    whole = {"retention": {"before": before, "after": after, "change": change}}
    add_result(tmp_path / "exp" / "finetune_kd", "decode_retention", whole, "text")
    text_only = {"before": {"perplexity": 60.0}, "after": {"perplexity": 61.2}}
    text_only = {"retention": {**text_only, "change": {"perplexity": 0.02}}}
    add_result(tmp_path / "exp" / "finetune_lora", "decode_retention", text_only, "text")
    write_results(tmp_path / "exp", tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    _, _, original, kd, lora = table_rows(text)
    assert original[:2] + original[3:5] == ["original LLM", "", "60.00", "-"]
    assert original[5] == "75.0"
    assert kd[0] == "**kd**"
    assert kd[3:] == ["63.00", "5.0", "74.5", "-0.5", "-2.0 to 1.0"]
    assert lora[3:] == ["61.20", "2.0", "-", "-", "- to -"]


def test_cascade_stands_below_its_test_set(expdir, tmp_path):
    folder = expdir / "asr_whisper" / "test"
    folder.mkdir(parents=True)
    result = {"asr": {"wer": 0.064, "cer": 0.033, "utterances": 52}, "model": "whisper-tiny.en"}
    (folder / "result.json").write_text(json.dumps(result))
    write_results(expdir, tmp_path / "RESULTS.md", "./run.sh")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "A cascade reads the transcripts of `whisper-tiny.en` instead: WER 6.4, CER 3.3." in text


def test_choice_tasks_have_a_report_of_their_own(expdir, tmp_path):
    report = expdir / "choice_llm" / "report" / "RESULTS.md"
    report.parent.mkdir(parents=True)
    report.touch()
    write_results(expdir, expdir / "RESULTS.md", "")
    text = (expdir / "RESULTS.md").read_text(encoding="utf-8")
    links = re.findall(r"\[\w+\]\(([^)]+)\)", text.split("## Choice tasks")[1].split("##")[0])
    assert links == ["choice_llm/report/RESULTS.md", "choice_llm/report/report.html"]
