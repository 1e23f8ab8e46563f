"""Likelihoods against a plain loop of transformers, for all ways in which a part can come."""

import time

import pytest
import torch
from experiments import BeepAligner
from likelihoods import check, spell
from tiny_causal_lm import make_tokenizer

from espnet_ssr import Speech, SpeechLM
from espnet_ssr.evaluate.choice.answer import make_answer
from espnet_ssr.evaluate.choice.item import Item, Part
from espnet_ssr.evaluate.choice.scorers import (
    CascadeScorer,
    Chance,
    MeanEmbeddingScorer,
    SpeechLMScorer,
    TextScorer,
    VectorsScorer,
    permute_embeddings,
    shared_context,
)
from espnet_ssr.evaluate.choice.scorers.speech import TRANSCRIPTS
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.task.lm import SSRLMTask


def text(*texts):
    return tuple(Part(t) for t in texts)


@pytest.fixture(scope="module")
def speech(beeps):
    """A function from what is said to a part that is spoken."""
    return lambda said: Part(f" {said}", True, beeps(len(said.split())))


@pytest.mark.parametrize("positions", [4096, 150])
def test_text_is_scored_as_by_transformers(llm, tokenizer, monkeypatch, positions):
    monkeypatch.setattr(shared_context, "MAX_POSITIONS", positions)  # some or many batches
    contexts = ["The cat", "", "A much longer context of many more tokens", "No"]
    endings = [" sat.", " ran far away.", "x", " lay down"]
    pairs = [(text(c) if c else (), text(e)) for c in contexts for e in endings[: 2 + len(c) % 3]]
    scorer = TextScorer(llm, tokenizer)
    for (context, ending), score in zip(pairs, scorer.score(pairs), strict=True):
        context, ending = [p.text for p in context], [p.text for p in ending]
        check(scorer, score, context, ending, spell(scorer, ending[0]))
    assert scorer.score([]) == []


def test_words_alone_are_read_where_something_is_said(llm, tokenizer):
    scorer = TextScorer(llm, tokenizer, TRANSCRIPTS["normalised"])
    said = (Part("So: "), Part("It cost $5.", True, "x.wav"))
    read, heard = scorer.score(
        [((*text("So: "), *text("it cost five dollars")), text(" OK.")), (said, text(" OK."))]
    )
    assert heard.per_token.tolist() == read.per_token.tolist()


def test_without_a_context_the_first_token_is_predicted_from_one_that_begins_a_text(llm):
    scorer = TextScorer(llm, make_tokenizer(start=False))
    first, second = scorer.score([((), text("so")), (text("a"), text("so"))])
    check(scorer, first, [], ["so"], spell(scorer, "so"))
    # The loop puts a token before all; this tokenizer puts none before a text.
    before = torch.cat([llm.embed(spell(scorer, "a")), llm.embed(spell(scorer, "so"))])[:1]
    logits = llm.model(inputs_embeds=before[None]).logits[0, -1].log_softmax(-1)
    assert second.per_token[0].item() == pytest.approx(
        logits[spell(scorer, "so")[0]].item(), abs=1e-4
    )


def test_speech_as_context_first_and_in_the_middle_and_as_candidate(lm, speech):
    scorer = SpeechLMScorer(lm, forced=True)
    first, candidate = speech("ab c"), speech("de")
    vectors = {part: lm.embed(part.audio, part.text.strip()) for part in (first, candidate)}
    pairs = [
        ((first,), text(" yes")),
        ((first,), text(" not at all")),
        ((Part("He said"), first, Part(".")), text(" yes")),
        ((Part("He said"),), (candidate,)),
        ((first,), (candidate,)),
        ((), (first, Part("!"))),
    ]
    scores = scorer.score(pairs)
    ids = [spell(scorer, said) for said in (" yes", " not at all", " de", " ab c")]
    check(scorer, scores[0], [vectors[first]], [" yes"], ids[0])
    check(scorer, scores[1], [vectors[first]], [" not at all"], ids[1])
    check(scorer, scores[2], ["He said", vectors[first], "."], [" yes"], ids[0])
    check(scorer, scores[3], ["He said"], [vectors[candidate]], ids[2])
    check(scorer, scores[4], [vectors[first]], [vectors[candidate]], ids[2])
    check(scorer, scores[5], [], [vectors[first], "!"], ids[3] + spell(scorer, "!"))


