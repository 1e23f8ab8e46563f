"""Tables and lists of the Markdown reports."""

from espnet_ssr.markdown import describe_run, number, table


def test_table():
    text = table(["model", "by", "n"], [["a|b", "me", "1"]], text_columns=2)
    assert text.splitlines() == [
        "| model | by | n |",
        "| --- | --- | ---: |",
        "| a\\|b | me | 1 |",
    ]


def test_table_without_rows():
    assert table(["a", "b"], []) == "| a | b |\n| --- | ---: |\n"


def test_numbers():
    assert [number(2.345, 1), number(2.0), number(None, 3), number(12.34, 1, " %")] == [
        "2.3", "2", "-", "12.3 %"
    ]  # fmt: skip


def test_run_names_command_and_environment():
    lines = describe_run("./run.sh --stage 4", models="small").splitlines()
    assert lines[1:3] == ["- command: `./run.sh --stage 4`", "- models: small"]
    assert any(line.startswith("- machine: ") for line in lines)
    assert "(commit " in "".join(lines)
