"""The ruler, of every task in every mode, from the benchmark's files to likelihoods: they are those
of transformers; who hears perfectly scores as who reads; who is broken is at chance."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest
from likelihoods import TrueEmbeddings, answer_all, check, score_all, spell
from tiny_benchmarks import WRITERS, make_questions
from topic_llm import save_topic_llm

from espnet_ssr.evaluate.choice.questions import make_items
from espnet_ssr.evaluate.choice.scorers import SpeechLMScorer, TextScorer, permute_embeddings
from espnet_ssr.evaluate.choice.task import TASKS
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.tokenizer import load_tokenizer

SHOTS = 4  # of each topic one, so that they tell no topic


class Case(NamedTuple):
    """A task in a mode, with solved questions or without."""

    task: str
    mode: str
    shots: int = 0
    shots_mode: str | None = None

    def __str__(self):
        shots = f"-{self.shots_mode or 'same'}-shots" if self.shots else ""
        return f"{self.task}-{self.mode}{shots}"


def all_cases():
    for name, task in TASKS.items():
        for mode in task.modes:
            yield Case(name, mode)
            if task.shots is not None:
                yield Case(name, mode, SHOTS)
                other = "T" if mode != "T" else "S->T"
                yield Case(name, mode, SHOTS, other)


every_case = pytest.mark.parametrize("case", list(all_cases()), ids=str)


@pytest.fixture(scope="session")
def ask(tmp_path_factory):
    """A function from a case and a number of questions to its items."""
    known = {}

    def make(case, count):
        write = WRITERS[case.task]
        if (case.task, count) not in known:
            folder = tmp_path_factory.mktemp(case.task)
            shots_path = write(folder / "dev", make_questions(SHOTS, seed=1))
            known[case.task, count] = write(folder / "test", make_questions(count)), shots_path
        path, shots_path = known[case.task, count]
        shots = {"shots_mode": case.shots_mode, "shots_path": shots_path} if case.shots else {}
        return make_items(TASKS[case.task], case.mode, path, case.shots, **shots)

    return make


def with_audio(item, find):
    """The item with the audio that ``find`` gives for what is said."""

    def fill(parts):
        return tuple(p._replace(audio=find(p.text)) if p.spoken else p for p in parts)

    return replace(item, context=fill(item.context), candidates=tuple(map(fill, item.candidates)))


@every_case
def test_speech_is_where_the_mode_says(ask, case):
    shots_mode = (case.shots_mode or case.mode) if case.shots else "T"
    for item in ask(case, 4):
        asked = item.context and (case.mode.startswith("S") or shots_mode != "T")
        assert any(part.spoken for part in item.context) == bool(asked)
        said = [any(part.spoken for part in parts) for parts in item.candidates]
        assert said == [case.mode.endswith("S")] * len(item.candidates)


@every_case
def test_likelihoods_are_those_of_transformers(ask, case, lm, beeps):
    """What is spoken goes through a connector and comes as beeps, one for each word."""
    items = [with_audio(i, lambda text: beeps(len(text.split()))) for i in ask(case, 4)[:2]]
    scorer = SpeechLMScorer(lm, forced=True)
    scores = iter(score_all(scorer, items))

    def given(parts):
        return [lm.embed(p.audio, p.text.strip()) if p.spoken else p.text for p in parts]

    for item in items:
        context = given(item.context)
        for parts in item.candidates:
            ids = [i for part in parts for i in spell(scorer, part.text)]
            check(scorer, next(scores), context, given(parts), ids)


@every_case
def test_who_hears_perfectly_scores_exactly_as_who_reads(ask, case, llm, tokenizer):
    written = ask(case._replace(mode="T", shots_mode=None), 4)
    asked = ask(case, 4)
    read = score_all(TextScorer(llm, tokenizer), written)
    heard = score_all(TrueEmbeddings(llm, tokenizer), asked)
    for a, b in zip(read, heard, strict=True):
        assert a.token_id.tolist() == b.token_id.tolist()
        assert a.per_token.tolist() == b.per_token.tolist()


@pytest.fixture(scope="session")
def topic_llm(tmp_path_factory):
    """A function to systems that hear perfectly: with an LLM that can tell the right candidates, or
    with one whose embeddings are permuted."""
    folder = save_topic_llm(tmp_path_factory.mktemp("topic_llm"))
    whole, broken = load_language_model(folder), load_language_model(folder)
    permute_embeddings(broken)
    build = partial(TrueEmbeddings, tokenizer=load_tokenizer(folder))
    return build(whole), build(broken)


def accuracy(scorer, items, normalisation):
    answers = answer_all(scorer, items)
    return sum(answer.credit(normalisation) for answer in answers) / len(answers)


@every_case
def test_a_model_with_permuted_embeddings_is_at_chance(ask, case, topic_llm):
    task, count = TASKS[case.task], 100
    items = ask(case, count)
    assert len(items) == count
    whole, broken = (accuracy(scorer, items, task.normalisation) for scorer in topic_llm)
    deviation = (task.chance * (1 - task.chance) / count) ** 0.5
    assert whole > 0.9
    assert abs(broken - task.chance) < 3 * deviation