def test_the_aligner_may_be_told_the_words_only(lm, speech):
    part = speech("ab c")._replace(text=" Ab, C.")
    scorer = SpeechLMScorer(lm, forced=True, transcript=TRANSCRIPTS["normalised"])
    (score,) = scorer.score([(text("He said"), (part,))])
    check(scorer, score, ["He said"], [lm.embed(part.audio, "ab c")], spell(scorer, " ab c"))


def test_textless_scores_the_nearest_tokens_of_what_is_heard(lm, speech):
    scorer = SpeechLMScorer(lm, forced=False)
    part = speech("ab c")
    vectors = lm.embed(part.audio)
    assert len(vectors) == 2  # beeps, not letters
    ids = scorer.nearest(vectors).tolist()
    assert [lm.tokenizer.decode([i]) for i in ids] == lm.nearest(vectors)
    (score,) = scorer.score([(text("He said"), (part,))])
    check(scorer, score, ["He said"], [vectors], ids)


def test_all_at_once_is_as_one_by_one(lm, speech):
    scorer = SpeechLMScorer(lm, forced=True)
    contexts = [(), text("a"), (speech("ab"),), (Part("x " * 20), speech("cd ef"), Part("."))]
    pairs = [(c, e) for c in contexts for e in (text(" no"), (speech("gh i"),), text(" is it so?"))]
    for pair, score in zip(pairs, scorer.score(pairs), strict=True):
        alone = SpeechLMScorer(lm, forced=True).score([pair])[0]
        torch.testing.assert_close(score.per_token, alone.per_token, atol=1e-4, rtol=0)


def test_permuting_leaves_the_logits_and_says_which_tokens_moved(causal_lm, llm):
    broken = load_language_model(causal_lm)
    permute_embeddings(broken)
    old, new = llm.embedding_matrix(), broken.embedding_matrix()
    assert (old != new).any(1).float().mean() > 0.9
    assert torch.equal(old.sum(1).sort().values, new.sum(1).sort().values)
    hidden = torch.randn(3, llm.width)
    assert torch.equal(llm.logits(hidden), broken.logits(hidden))


def test_the_mean_embedding_knows_the_number_of_tokens_only(llm, tokenizer):
    scorer = MeanEmbeddingScorer(llm, tokenizer)
    one, other, long = (Part(f" {w}", True) for w in ("abc", "xyz", "abcd"))
    a, b, c = scorer.score([((part,), text(" so")) for part in (one, other, long)])
    assert torch.equal(a.per_token, b.per_token)
    assert not torch.allclose(a.per_token, c.per_token)
    mean = llm.embedding_matrix().mean(0)
    check(scorer, a, [mean.expand(4, -1)], [" so"], spell(scorer, " so"))
    (said,) = scorer.score([((), (one,))])
    check(scorer, said, [], [mean.expand(4, -1)], spell(scorer, " abc"))


class Recogniser:
    """Writes the number of seconds; counts what it is asked."""

    sample_rate = 8000

    def __init__(self):
        self.heard = 0

    def transcribe(self, audio):
        self.heard += len(audio)
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return [f"{len(samples) / self.sample_rate:.1f}  sec\nonds" for samples in audio]


def test_the_cascade_reads_transcripts_and_keeps_them(llm, tokenizer, speech, tmp_path):
    recogniser = Recogniser()
    pairs, costs = [((Part("He said"), speech("ab c")), (speech("de"),))], []
    for _ in range(2):  # the second one finds the files of the first one
        scorer = CascadeScorer(llm, tokenizer, recogniser, tmp_path)
        (score,) = scorer.score(pairs)
        ids = spell(scorer, " 0.8 sec onds")
        check(scorer, score, ["He said", " 1.2 sec onds"], [" 0.8 sec onds"], ids)
        # The second one knows what the first one's transcripts cost.
        costs.append(scorer.cost([part for parts in pairs[0] for part in parts]))
    assert recogniser.heard == 2
    assert costs[0] == costs[1]
    assert costs[0].cpu_seconds >= 0.05
    assert costs[0].audio_seconds == pytest.approx(2.0)
    for file in tmp_path.rglob("*.txt"):  # one of before costs were kept
        file.write_text(file.read_text().splitlines()[0] + "\n")
    scorer = CascadeScorer(llm, tokenizer, recogniser, tmp_path)
    (again,) = scorer.score(pairs)
    assert torch.equal(again.per_token, score.per_token)
    assert scorer.cost(pairs[0][1]) is None


