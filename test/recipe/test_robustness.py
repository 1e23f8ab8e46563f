"""What becomes of a run that is killed, starved of disk or given what is wrong, and of the next."""

import json
import os
import signal
import subprocess
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import soundfile
from mini_recipe import (
    ALIGN,
    FEATS,
    LLM,
    MODEL,
    REPO,
    SEG,
    STATS,
    WEIGHTS,
    Recipe,
    assert_same_weights,
)

from espnet_ssr.align.alignment import read_ctm
from espnet_ssr.datadir import read_keyed, write_keyed

pytestmark = pytest.mark.slow

# 230 prompts in one job: a shard of 200, then one of 30.
MANY = ("--train_set", "many", "--valid_set", "many", "--test_sets", "many", "--nj", "1")
FOLDERS = {3: "dump/many", 4: f"dump/many/{ALIGN}", 6: f"dump/many/{FEATS}"}
RESULTS = {3: "wav.scp", 4: "word.ctm", 6: "feats.scp"}


def shards_of(recipe: Recipe, stage: int) -> list[Path]:
    """Whole shards of a stage, in the order of their making."""
    found = (recipe / FOLDERS[stage] / "shards").glob("shard.*")
    return sorted(found, key=lambda path: path.stat().st_mtime)


def assert_same_dump(recipe: Recipe, other: Recipe, name: str) -> None:
    """Formatted audio, alignment, segmentation and features of a set are the same."""
    folders = [r / "dump" / name for r in (recipe, other)]
    exact = ["text", "utt2spk", "spk2utt", "utt2num_samples", "dropped"]
    exact += [f"{ALIGN}/{file}" for file in ("word.ctm", "phone.ctm", "failed", "suspicious")]
    exact += [f"{SEG}/{file}" for file in ("token_id", "token_end", "dropped")]
    exact += [f"{FEATS}/utt2num_frames"]
    for file in exact:
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file
    reports = [json.loads((f / ALIGN / "report.json").read_text()) for f in folders]
    for report in reports:
        del report["cost"]  # seconds of work
    assert reports[0] == reports[1]
    assert_same_audio_and_feats(*folders)


def assert_same_audio_and_feats(folder: Path, other: Path) -> None:
    audio = [read_keyed(f / "wav.scp") for f in (folder, other)]
    feats = [kaldiio.load_scp(str(f / FEATS / "feats.scp")) for f in (folder, other)]
    assert list(audio[0]) == list(audio[1]) == list(feats[0]) == list(feats[1])
    for utt_id in audio[0]:
        assert Path(audio[0][utt_id]).read_bytes() == Path(audio[1][utt_id]).read_bytes(), utt_id
        assert np.array_equal(feats[0][utt_id], feats[1][utt_id]), utt_id


def leftovers(recipe: Recipe) -> list[Path]:
    """Temporary files that a finished run has no use for."""
    return [path for path in recipe.folder.rglob("*") if ".tmp" in path.name]


# Interruptions


def test_killed_runs_continue_and_give_what_an_undisturbed_run_gives(recipe):
    options = (*MANY, "--stop_stage", "6")
    undisturbed, killed = recipe.clone(), recipe.clone()
    reference = undisturbed.start(*options)
    for stage, folder in FOLDERS.items():
        run = killed.start(*options)
        run.wait_for(lambda stage=stage: shards_of(killed, stage))
        run.signal_group(signal.SIGKILL)
        assert run.process.wait() == -signal.SIGKILL
        killed.wait_for_no_process()
        assert not (killed / folder / ".done").exists()
        assert len(shards_of(killed, stage)) == 1
        # Nothing that the next stage would take for a result.
        assert not (killed / folder / RESULTS[stage]).exists()
    before = {stage: shards_of(killed, stage)[0].stat().st_mtime_ns for stage in FOLDERS}
    killed.run(*options).must_succeed()
    # Continued: the shard that was whole has not been made again.
    assert {stage: shards_of(killed, stage)[0].stat().st_mtime_ns for stage in FOLDERS} == before
    assert all(len(shards_of(killed, stage)) == 2 for stage in FOLDERS)
    reference.wait().must_succeed()
    assert_same_dump(killed, undisturbed, "many")
    assert leftovers(killed) == []


