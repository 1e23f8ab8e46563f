"""The two ends of the ruler with a real LLM, on sentences that differ in one agreement."""

import re

import pytest
from likelihoods import TrueEmbeddings, answer_all
from tiny_benchmarks import write_lines

from espnet_ssr.evaluate.choice.questions import make_items
from espnet_ssr.evaluate.choice.scorers import TextScorer, permute_embeddings
from espnet_ssr.evaluate.choice.task import TASKS
from espnet_ssr.llm.load import load_language_model
from espnet_ssr.llm.tokenizer import load_tokenizer

SENTENCES = """\
The keys of the old house [are/is] on the table.
The door of the rooms [was/were] painted last week.
My sister and her friends [have/has] bought a boat.
The teacher [gives/give] us too much homework.
These apples [taste/tastes] better than those.
This river [flows/flow] through four countries.
The children [were/was] asleep when we came home.
Nobody in the village [knows/know] his name.
Each of the players [wants/want] to win the game.
The boys [hurt themselves/hurt himself] on the way to school.
The woman [cut herself/cut themselves] with a knife.
My brothers [taught themselves/taught itself] to swim.
The king [blamed himself/blamed herself] for the war.
I [am/is] not sure about the answer.
You [have/has] forgotten your umbrella again.
We [were/was] talking about the new bridge.
There [are/is] many reasons to be careful.
There [is/are] a letter for you in the kitchen.
She bought [these books/these book] at the market.
He never read [that letter/that letters] to the end.
The farmers [sell/sells] their milk in the city.
The cat that chased the mice [was/were] very tired.
The horses behind the barn [need/needs] some water.
The picture of the mountains [hangs/hang] in the hall.
Our neighbours [do/does] not like loud music.
His daughter [does/do] not eat meat.
The windows [have/has] been broken for a year.
The train to the northern towns [leaves/leave] at noon.
Two of the bottles [were/was] empty.
The price of the tickets [has/have] gone up.
Those trees [grow/grows] only near the sea.
The old man [walks/walk] to the church every morning.
Doctors [work/works] very long hours.
The soup that she made [was/were] too hot.
All of the guests [have/has] arrived.
The dogs in the yard [bark/barks] at every stranger.
My parents [live/lives] far away from here.
The answer to these questions [is/are] simple.
Her shoes [were/was] wet from the rain.
The judge [believes/believe] that he is innocent.
""".splitlines()


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """In the layout of BLiMP, to be spoken."""
    rows = []
    for n, sentence in enumerate(SENTENCES):
        good, bad = (re.sub(r"\[(.*)/(.*)\]", side, sentence) for side in (r"\1", r"\2"))
        row = {"UID": "agreement", "pairID": str(n), "sentence_good": good, "sentence_bad": bad}
        rows.append(row)
    folder = tmp_path_factory.mktemp("blimp")
    write_lines(folder / "agreement.jsonl", rows)
    return {mode: make_items(TASKS["blimp"], mode, folder) for mode in ("T", "S")}


def accuracy(answers):
    return sum(answer.credit("token") for answer in answers) / len(answers)


@pytest.mark.slow
def test_the_two_ends_of_the_ruler(items, installed_model):
    folder = installed_model("SmolLM2-135M-Instruct-q4_1")
    llm, tokenizer = load_language_model(folder), load_tokenizer(folder)
    read = answer_all(TextScorer(llm, tokenizer), items["T"])
    assert answer_all(TrueEmbeddings(llm, tokenizer), items["S"]) == read
    assert accuracy(read) > 0.8
    permute_embeddings(llm)
    broken = accuracy(answer_all(TrueEmbeddings(llm, tokenizer), items["S"]))
    assert abs(broken - 0.5) < 3 * 0.5 / len(SENTENCES) ** 0.5