def test_a_rival_hears_contexts_and_cannot_be_asked_for_spoken_candidates(make_experiment, speech):
    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8", "--connector", "stack"]
    checkpoint = make_experiment(*options, "--connector_conf", "num_layers=1", task=SSRLMTask)
    lm = SpeechLM.from_pretrained(checkpoint)
    part = speech("ab c")
    for scorer in (
        VectorsScorer(lm.llm, lm.tokenizer, lm.embed),
        SpeechLMScorer(lm, forced=False),
        SpeechLMScorer(lm, forced=True),
    ):
        (score,) = scorer.score([((part,), text(" yes"))])
        check(scorer, score, [lm.embed(part.audio)], [" yes"], spell(scorer, " yes"))
        with pytest.raises(ValueError, match="speech can only be a context"):
            scorer.score([(text("a"), (part,))])


def test_what_hearing_costs(lm, speech, llm, tokenizer):
    context, candidate = speech("ab c"), speech("de")
    for scorer in (
        SpeechLMScorer(lm, forced=True),
        SpeechLMScorer(lm, forced=False),
        VectorsScorer(lm.llm, lm.tokenizer, lm.embed),
    ):
        scorer.score([((Part("He said"), context), text(" yes")), ((candidate,), text(" yes"))])
        both = scorer.cost([Part("He said"), context, candidate, context])
        assert both.audio_seconds == pytest.approx(2.0)
        assert both.cpu_seconds > 0
        one = scorer.cost([candidate])
        assert one.real_time_factor == pytest.approx(both.real_time_factor, rel=0.01)
        assert scorer.cost(text("He said")) is None
    reader = TextScorer(llm, tokenizer)
    reader.score([((context,), text(" yes"))])
    assert reader.cost([context]) is None
    assert Chance().cost([context]) is None


def test_what_it_writes(lm, speech):
    scorer = SpeechLMScorer(lm, forced=True)
    part = speech("ab c")
    prompts = [(Part("He said"), part, Part("\nShe")), text("So")]
    found = scorer.generate(prompts, 5)
    speeches = [[Speech(part.audio, text="ab c")], []]
    assert found == lm.generate(["He said<speech>\nShe", "So"], speeches, 5)
    assert TextScorer(lm.llm, lm.tokenizer).generate([text("So")], 5) == found[1:]


def test_chance():
    scorer = Chance()
    scores = scorer.score([((), text("a")), ((), text("a long one"))])
    answer = make_answer(Item("1", "", (), (text("a"), text("a long one")), 0), scores)
    assert [answer.credit(n) for n in ("none", "token", "character")] == [0.5, 0.5, 0.5]
    assert scorer.generate([text("a")], 3) == [""]


def test_what_cannot_be_scored_is_named_and_the_rest_is_kept(lm, speech):
    scorer = SpeechLMScorer(lm, forced=True)
    good, bad = speech("ab c"), Part(" ab c d", True, speech("ab c").audio)
    pair = ((good,), text(" yes"))
    with pytest.raises(ValueError, match="2.wav: .*3 words, 2 beeps"):
        scorer.score([pair, ((bad,), text(" yes"))])
    heard = dict(scorer._known)
    scorer.score([pair])
    assert scorer._known == heard  # nothing was heard again
    with pytest.raises(ValueError, match="nothing to score: a candidate has no tokens"):
        scorer.score([(text("a"), text(""))])
    with pytest.raises(ValueError, match="takes .* positions, and the LLM's context has"):
        scorer.score([(text("a" * 3000), text(" yes"))])


def test_an_aligner_that_hears_is_needed_for_textless(make_experiment, speech):
    class Deaf(BeepAligner):
        textless = False

    options = ["--encoder", "tiny", "--encoder_conf", "output_size=8"]
    lm = SpeechLM.from_pretrained(make_experiment(*options), aligner=Deaf())
    with pytest.raises(ValueError, match="Deaf needs transcripts"):
        SpeechLMScorer(lm, forced=False).score([((speech("ab"),), text(" yes"))])
