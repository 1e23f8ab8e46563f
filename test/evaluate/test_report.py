"""RESULTS.md: a row an experiment beside its controls, a picture a test set."""

import json
import re

import pytest
import yaml

from espnet_ssr.evaluate import report
from espnet_ssr.evaluate.experiments import collect, split_common_suffix
from espnet_ssr.evaluate.records import Record, read_records
from espnet_ssr.evaluate.report import make_tables

FIGURES = {
    "cosine": 0.9, "centred_cosine": 0.8, "mse": 0.5, "token_accuracy": 0.7,
    "token_accuracy_seen": 0.75, "token_accuracy_unseen": None, "wer": 0.125, "cer": 0.0625,
    "tokens_found": 0.71875,
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


def write_results(expdir, output, command):
    report.write_results(expdir, output, command, "mini")


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
    assert header == [
        "model", "seeds", "commit", "parameters (M)", "token accuracy", "0 times", "100+ times",
        "cosine", "centred cosine", "MSE / variance", "WER", "CER",
    ]  # fmt: skip
    names = [row[0] for row in rows]
    assert names == [
        "mean, forced", "mean, shuffled segments", "mean embedding", "ssr_block, forced",
        "ssr_block, shuffled segments",
    ]  # fmt: skip
    figures = ["0.600", "0.250", "0.625", "0.900", "0.800", "0.500", "12.5", "6.2"]
    assert rows[0][1:] == ["5", "abc", "4.70", *figures]
    assert rows[1][header.index("token accuracy")] == "0.010"
    assert rows[2][1:5] == ["-", "abc", "-", "0.000"]
    assert all(len(row) == len(header) for row in rows)
    assert "./run.sh --stage 10" in text
    assert "27 utterances, 81 s, 306 tokens, of which 91.4 % occur in the training set" in text
    # What every column means is said below.
    assert all(name.split()[0].lower() in text.split("![")[1].lower() for name in header[4:])


def test_tables_are_those_of_the_json_file(expdir, tmp_path):
    add_textless(expdir, "ssr_block")
    add_result(expdir / "lm_stack", "decode_llm", llm_result(2.0))
    write_results(expdir, tmp_path / "RESULTS.md", "")
    records = read_records([tmp_path / "RESULTS.json"])
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    tables = make_tables("test", records)
    assert len(tables) == 5  # two of them have headings
    assert all(table in text for table in tables)
    assert Record("mini", "test", "mean, forced", "token_accuracy", 0.6, (5,), "abc") in records
    assert Record("mini", "test", "ssr_block, textless", "wer", 50.0, (0,), "abc") in records
    assert len({(r.set, r.model, r.figure) for r in records}) == len(records)
    shown = {row[0] for row in table_rows(text)} - {"model", "---"}
    assert shown == {record.model for record in records}


def test_hours_of_training(expdir, tmp_path):
    shapes = tmp_path / "feats_shape"
    shapes.write_text("a 90000,8\nb 45000,8\n")
    config = {"seed": 0, "train_shape_file": [str(shapes), "other"], "frame_rate": 50.0}
    (expdir / "distill_mean" / "config.yaml").write_text(yaml.safe_dump(config))
    write_results(expdir, tmp_path / "RESULTS.md", "")
    records = read_records([tmp_path / "RESULTS.json"])
    assert {r.model: r.value for r in records if r.figure == "hours"} == {"mean, forced": 0.75}
    header, _, mean, *_ = table_rows((tmp_path / "RESULTS.md").read_text(encoding="utf-8"))
    assert mean[header.index("hours")] == "0.75"


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
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "RESULTS.json", "RESULTS.md", "exp", "images"
    ]  # fmt: skip


def test_each_test_set_has_its_own_table(expdir, tmp_path):
    add_experiment(expdir, "mean_other", test_set="other", inference="decode")
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    other, test = text.split("## other")[1].split("## test")
    models = [[row[0] for row in table_rows(t) if row[0].endswith("forced")] for t in (other, test)]
    assert models == [["mean_other, forced"], ["mean, forced", "ssr_block, forced"]]


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
    assert header[3:] == [
        "number exact", "within one", "surplus", "tokens found", "centred cosine", "WER", "CER"
    ]  # fmt: skip
    expected = ["0.250", "0.500", "-0.125", "0.625", "0.750", "50.0", "25.0"]
    assert rows == [
        ["ssr_block, forced", "0", "abc", "-", "-", "-", "0.719", "0.800", "12.5", "6.2"],
        ["ssr_block, textless", "0", "abc", *expected],
    ]
    # What every column means is said below.
    assert all(name in textless.lower() for name in header[3:7])