def test_a_killed_training_continues_to_the_same_weights(clone, finished):
    clone.remove(f"exp/{MODEL}")
    experiment = clone / "exp" / MODEL
    run = clone.start("--stop_stage", "8")
    run.wait_for((experiment / "checkpoint.pth").exists)
    run.signal_group(signal.SIGKILL)
    run.process.wait()
    clone.wait_for_no_process()
    assert not (experiment / ".done").exists()
    assert not (experiment / "3epoch.pth").exists()
    clone.run("--stop_stage", "8").must_succeed()
    assert "The training was resumed" in (experiment / "train.log").read_text()
    for name in ("3epoch.pth", WEIGHTS):
        assert_same_weights(experiment / name, finished[0] / "exp" / MODEL / name)
    assert leftovers(clone) == []


def test_an_interrupted_training_does_not_go_on_with_other_data(clone):
    experiment = clone / "exp" / MODEL
    (experiment / ".done").unlink()
    token_end = clone / f"dump/valid/{SEG}/token_end"
    ends = read_keyed(token_end)
    changed = {utt_id: times.replace(".", ".0", 1) for utt_id, times in ends.items()}
    write_keyed(token_end, changed)
    # The stages before would mend what is changed here.
    output = clone.run("--skip_stages", "1 3 4 5 6 7", "--stop_stage", "8").must_succeed()
    assert f"exp/{MODEL}/.begun: dump/valid/{SEG}/token_end changed" in output
    assert "The training was resumed" not in (experiment / "train.log").read_text()


def test_ctrl_c_says_how_to_continue_and_leaves_no_process(new_recipe):
    run = new_recipe.start(*MANY, "--stop_stage", "4")
    logs = new_recipe / FOLDERS[4] / "logs"
    run.wait_for(lambda: list(logs.glob(".progress.*")))
    run.signal_group(signal.SIGINT)
    output = run.wait(20)
    output.must_fail("ssr.sh: interrupted in stage 4; run again to continue", code=130)
    assert output.splitlines().count("ssr.sh: interrupted in stage 4; run again to continue") == 1
    new_recipe.wait_for_no_process(1)
    assert not (new_recipe / FOLDERS[4] / ".done").exists()
    # The next run goes on, and one beside it is refused.
    run = new_recipe.start(*MANY, "--stop_stage", "4")
    run.wait_for(lambda: list(logs.glob(".progress.*")))
    second = new_recipe.run(*MANY, "--stop_stage", "4")
    second.must_fail("dump/many/align_hmm is being written by another run", stage=4)
    run.wait().must_succeed()


def test_no_orphan_writes_after_the_script_alone_was_killed(new_recipe):
    options = (*MANY, "--stop_stage", "4")
    run = new_recipe.start(*options)
    run.wait_for(lambda: list((new_recipe / FOLDERS[4]).glob("logs/.progress.*")))
    scripts = [pid for pid, line in new_recipe.processes().items() if "./ssr.sh" in line]
    for pid in scripts:
        os.kill(pid, signal.SIGKILL)
    run.process.wait()
    new_recipe.wait_for_no_process()
    assert not (new_recipe / FOLDERS[4] / ".done").exists()
    new_recipe.run(*options).must_succeed()
    words = read_ctm(new_recipe / FOLDERS[4] / "word.ctm")
    assert len(words) + len(read_keyed(new_recipe / FOLDERS[4] / "failed")) == 230


# A full disk


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a small disk, or changes its size: ``disk("1m")`` -> its folder."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path:
        options = f"remount,size={size}" if os.path.ismount(folder) else f"size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip(f"no small disk to fill: {result.stderr.strip()}")
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_in_stages_3_and_6(new_recipe, finished, disk):
    sets = ("--train_set", "valid", "--valid_set", "valid", "--test_sets", "valid")
    options = ("--dumpdir", str(disk("100k")), *sets, "--skip_stages", "4 5", "--stop_stage")
    no_space = ("No space left on device", "free some and run again")
    new_recipe.run(*options, "3").must_fail(*no_space, stage=3)
    folder = disk("20m") / "valid"
    assert not (folder / "wav.scp").exists()
    new_recipe.run(*options, "3").must_succeed()
    used = sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))
    disk(f"{used + 200_000}")
    new_recipe.run(*options, "6").must_fail(*no_space, stage=6)
    assert not (folder / FEATS / "feats.scp").exists()
    disk("20m")
    new_recipe.run(*options, "6").must_succeed()
    assert_same_audio_and_feats(folder, finished[0] / "dump/valid")


def test_full_disk_in_stage_8(clone, finished, disk):
    stats = f"{STATS}_extracted"
    subprocess.run(["cp", "-a", clone / "exp" / stats, disk("1m") / stats], check=True)
    options = ("--expdir", str(disk("1m")), "--stop_stage", "8")
    output = clone.run(*options)
    output.must_fail("cannot write", "checkpoint.pth", "(0 MiB free)", stage=8)
    experiment = disk("20m") / MODEL
    assert not list(experiment.glob("*.pth"))
    assert not (experiment / ".done").exists()
    clone.run(*options).must_succeed()
    for name in ("3epoch.pth", WEIGHTS):
        assert_same_weights(experiment / name, finished[0] / "exp" / MODEL / name)


