"""local/eval_data.sh, with a folder in place of the servers."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / "egs2" / "TEMPLATE" / "ssr1" / "local" / "eval_data.sh"
HELLASWAG = b'{"ind": 1}\n' * 1000
FILES = {
    "blimp/data/islands.jsonl": b"{}\n",
    "hellaswag/hellaswag_val.jsonl": HELLASWAG,
    "mmlu/dev/law_dev.csv": b"q,1,2,3,4,A\n",
    "mmlu/test/law_test.csv": b"q,1,2,3,4,B\n",
}


def write_tar(path, files, mode):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    blimp = {"blimp-master/data/islands.jsonl": b"{}\n"}
    write_tar(folder / "master.tar.gz", blimp, "w:gz")
    mmlu = {f"data{name.removeprefix('mmlu')}": FILES[name] for name in FILES if "mmlu" in name}
    write_tar(folder / "data.tar", mmlu, "w")
    (folder / "hellaswag_val.jsonl").write_bytes(HELLASWAG)
    return folder


@pytest.fixture
def run(tmp_path, mirror):
    """Return a function that runs the script in a recipe of its own."""
    (tmp_path / "recipe" / "local").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "recipe" / "local")
    (tmp_path / "recipe" / "path.sh").write_text(f"PATH={REPO}/utils:$PATH\n")

    def run_script(*args, sums=("", "")):
        options = ["--mirror", f"file://{mirror}", "--download_dir", tmp_path / "eval"]
        options += [f"--hellaswag_sha256={sums[0]}", f"--mmlu_sha256={sums[1]}"]
        command = ["bash", tmp_path / "recipe" / "local" / "eval_data.sh", *options, *args]
        return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)

    return run_script


def contents(folder):
    """What is there, by name, but for the list of sums."""
    files = (Path(root) / name for root, _, names in os.walk(folder) for name in names)
    return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.name != "SHA256SUMS"}


def test_everything_is_fetched_once(run, mirror, tmp_path):
    first = run()
    assert first.returncode == 0, first.stderr
    assert contents(tmp_path / "eval") == FILES
    assert "StoryCloze: not there; fill in the form at https://cs.rochester.edu" in first.stdout
    assert "sWUGGY: not there" in first.stdout
    assert len((tmp_path / "eval" / "SHA256SUMS").read_text().splitlines()) == 3
    shutil.rmtree(mirror)
    again = run()
    assert (again.returncode, again.stderr) == (0, "")
    assert "fetching" not in again.stdout


def test_only_what_is_asked_for(run, tmp_path):
    assert run("--benchmarks", "hellaswag").returncode == 0
    assert contents(tmp_path / "eval").keys() == {"hellaswag/hellaswag_val.jsonl"}
    unknown = run("--benchmarks", "helaswag")
    assert unknown.returncode == 1
    assert "helaswag is none of: blimp hellaswag mmlu" in unknown.stderr


@pytest.mark.parametrize("part", [HELLASWAG[:500], HELLASWAG, HELLASWAG * 2])
def test_a_download_that_was_cut_short_is_finished(run, tmp_path, part):
    folder = tmp_path / "eval" / "hellaswag"
    folder.mkdir(parents=True)
    (folder / "hellaswag_val.jsonl.part").write_bytes(part)
    assert run("--benchmarks", "hellaswag").returncode == 0
    assert contents(folder) == {"hellaswag_val.jsonl": HELLASWAG}


def test_another_file_than_the_known_one_is_refused(run, tmp_path):
    result = run("--benchmarks", "hellaswag", sums=("0123", ""))
    assert result.returncode == 1
    assert "not 0123. It was removed" in result.stderr
    assert contents(tmp_path / "eval") == {}


def test_another_file_than_the_first_time_is_refused(run, mirror, tmp_path):
    assert run("--benchmarks", "blimp").returncode == 0
    shutil.rmtree(tmp_path / "eval" / "blimp")
    write_tar(mirror / "master.tar.gz", {"blimp-master/data/other.jsonl": b""}, "w:gz")
    result = run("--benchmarks", "blimp")
    assert result.returncode == 1
    assert "is broken, or another version" in result.stderr


def test_a_server_without_the_file_is_named_with_the_way_out(run, mirror):
    (mirror / "data.tar").unlink()
    result = run("--benchmarks", "mmlu")
    assert result.returncode == 1
    assert f"could not fetch file://{mirror}/data.tar; get it elsewhere" in result.stderr
    assert "mmlu.tar, or give --mirror" in result.stderr
