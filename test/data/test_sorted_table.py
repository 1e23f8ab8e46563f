"""Tables on disk are found in as a dict would, and what is wrong with them is named."""

import multiprocessing
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_ssr.data import sorted_table
from espnet_ssr.data.sorted_table import SortedTable
from espnet_ssr.datadir import read_keyed

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=6)
VALUES = st.text("ab é", max_size=40).map(str.strip)


def write(path, lines):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that keys, values and lines go over their ends."""
    monkeypatch.setattr(sorted_table, "BLOCK", 7)


@given(table=st.dictionaries(KEYS, VALUES, min_size=1), others=st.lists(KEYS))
def test_what_a_dict_gives(tmp_path_factory, table, others):
    path = tmp_path_factory.mktemp("tables") / "table"
    write(path, [f"{key} {table[key]}".rstrip() for key in sorted(table)])
    assert read_keyed(path) == table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_table, "BLOCK", 7)
        found = SortedTable(path)
        assert {key: found[key] for key in table} == table
        assert dict(found.items()) == table
        keys = sorted(table)[::2]
        assert list(found.values_of(keys)) == [table[key] for key in keys]
        for other in set(others) - table.keys():
            with pytest.raises(KeyError, match="no line of"):
                found[other]


def test_last_line_without_its_end(tmp_path, small_blocks):
    (tmp_path / "table").write_text("a 1 2\nb\nc  3 ")
    table = SortedTable(tmp_path / "table")
    assert [table[key] for key in "abc"] == ["1 2", "", "3"]


def test_missing_keys_say_how_to_sort(tmp_path):
    table = SortedTable(write(tmp_path / "table", ["a 1", "c 3"]))
    with pytest.raises(KeyError, match=r"table: no line of b at its place.*LC_ALL=C sort -o"):
        table["b"]
    with pytest.raises(KeyError, match="no line of b"):
        list(table.values_of(["a", "b"]))
    with pytest.raises(KeyError, match="no line of d"):
        list(table.values_of(["a", "d"]))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["b 1", "a 2"], "table:2: a follows b: sort it: LC_ALL=C sort -o"),
        (["a 1", "b 1", "b 2"], "table:3: duplicate key b"),
        (["a 1", "", "b 2"], "table:2: empty line"),
        ([], "table: there is nothing in it"),
    ],
)
def test_what_is_wrong_at_the_beginning_is_found_at_the_start(tmp_path, lines, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SortedTable(write(tmp_path / "table", lines))


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        (["a 1", "b 1", "b 2", "c 3"], "b", "table:3: duplicate key b"),
        (["a 1", "", "c 3"], "b", "table:2: empty line"),
    ],
)
def test_what_is_wrong_further_on_is_found_where_it_is_read(
    tmp_path, monkeypatch, small_blocks, lines, key, message
):
    monkeypatch.setattr(sorted_table, "CHECKED_LINES", 1)
    table = SortedTable(write(tmp_path / "table", lines))
    for read in (lambda: table[key], lambda: dict(table.items())):
        with pytest.raises(ValueError, match=re.escape(message)):
            read()


def test_bad_utf8_is_named_by_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sorted_table, "CHECKED_LINES", 1)
    (tmp_path / "table").write_bytes(b"a 1\nb 2\nc \xff\nd 4\n")
    table = SortedTable(tmp_path / "table")
    assert table["d"] == "4"
    with pytest.raises(ValueError, match=r"table:3: not UTF-8"):
        table["c"]


def test_a_file_that_is_replaced_is_not_read(tmp_path):
    table = SortedTable(write(tmp_path / "table", ["a 1", "b 2"]))
    write(tmp_path / "new", ["a 3"]).rename(tmp_path / "table")
    assert table["b"] == "2"


def read_all(table, keys):
    return [table[key] for key in keys]


def test_processes_share_a_table(tmp_path):
    """Forked ones have the same file; were its position theirs together, they would mix it up."""
    keys = [f"{i:04}" for i in range(2000)]
    table = SortedTable(write(tmp_path / "table", [f"{key} {key * 9}" for key in keys]))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [
        context.Process(target=lambda part: queue.put(read_all(table, part)), args=(keys[i::2],))
        for i in range(2)
    ]
    for worker in workers:
        worker.start()
    found = [value for _ in workers for value in queue.get(timeout=60)]
    assert sorted(found) == [key * 9 for key in keys]


def test_a_table_can_be_pickled(tmp_path):
    table = pickle.loads(pickle.dumps(SortedTable(write(tmp_path / "table", ["a 1"]))))
    assert table["a"] == "1"