# Data that is wrong


def test_unusable_utterances_are_left_out_and_named(new_recipe):
    sets = ("--train_set", "train", "--valid_set", "train", "--test_sets", "train")
    new_recipe.run("--stop_stage", "1").must_succeed()
    data = new_recipe / "data/train"
    wav_scp, texts = read_keyed(data / "wav.scp"), read_keyed(data / "text")
    truncated, garbage, missing, silent = list(wav_scp)[:4]
    whole = Path(wav_scp[truncated]).read_bytes()
    for utt_id, content in ((truncated, whole[: len(whole) // 2]), (garbage, b"\0garbage" * 999)):
        wav_scp[utt_id] = str(new_recipe / f"{utt_id}.wav")
        Path(wav_scp[utt_id]).write_bytes(content)
    wav_scp[missing] = str(new_recipe / "nowhere.wav")
    texts[silent] = ""
    write_keyed(data / "wav.scp", wav_scp)
    write_keyed(data / "text", texts)
    output = new_recipe.run("--stop_stage", "4", *sets).must_succeed()
    assert "dump/train: kept 12 of 16 utterances" in output
    dropped = read_keyed(new_recipe / "dump/train/dropped")
    causes = {utt_id: why.split()[0] for utt_id, why in dropped.items()}
    assert causes == {
        truncated: "truncated_audio",
        garbage: "unreadable_audio",
        missing: "unreadable_audio",
        silent: "empty_text",
    }
    for utt_id in (truncated, garbage, missing):
        assert wav_scp[utt_id] in dropped[utt_id]
        assert utt_id in output
    assert "aligned 12 of 12 utterances" in output
    # A repaired file is found by doing the stage again.
    Path(wav_scp[truncated]).write_bytes(whole)
    output = new_recipe.run("--stage", "3", "--stop_stage", "3", *sets).must_succeed()
    assert "dump/train: kept 13 of 16 utterances" in output


def test_nothing_usable_is_an_error(new_recipe):
    new_recipe.run("--stop_stage", "1").must_succeed()
    data = new_recipe / "data/train"
    files = {utt_id: new_recipe / f"{utt_id}.wav" for utt_id in read_keyed(data / "wav.scp")}
    for file in files.values():
        file.write_bytes(b"RIFF")
    write_keyed(data / "wav.scp", {utt_id: str(file) for utt_id, file in files.items()})
    output = new_recipe.run("--stop_stage", "3")
    output.must_fail("data/train: no usable utterance", "16 unreadable_audio", stage=3)
    for file in files.values():
        soundfile.write(file, np.zeros(16000), 16000)
    assert "kept 16 of 16" in new_recipe.run("--stop_stage", "3").must_succeed()


def test_data_preparation_that_forgets_a_transcript_fails_in_stage_1(new_recipe):
    text = new_recipe / "local/prompts/valid/text"
    lines = text.read_text().splitlines()
    text.write_text("\n".join([lines[0].split()[0], *lines[1:]]) + "\n")
    output = new_recipe.run("--stop_stage", "1")
    assert any("text" in line and lines[0].split()[0] in line for line in output.splitlines())
    output.must_fail("data/valid: 4 utterances", "1 problems", stage=1)


def test_wrong_corpus_folder_names_the_file_and_the_variable(tmp_path):
    # A copy, for its db.sh to be changed. path.sh is a link, and is to lead to the repository.
    recipe = tmp_path / "asterisk"
    subprocess.run(["cp", "-rL", REPO / "egs2/asterisk/ssr1/local", recipe], check=True)
    recipe = tmp_path / "ssr1"
    recipe.mkdir()
    (tmp_path / "asterisk").rename(recipe / "local")
    source = REPO / "egs2/asterisk/ssr1"
    for name in ("run.sh", "conf"):
        subprocess.run(["cp", "-rL", source / name, recipe / name], check=True)
    for name in ("ssr.sh", "path.sh", "cmd.sh"):
        (recipe / name).symlink_to((source / name).resolve())
    (recipe / "db.sh").write_text("ASTERISK=/corpora/nowhere\n")
    output = Recipe(recipe).run()
    output.must_fail("db.sh sets ASTERISK=/corpora/nowhere: no such folder", stage=1)
    assert not (recipe / "data/.done").exists()


# Options that are wrong


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        (("--max_wav_duraton", "9"), ("--max_wav_duraton", "did you mean --max_wav_duration?")),
        (("--distill_config", "conf/nowhere.yaml"), ("--distill_config", "conf/nowhere.yaml")),
        (("--inference_config", "conf/nowhere.yaml"), ("--inference_config", "nowhere.yaml")),
        (("--stage", "three"), ("--stage must be a number, not 'three'",)),
        (("--stop-stage", "3x"), ("--stop_stage must be a number, not '3x'",)),
        (("--nj", "0"), ("--nj must be 1 or more",)),
        (("--skip_train", "yes"), ("--skip_train must be true or false, not 'yes'",)),
        (("--feats_type", "fbank"), ("--feats_type must be extracted or raw, not fbank",)),
        (("--test_sets=",), ("--test_sets is required",)),
        (("--stage", "2"), ("--stage 2 needs --speed_perturb_factors",)),
        (("--stage", "12"), ("--stage 12 needs --skip_packing false",)),
        (("--stage", "13"), ("--stage 13 needs --skip_upload false",)),
        (("--inference_nj", "0"), ("--inference_nj must be 1 or more",)),
        (("--lm_config", "conf/lm_nothing.yaml"), ("--lm_config", "no such file")),
        (("--stage", "9"), ("--stage 9 needs --lm_config",)),
        (("--skip_upload", "false"), ("--skip_upload false needs --hf_repo owner/name",)),
        (("exp",), ("unexpected argument: exp",)),
    ],
    ids=lambda value: "_".join(value) if value[0].startswith("-") else "",
)
def test_wrong_option_stops_before_the_first_stage(recipe, options, phrases):
    output = recipe.run(*options).must_fail(*phrases)
    assert len(output.splitlines()) == 1
    assert not (recipe / "data").exists()


def test_unknown_aligner(clone):
    output = clone.run("--stop_stage", "4", "--aligner", "hmmm")
    output.must_fail("--aligner hmmm", "--help", "align_char_ctc.yaml")


@pytest.mark.parametrize(
    ("stage", "folder"),
    [("3", "data/nowhere"), ("4", "dump/nowhere/wav.scp"), ("5", "dump/nowhere/text")],
)
def test_unknown_set_is_named_and_nothing_is_made_for_it(clone, stage, folder):
    earlier = " ".join(map(str, range(1, int(stage))))
    options = ("--skip_stages", earlier, "--stop_stage", stage, "--test_sets", "nowhere")
    output = clone.run(*options)
    output.must_fail(f"no {folder}: run ", "--train_set", stage=int(stage))
    assert not (clone / "dump/nowhere").exists()


def test_wrong_llm(clone):
    output = clone.run("--stop_stage", "5", "--llm", "SmolLM3")
    output.must_fail("no model 'SmolLM3'", "make -C tools models", stage=5)


def test_misspelt_keys_of_a_config(clone):
    config = clone.write_config("distill_top", max_epochs=3)
    run = clone.start("--distill_config", config, "--stop_stage", "8")
    other = clone.write_config("distill_nested", connector_conf={"hiden_size": 3})
    output = clone.run("--distill_config", other, "--stop_stage", "8")
    output.must_fail("connector_conf: unknown option hiden_size", "hidden_size", stage=8)
    run.wait().must_fail("unrecognized arguments: max_epochs", config, stage=8)


# Results that are damaged


@pytest.mark.parametrize("content", ["", '{"parameters": {', "[]", "\0\1"])
def test_damaged_record_means_doing_it_again(clone, content):
    record = clone / f"dump/valid/{ALIGN}/.done"
    record.write_text(content)
    output = clone.run("--stop_stage", "4").must_succeed()
    assert f"dump/valid/{ALIGN}/.done: not a re" in output
    assert output.count("wrote ") == 1
    assert_same_dump(clone, clone, "valid")


def test_deleted_features_are_named(clone):
    ark = clone / "gone/feats.ark"
    for name in ("train", "valid"):
        scp = clone / f"dump/{name}/{FEATS}/feats.scp"
        places = read_keyed(scp)
        write_keyed(scp, {u: f"{ark}:{p.rpartition(':')[2]}" for u, p in places.items()})
    output = clone.run("--stop_stage", "8")
    output.must_fail(str(ark), "No such file", stage=8)


def test_lost_model_is_named_with_the_way_out(clone):
    (clone / f"exp/{MODEL}/{WEIGHTS}").unlink()
    output = clone.run()
    output.must_fail(f"no exp/{MODEL}/{WEIGHTS}: run stage 8", stage=10)
    assert LLM in output
