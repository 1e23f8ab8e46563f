"""Downloads from a server on this machine that breaks off, and archives that are damaged."""

import errno
import hashlib
import http.server
import io
import re
import tarfile
import threading

import pytest

from espnet_ssr.recipes import download as module
from espnet_ssr.recipes.download import DownloadError, download, extract, fetch_archive

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves ``content`` at every path; what it is to do wrong, and what it was asked, are lists
    and attributes."""

    def __init__(self):
        self.content = CONTENT
        self.knows_ranges = True
        self.sends_length = True
        self.etag = '"1"'
        self.cuts = []  # of the next answers: bytes after which each breaks off
        self.codes = []  # of the next answers
        self.ranges = []  # what was asked for
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/corpus.tar.gz"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        if self.codes:
            return request.send_error(self.codes.pop(0))
        body, code = self.content, 200
        is_same = request.headers.get("If-Range", self.etag) == self.etag
        if wanted and self.knows_ranges and is_same:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            body, code = self.content[start:], 206
            if not body:
                code = 416
        request.send_response(code)
        if code == 416:
            request.send_header("Content-Range", f"bytes */{len(self.content)}")
        if self.sends_length:
            request.send_header("Content-Length", str(len(body)))
        if self.etag:
            request.send_header("ETag", self.etag)
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "corpus.tar.gz"


def assert_fetched(path):
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_whole_file(server, path):
    download(server.url, path, md5=MD5, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert_fetched(path)
    download(server.url, path)
    assert server.ranges == [None]


def test_broken_connections_are_taken_up_where_they_ended(server, path):
    server.cuts = [1000, 0, 3000]
    download(server.url, path, md5=MD5)
    assert_fetched(path)
    assert server.ranges == [None, "bytes=1000-", "bytes=1000-", "bytes=4000-"]


def test_another_run_goes_on_where_one_was_killed(server, path):
    server.cuts = [5000]
    with pytest.raises(DownloadError, match="run again to go on, or get the file elsewhere"):
        download(server.url, path, retries=-1)
    assert not path.exists()
    download(server.url, path, md5=MD5)
    assert_fetched(path)
    assert server.ranges == [None, "bytes=5000-"]


def test_killed_between_the_last_byte_and_the_renaming(server, path):
    path.parent.mkdir()
    path.with_name("corpus.tar.gz.part").write_bytes(CONTENT)
    download(server.url, path, md5=MD5)
    assert_fetched(path)


def test_part_that_is_longer_than_the_file(server, path):
    path.parent.mkdir()
    path.with_name("corpus.tar.gz.part").write_bytes(CONTENT + b"more")
    download(server.url, path, md5=MD5)
    assert_fetched(path)


def test_server_without_ranges_begins_again(server, path):
    server.knows_ranges = False
    server.cuts = [5000]
    download(server.url, path, md5=MD5)
    assert_fetched(path)
    assert server.ranges == [None, "bytes=5000-"]


def test_server_that_does_not_say_the_size(server, path):
    server.sends_length = False
    download(server.url, path)
    assert_fetched(path)


def test_new_version_is_not_appended_to_the_old_one(server, path):
    server.content, server.cuts = b"old" * 1000, [100]
    with pytest.raises(DownloadError):
        download(server.url, path, retries=-1)
    server.content, server.etag = CONTENT, '"2"'
    download(server.url, path)
    assert_fetched(path)


def test_wrong_checksum_leaves_nothing(server, path):
    with pytest.raises(DownloadError, match=f"its md5 is {MD5}, not 0123: .* run again"):
        download(server.url, path, md5="0123")
    assert not any(file.suffix != ".tag" for file in path.parent.iterdir())
    download(server.url, path, md5=MD5)
    assert_fetched(path)


def test_busy_server_is_asked_again(server, path):
    server.codes = [503, 429]
    download(server.url, path)
    assert_fetched(path)


def test_missing_file_is_asked_for_once(server, path):
    server.codes = [404] * 9
    with pytest.raises(DownloadError, match="HTTP Error 404: Not Found; .* put it at"):
        download(server.url, path)
    assert server.ranges == [None]


def test_server_that_stays_busy(server, path):
    server.codes = [503] * 9
    with pytest.raises(DownloadError, match="503"):
        download(server.url, path, retries=2)
    assert len(server.ranges) == 3


def test_no_room_on_the_disk(server, path, monkeypatch):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: free)
    with pytest.raises(OSError, match="0.0 GB are to come") as caught:
        download(server.url, path)
    assert caught.value.errno == errno.ENOSPC
    assert not path.exists()


def make_archive(members, mode="w:gz"):
    """Bytes of a tar file of these names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o444
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {"LibriSpeech/README.TXT": b"read me", "LibriSpeech/dev/1/2/1-2.flac": CONTENT}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_extract(tmp_path, mode):
    archive, folder = tmp_path / "dev.tar", tmp_path / "corpus"
    archive.write_bytes(make_archive(MEMBERS, mode))
    extract(archive, folder)
    for name, content in MEMBERS.items():
        assert (folder / name).read_bytes() == content
    archive.unlink()
    extract(archive, folder)  # it is done


def test_cut_archive_is_extracted_again_when_it_is_whole(tmp_path):
    archive, folder = tmp_path / "dev.tar.gz", tmp_path / "corpus"
    whole = make_archive(MEMBERS)
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DownloadError, match="dev.tar.gz: cannot be unpacked .*: remove it"):
        extract(archive, folder)
    archive.write_bytes(whole)
    extract(archive, folder)
    for name, content in MEMBERS.items():
        assert (folder / name).read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"<html>no such file</html>" * 100])
def test_file_that_is_no_archive(tmp_path, content):
    (tmp_path / "dev.tar.gz").write_bytes(content)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        extract(tmp_path / "dev.tar.gz", tmp_path / "corpus")


def test_nothing_is_written_outside(tmp_path):
    archive, folder = tmp_path / "dev.tar.gz", tmp_path / "corpus"
    archive.write_bytes(make_archive({"../evil": b""}))
    with pytest.raises(DownloadError, match="outside the destination"):
        extract(archive, folder)
    assert not (tmp_path / "evil").exists()


def test_links_do_not_lead_outside(tmp_path):
    archive, folder = tmp_path / "dev.tar.gz", tmp_path / "corpus"
    link = tarfile.TarInfo("audio")
    link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(link)
    with pytest.raises(DownloadError, match="outside the destination"):
        extract(archive, folder)


def test_fetch_archive_keeps_no_archive(server, tmp_path):
    server.content = make_archive(MEMBERS)
    fetch_archive(server.url, tmp_path / "corpus", md5=hashlib.md5(server.content).hexdigest())
    assert (tmp_path / "corpus" / "LibriSpeech" / "README.TXT").read_bytes() == b"read me"
    assert not (tmp_path / "corpus" / "corpus.tar.gz").exists()
    fetch_archive(f"{server.url}?download=1", tmp_path / "corpus")
    assert server.ranges == [None]
