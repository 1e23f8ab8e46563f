"""The list of the Asterisk prompts' texts."""

from espnet_ssr.recipes.asterisk_text import correct, read_prompt_list


def test_misspellings_and_what_is_not_said_are_corrected():
    assert correct("a", "mute or umute") == "mute or unmute"
    assert correct("a", "Un-indentified or witheld") == "unidentified or withheld"
    assert correct("demo-instruct", "Finally, go.") == " go."
    assert correct("a", "Finally, go.") == "Finally, go."


def test_list_of_prompts(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"; a: comment\n\na: x: y\r\nno colon\n: z\nb\xff: z\n a:again\nd d: z\nc:\n")
    prompts, bad = read_prompt_list(path)
    assert prompts == [("a", "x: y"), ("c", "")]
    assert [(line.number, line.cause) for line in bad] == [
        (4, "bad_line"),
        (5, "bad_line"),
        (6, "bad_utf8"),
        (7, "duplicate_key"),
        (8, "bad_line"),
    ]
