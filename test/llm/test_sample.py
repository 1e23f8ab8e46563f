"""Text that the LLM writes: drawn from its distribution, the same for a seed, resumed."""

import sys

import pytest
import torch
from tiny_causal_lm import make_tokenizer

from espnet_ssr.bin import sample_text
from espnet_ssr.llm.load import load_llm
from espnet_ssr.llm.prompt import first_tokens
from espnet_ssr.llm.sample import TextSampler, write_sampled_text

START, END = 256, 257


@pytest.fixture
def model(causal_lm):
    return load_llm(causal_lm)


def test_tokens_are_drawn_from_the_whole_distribution(model):
    # What a model's own file says about generation does not count.
    model.generation_config.top_k = 1
    model.generation_config.temperature = 0.1
    count = 4000
    drawn = TextSampler(model, make_tokenizer(start=True), length=1).draw_ids(count, [0])
    counts = torch.bincount(torch.tensor([row[0] if row else END for row in drawn]), minlength=258)
    with torch.no_grad():
        expected = count * model(input_ids=torch.tensor([[START]])).logits[0, -1].softmax(-1)
    # Both special tokens end a document, so that they cannot be told apart here.
    expected[END] += expected[START]
    expected[START] = 0
    likely = expected > 5
    statistic = ((counts - expected).square() / expected)[likely].sum()
    freedom = int(likely.sum())
    assert statistic < freedom + 5 * (2 * freedom) ** 0.5


def test_a_document_depends_on_its_seed_alone(model):
    sampler = TextSampler(model, make_tokenizer(start=True), length=20)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = sampler.draw_ids(3, [0, 1])
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert sampler.draw_ids(3, [0, 1]) == first
    assert sampler.draw_ids(3, [1, 0]) != first
    assert all(len(ids) <= 20 and not {START, END} & set(ids) for ids in first)


def test_start(model):
    tokenizer = make_tokenizer(start=False)
    assert first_tokens(tokenizer) == first_tokens(make_tokenizer(start=True)) == [START]
    default, other = (TextSampler(model, tokenizer, start, length=8) for start in (None, "ab"))
    assert default.draw_ids(4, [0]) != other.draw_ids(4, [0])
    with pytest.raises(ValueError, match="at least one token"):
        TextSampler(model, tokenizer, "")
    tokenizer.bos_token = None
    assert first_tokens(tokenizer) == [END]
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no token that begins or ends"):
        first_tokens(tokenizer)


def test_documents_are_lines(model, monkeypatch):
    tokenizer = make_tokenizer(start=True)
    sampler = TextSampler(model, tokenizer)
    texts = [" a\n\nb\tc ", "", "\n", "d\u2028é"]
    ids = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    ids[3].append(ids[3][-2])  # the first byte of é once more
    monkeypatch.setattr(sampler, "draw_ids", lambda count, seed: ids)
    assert sampler.draw(4, [0]) == ["a b c", "d é"]


def test_as_many_tokens_as_asked_for_and_a_stopped_run_goes_on(tmp_path):
    tokenizer, output, drawn = make_tokenizer(start=True), tmp_path / "new" / "text", []
    batches = [["one", "two"], ["three", "four"], ["five", "six"]]

    def draw(number, fail=None):
        if number == fail:
            raise KeyboardInterrupt
        drawn.append(number)
        return batches[number]

    settings = {"seed": 0}
    with pytest.raises(KeyboardInterrupt):
        write_sampled_text(lambda n: draw(n, fail=1), tokenizer, 12, output, settings)
    assert not output.exists()
    with pytest.raises(KeyboardInterrupt):
        write_sampled_text(lambda n: draw(n, fail=0), tokenizer, 12, output, {"seed": 1})
    assert write_sampled_text(draw, tokenizer, 12, output, settings) == 15
    assert drawn == [0, 1]
    assert output.read_text() == "one\ntwo\nthree\nfour\n"
    # What is left is of the other settings.
    assert len(list(output.parent.iterdir())) == 2


def test_an_llm_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="the LLM writes nothing .*'seed': 0.*another start"):
        write_sampled_text(
            lambda number: [], make_tokenizer(start=True), 5, tmp_path / "text", {"seed": 0}
        )


def test_command(causal_lm, tmp_path, monkeypatch, capsys):
    def run(*options):
        output = tmp_path / "text"
        command = ["--llm", causal_lm, "--output", str(output), "--num_tokens", "60"]
        monkeypatch.setattr(sys, "argv", ["sample_text", *command, "--length", "9", *options])
        sample_text.main()
        return output.read_text()

    first = run()
    assert run() == first != run("--seed", "1")
    assert run("--start", "a\\n") != first
    assert len(first.splitlines()) >= 60 / 18
    assert "text: 6" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("--batch_size", "0")
