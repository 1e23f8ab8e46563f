"""Shards: what is there is whole, what is there is not done again, merging keeps the order."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.datadir import write_lines
from espnet_ssr.shards import merge_shards, run_shards


def upper(keys, folder, final_folder, progress, inputs, done):
    """Work that writes each input in capitals and where it will be; notes what it did in `done`."""
    write_lines(folder / "result", (f"{key} {inputs[key].upper()}" for key in keys))
    write_lines(folder / "place", (str(final_folder / key) for key in keys))
    for key in keys:
        done.append(key)
        progress.update()


@pytest.fixture
def run(tmp_path):
    """A function that runs a job and returns the keys that were worked on."""

    def call(inputs, job=1, settings=None, shard_size=2):
        done = []
        work = partial(upper, inputs=inputs, done=done)
        run_shards(inputs, tmp_path / "shards", job, settings or {}, work, shard_size)
        return done

    return call


def shards_of(tmp_path):
    """Names of folders among the shards."""
    return sorted(path.name for path in (tmp_path / "shards").iterdir() if path.is_dir())


INPUTS = {key: f"text of {key}" for key in "abcde"}


def test_merged_files(tmp_path, run):
    assert run(INPUTS) == list("abcde")
    merge_shards(tmp_path / "shards", 1, ["result", "place"], tmp_path)
    assert (tmp_path / "result").read_text() == "".join(
        f"{k} TEXT OF {k.upper()}\n" for k in "abcde"
    )
    # Where results are said to be is where the shard's folder was renamed to.
    for place in (tmp_path / "place").read_text().split():
        assert place.rsplit("/", 2)[1] in shards_of(tmp_path)


def test_second_run_does_nothing(tmp_path, run):
    run(INPUTS)
    before = shards_of(tmp_path)
    assert run(INPUTS) == []
    assert shards_of(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ({"inputs": INPUTS | {"c": "other"}}, "cd"),
        ({"inputs": INPUTS | {"f": "new"}}, "ef"),
        ({"inputs": {k: v for k, v in INPUTS.items() if k != "a"}}, "bcde"),
        ({"settings": {"fs": 8000}}, "abcde"),
        ({"shard_size": 4}, "abcd"),
        ({}, ""),
    ],
)
def test_only_what_changed_is_redone(run, change, redone):
    run(INPUTS)
    assert run(**{"inputs": INPUTS, **change}) == list(redone)


def test_former_results_are_still_there_after_going_back(run):
    run(INPUTS, settings={"fs": 8000})
    run(INPUTS, settings={"fs": 16000})
    assert run(INPUTS, settings={"fs": 8000}) == []


@pytest.mark.parametrize("failure", [RuntimeError("worker died"), KeyboardInterrupt()])
def test_failed_work_leaves_no_folder_and_resumes(tmp_path, run, failure):
    def work(keys, folder, final_folder, progress):
        write_lines(folder / "result", keys)
        if "c" in keys:
            raise failure

    with pytest.raises(type(failure)):
        run_shards(INPUTS, tmp_path / "shards", 1, {}, work, 2)
    assert len(shards_of(tmp_path)) == 1
    assert not (tmp_path / "shards" / "index.1").exists()
    assert run(INPUTS) == list("cde")


def test_debris_of_a_killed_run_is_cleared(tmp_path, run):
    run(INPUTS)
    name = shards_of(tmp_path)[0]
    (tmp_path / "shards" / name).rename(tmp_path / "shards" / f".{name}.tmp")
    assert len(run(INPUTS)) in (1, 2)
    merge_shards(tmp_path / "shards", 1, ["result"], tmp_path)
    assert [line[0] for line in (tmp_path / "result").read_text().splitlines()] == list("abcde")
    assert f".{name}.tmp" not in shards_of(tmp_path)


def test_merge_refuses_missing_job(tmp_path, run):
    run({"a": "1"}, job=1)
    run({"c": "3"}, job=3)
    (tmp_path / "result").write_text("old")
    with pytest.raises(FileNotFoundError, match="index.2 is missing: job 2 of 3 did not finish"):
        merge_shards(tmp_path / "shards", 3, ["result"], tmp_path)
    assert (tmp_path / "result").read_text() == "old"


def test_merge_refuses_job_that_finished_only_with_former_settings(tmp_path, run):
    run(INPUTS, settings={"fs": 8000})

    def work(keys, folder, final_folder, progress):
        raise RuntimeError("worker died")

    with pytest.raises(RuntimeError, match="worker died"):
        run_shards(INPUTS, tmp_path / "shards", 1, {"fs": 16000}, work)
    with pytest.raises(FileNotFoundError, match="job 1 of 1 did not finish"):
        merge_shards(tmp_path / "shards", 1, ["result"], tmp_path)


def test_merge_removes_stale_shards(tmp_path, run):
    run(INPUTS, settings={"fs": 8000})
    stale = shards_of(tmp_path)
    run(INPUTS, settings={"fs": 16000})
    (tmp_path / "shards" / "notes").mkdir()
    merge_shards(tmp_path / "shards", 1, ["result"], tmp_path)
    assert not set(stale) & set(shards_of(tmp_path))
    assert len(shards_of(tmp_path)) == 3 + 1  # what is no shard stays


def test_job_without_keys(tmp_path, run):
    assert run({}, job=1) == []
    run({"a": "x"}, job=2)
    merge_shards(tmp_path / "shards", 2, ["result"], tmp_path)
    assert (tmp_path / "result").read_text() == "a X\n"


@given(
    keys=st.lists(st.integers(0, 99), unique=True, max_size=12).map(sorted),
    cuts=st.lists(st.integers(0, 12), max_size=3).map(sorted),
    shard_size=st.integers(1, 5),
)
def test_any_split_into_jobs_merges_to_the_same(tmp_path_factory, keys, cuts, shard_size):
    folder = tmp_path_factory.mktemp("split")
    inputs = {f"{key:02}": f"text {key}" for key in keys}
    utt_ids = list(inputs)
    edges = [0, *cuts, len(keys)]
    jobs = [utt_ids[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    # Jobs end in any order; here the last one first.
    for job, part in reversed(list(enumerate(jobs, 1))):
        work = partial(upper, inputs=inputs, done=[])
        run_shards({k: inputs[k] for k in part}, folder / "shards", job, {}, work, shard_size)
    merge_shards(folder / "shards", len(jobs), ["result"], folder)
    expected = "".join(f"{key} {text.upper()}\n" for key, text in inputs.items())
    assert (folder / "result").read_text() == expected