def test_textless_without_exact_utterances_and_without_forced_ones(tmp_path):
    add_textless(tmp_path / "exp", "ssr", "other", centred_cosine_of_exact=None)
    write_results(tmp_path / "exp", tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "## other\n" in text
    header, _, row = table_rows(text)
    assert row[0] == "ssr, textless"
    assert "centred cosine" not in header
    assert not (tmp_path / "images").exists()


def test_own_segments_of_a_connector_stand_beside_those_of_the_aligner(expdir, tmp_path):
    file = expdir / "distill_mean" / "decode" / "test" / "result.json"
    result = {**json.loads(file.read_text()), "textless": {**TEXTLESS, "tokens_found": 0.5}}
    file.write_text(json.dumps(result))
    add_textless(expdir, "mean")
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    forced, textless = text.split("### test, segments without transcripts")
    assert "mean, forced" in forced  # one file has both
    header, _, *rows = table_rows(textless)
    column = header.index("tokens found")
    assert [(row[0], row[column]) for row in rows] == [
        ("mean, forced", "0.719"), ("mean, own", "0.500"), ("mean, textless", "0.625")
    ]  # fmt: skip


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
    apart = llm_figures(6.0, misalignment=0.375)
    continuation = {"connector": apart, "text": llm_figures(5.5)}
    dictation = {"connector": llm_figures(0.75, wer=0.2)}
    mean = {**llm_result(3.0), "continuation": continuation, "dictation": dictation}
    add_result(expdir / "distill_mean", "decode_llm", mean)
    add_result(expdir / "finetune_lora", "decode_llm", mean)
    write_results(expdir, tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    forced, llm = text.split("### test, in front of the LLM")
    assert "stack" not in forced
    header, _, mean, stack, lora = table_rows(llm)
    assert header[3:] == [
        "parameters (M)", "vectors a second", "nats a token: vectors", "text", "other utterance",
        "nothing", "accuracy", "WER (LLM)", "WER of the text", "going on: vectors",
        "going on: text", "M (nats)", "dictation: nats", "dictation: WER",
    ]  # fmt: skip
    assert mean == [
        "mean, forced", "0", "abc", "4.00", "12.50", "3.000", "0.125", "4.000", "5.000", "0.500",
        "25.0", "12.5", "6.000", "5.500", "0.375", "0.750", "20.0",
    ]  # fmt: skip
    assert stack[:3] == ["stack, through the LLM", "0", "unknown"]
    assert stack[5] == "2.000"
    assert stack[-5:] == ["-"] * 5
    assert lora[0] == "lora, fine-tuned, forced"
    meaning = llm.split("## What")[1].lower()
    assert all(name in meaning for name in ("nats a token", "wer", "misalignment"))


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
    change["forgetting"] = 0.125
    whole = {"retention": {"before": before, "after": after, "change": change}}
    add_result(tmp_path / "exp" / "finetune_kd", "decode_retention", whole, "text")
    text_only = {"before": {"perplexity": 60.0}, "after": {"perplexity": 61.2}}
    text_only = {"retention": {**text_only, "change": {"perplexity": 0.02}}}
    add_result(tmp_path / "exp" / "finetune_lora", "decode_retention", text_only, "text")
    write_results(tmp_path / "exp", tmp_path / "RESULTS.md", "")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    header, _, kd, original, lora = table_rows(text)
    assert header[3:] == [
        "perplexity", "change of perplexity", "F (nats)", "BLiMP", "change of BLiMP"
    ]  # fmt: skip
    assert original == ["original LLM", "-", "unknown", "60.00", "-", "-", "75.0", "-"]
    assert kd[0] == "kd, fine-tuned"
    assert kd[3:] == ["63.00", "5.0", "0.125", "74.5", "-0.5 [-2.0, 1.0]"]
    assert lora[3:] == ["61.20", "2.0", "-", "-", "-"]


def test_cascade_stands_below_its_test_set(expdir, tmp_path):
    folder = expdir / "asr_whisper" / "test"
    folder.mkdir(parents=True)
    result = {"asr": {"wer": 0.064, "cer": 0.033, "utterances": 52}, "model": "whisper-tiny.en"}
    (folder / "result.json").write_text(json.dumps(result))
    write_results(expdir, tmp_path / "RESULTS.md", "./run.sh")
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    _, cascade = text.split("### test, cascade")
    assert table_rows(cascade)[2] == ["whisper-tiny.en, cascade", "-", "-", "6.4", "3.3"]
    assert "whisper" not in "".join(row[0] for row in table_rows(text)[:-1])


def test_choice_tasks_have_a_report_of_their_own(expdir, tmp_path):
    report = expdir / "choice_llm" / "report" / "RESULTS.md"
    report.parent.mkdir(parents=True)
    report.touch()
    write_results(expdir, expdir / "RESULTS.md", "")
    text = (expdir / "RESULTS.md").read_text(encoding="utf-8")
    links = re.findall(r"\[\w+\]\(([^)]+)\)", text.split("## Choice tasks")[1].split("##")[0])
    assert links == ["choice_llm/report/RESULTS.md", "choice_llm/report/report.html"]
