"""Training through the LLM: its loss by hand, batches, what is trained, and that it learns."""

import pytest
import torch
from tiny_causal_lm import make_tokenizer
from torch.nn.functional import cross_entropy, kl_div

from espnet_ssr.connector import AbsConnector, ConnectorOutput, MeanConnector
from espnet_ssr.llm.load import load_language_model, load_llm
from espnet_ssr.llm.lora import LoraLanguageModel
from espnet_ssr.llm.prompt import Dictation, Prompt
from espnet_ssr.model.lm import SSRLMModel

SIZE, WIDTH = 6, 16
FRAMES = (9, 4, 12)
TOKENS = ([30, 10, 70], [50], [0, 90, 30, 20])


class Pairs(AbsConnector):
    """A vector for every two frames, with a loss of its own; notes what it was told."""

    needs_segmentation = False
    token_aligned = False

    def __init__(self):
        super().__init__()
        self.output = torch.nn.Linear(2 * SIZE, WIDTH)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        self.told = token_end, token_lengths
        pairs = feats[:, : feats.size(1) // 2 * 2].unflatten(1, (-1, 2)).flatten(2)
        losses = {"size": 0.1 * self.output.weight.square().mean()}
        return ConnectorOutput(self.output(pairs), feats_lengths // 2, losses)


def pad(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        "feats": pad([torch.randn(n, SIZE, generator=generator) for n in FRAMES]),
        "feats_lengths": torch.tensor(FRAMES),
        "token_id": pad([torch.tensor(ids) for ids in TOKENS]),
        "token_id_lengths": torch.tensor([len(ids) for ids in TOKENS]),
    }


def make_model(causal_lm, connector=None, end="\n", llm_conf=None, **options):
    torch.manual_seed(0)
    llm = load_language_model(causal_lm, **llm_conf or {})
    prompts = {"transcribe": Prompt(make_tokenizer(start=True), f"a<speech>bc<text>{end}")}
    return SSRLMModel(
        connector or Pairs(),
        llm,
        prompts,
        {"transcribe": 1.0},
        encoder=None,
        frame_rate=50.0,
        **options,
    )


def one(batch, i):
    """A batch of one utterance, without padding."""
    frames, tokens = FRAMES[i], len(TOKENS[i])
    return {
        "feats": batch["feats"][i : i + 1, :frames],
        "feats_lengths": torch.tensor([frames]),
        "token_id": batch["token_id"][i : i + 1, :tokens],
        "token_id_lengths": torch.tensor([tokens]),
    }


def logits_by_hand(model, vectors, ids):
    """Of the tokens after vectors, straight from transformers."""
    prompt = model.prompts["transcribe"]
    parts = [model.llm.embed(prompt.before), vectors, model.llm.embed(prompt.after)]
    inputs = torch.cat([*parts, model.llm.embed(ids)])[None]
    return model.llm.model(inputs_embeds=inputs).logits[0, -len(ids) - 1 : -1]


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("loss", ["cross_entropy", "kl"])
def test_loss_is_the_formula_and_padding_is_not_seen(causal_lm, batch, loss, end):
    model = make_model(causal_lm, end=end, losses={loss: 1.0}).eval()
    found, stats, weight = model(utt_id=["a", "b", "c"], **batch)
    nats, divergence = [], []
    for i, text in enumerate(TOKENS):
        ids = torch.tensor([*text, *model.prompts["transcribe"].end])
        vectors = model.connect_one(one(batch, i)["feats"][0])
        logits = logits_by_hand(model, vectors, ids)
        wanted = logits_by_hand(model, model.llm.embed(text), ids)
        nats.append(cross_entropy(logits, ids, reduction="none"))
        divergence.append(
            kl_div(logits.log_softmax(-1), wanted.softmax(-1), reduction="none").sum(-1)
        )
    own = 0.1 * model.connector.output.weight.square().mean()
    expected = torch.cat(nats if loss == "cross_entropy" else divergence).mean() + own
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stats["nats"], torch.cat(nats).mean(), rtol=1e-4, atol=1e-4)
    assert weight == sum(map(len, TOKENS)) + len(TOKENS) * len(model.prompts["transcribe"].end)
    assert set(stats) == {"loss", "nats", "nats_transcribe", "token_accuracy", "size"} | {"kl"} & {
        loss
    }
    assert all(value.shape == () and not value.requires_grad for value in stats.values())


def test_gradient_of_a_batch_is_that_of_its_utterances(causal_lm, batch):
    model = make_model(causal_lm).eval()
    model(**batch)[0].backward()
    found = model.connector.output.weight.grad.clone()
    model.zero_grad()
    total = sum(map(len, TOKENS)) + len(TOKENS)
    for i in range(len(TOKENS)):
        loss, _, weight = model(**one(batch, i))
        (loss * weight / total).backward()
    torch.testing.assert_close(found, model.connector.output.weight.grad, rtol=1e-4, atol=1e-5)


def test_checkpointing_and_bfloat16(causal_lm, batch):
    losses = {}
    for name, conf in {
        "plain": {},
        "checkpointed": {"gradient_checkpointing": True},
        "half": {"dtype": "bfloat16", "gradient_checkpointing": True},
    }.items():
        model = make_model(causal_lm, llm_conf=conf).to(dtype=torch.float32)
        losses[name] = model(**batch)[0]
        losses[name].backward()
        assert model.connector.output.weight.grad.isfinite().all()
        assert model.llm.dtype == getattr(torch, conf.get("dtype", "float32"))
    torch.testing.assert_close(losses["plain"], losses["checkpointed"])
    torch.testing.assert_close(losses["plain"], losses["half"], rtol=0.05, atol=0.05)


def test_the_llm_gets_no_gradient_and_is_in_no_checkpoint(causal_lm, batch):
    model = make_model(causal_lm)
    model(**batch)[0].backward()
    assert all(p.grad is None for p in model.llm.parameters())
    assert set(model.state_dict()) == {"connector.output.weight", "connector.output.bias"}


def test_utterances_without_vectors(causal_lm, batch):
    model = make_model(causal_lm)
    batch["feats_lengths"] = torch.tensor([1, 0, 12])
    batch["feats"][:2] = float("nan")
    vectors = model.connector(batch["feats"], batch["feats_lengths"])
    assert vectors.lengths.tolist() == [0, 0, 6]
    loss, *_ = model(**batch)
    assert loss.isfinite()


def test_the_number_of_tokens_is_told_in_training_only(causal_lm, batch):
    model = make_model(causal_lm)
    model(**batch)
    assert model.connector.told == (None, batch["token_id_lengths"])
    model.eval()(**batch)
    assert model.connector.told == (None, None)


def test_segments_reach_connectors_that_need_them(causal_lm, batch):
    connector = MeanConnector(SIZE, WIDTH, hidden_size=8, num_layers=1)
    model = make_model(causal_lm, connector).eval()
    with pytest.raises(ValueError, match="MeanConnector needs segments: give token_end"):
        model(**batch)
    ends = [torch.arange(1, len(ids) + 1) * 0.04 for ids in TOKENS]
    assert model(token_end=pad(ends), **batch)[0].isfinite()


def test_unknown_loss_is_refused(causal_lm):
    with pytest.raises(ValueError, match=r"losses: unknown \['mse'\]; there are cross_entropy, kl"):
        make_model(causal_lm, losses={"mse": 1.0})


def test_starts_around_the_mean_embedding_and_learns(causal_lm, batch):
    model = make_model(causal_lm)
    matrix = model.llm.embedding_matrix()
    torch.testing.assert_close(model.connector.output.bias.data, matrix.mean(0))
    first = model.eval()(**batch)[1]["nats"]
    optimizer = torch.optim.Adam(model.connector.parameters(), lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        model(**batch)[0].backward()
        optimizer.step()
    assert model(**batch)[1]["nats"] < 0.6 * first


class Tokens(AbsConnector):
    """A vector a token, from the first frames; distillable."""

    needs_segmentation = False

    def __init__(self):
        super().__init__()
        self.output = torch.nn.Linear(SIZE, WIDTH)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, feats, feats_lengths, token_end=None, token_lengths=None):
        lengths = torch.tensor([len(ids) for ids in TOKENS])
        feats = feats[:, : int(lengths.max())]
        return ConnectorOutput(self.dropout(self.output(feats)), lengths)


BOTH = {
    "continue": Prompt(make_tokenizer(start=True), "<speech>"),
    "transcribe": Prompt(make_tokenizer(start=True), "a<speech>bc<text>\n"),
}


def make_whole(causal_lm, llm=None, prompts=BOTH, **options):
    """A model of two tasks."""
    torch.manual_seed(0)
    llm = llm or load_language_model(causal_lm)
    options = {"tasks": {"continue": 1.0, "transcribe": 2.0}, **options}
    return SSRLMModel(Tokens(), llm, prompts, encoder=None, frame_rate=50.0, **options)


def test_tasks_are_drawn_in_training_and_all_done_in_validation(causal_lm, batch):
    model = make_whole(causal_lm)
    _, stats, weight = model.eval()(**batch)
    tokens = sum(map(len, TOKENS))
    assert weight == tokens + (tokens + len(TOKENS))
    nats = [stats["nats_continue"] * tokens, stats["nats_transcribe"] * (tokens + len(TOKENS))]
    torch.testing.assert_close(stats["nats"], sum(nats) / weight)
    model.train()
    torch.manual_seed(0)
    # The ends tell how often the transcript was written.
    ends = [int(model(**batch)[2]) - tokens for _ in range(30)]
    assert len(set(ends)) > 1
    assert sum(ends) / 90 == pytest.approx(2 / 3, abs=0.15)


def test_only_vectors_of_tokens_can_be_continued(causal_lm):
    llm = load_language_model(causal_lm)
    with pytest.raises(ValueError, match="tasks: continue: Pairs gives no vector for each token"):
        SSRLMModel(Pairs(), llm, BOTH, {"continue": 1.0}, encoder=None, frame_rate=50.0)
    with pytest.raises(ValueError, match="no prompt 'sing'; there are continue, transcribe"):
        make_whole(causal_lm, tasks={"sing": 1.0})
    with pytest.raises(ValueError, match="tasks: give at least one"):
        make_whole(causal_lm, tasks={})


def test_replayed_text_is_part_of_the_mean(causal_lm, batch):
    model = make_whole(causal_lm).eval()
    speech, _, count = model(**batch)
    texts = [[], [7, 8, 9, 60], [3]]
    replay = {
        "replay_id": pad([torch.tensor(ids, dtype=torch.long) for ids in texts]),
        "replay_id_lengths": torch.tensor([len(ids) for ids in texts]),
    }
    found, stats, weight = model(**batch, **replay)
    logits = model.llm.model(input_ids=torch.tensor(texts[1:2])).logits[0, :-1]
    text = cross_entropy(logits, torch.tensor(texts[1][1:]), reduction="sum")
    assert weight == count + 3
    torch.testing.assert_close(found, (speech * count + text) / weight, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stats["replay_loss"], text / weight, rtol=1e-4, atol=1e-4)
    nothing = {**replay, "replay_id_lengths": torch.tensor([0, 0, 1])}
    torch.testing.assert_close(model(**batch, **nothing)[0], speech)


def test_replayed_text_may_be_read_as_if_spoken(causal_lm, batch):
    """Every task is then done with it, too; the mark that begins a text is not spoken."""
    model = make_whole(causal_lm, spoken_replay=1.0).eval()
    _, _, count = model(**batch)
    start = make_tokenizer(start=True).bos_token_id
    replay = {
        "replay_id": torch.tensor([[start, 7, 8, 9, 60], [start, 3, 0, 0, 0], [0] * 5]),
        "replay_id_lengths": torch.tensor([5, 2, 0]),
    }
    loss, stats, weight = model(**batch, **replay)
    assert weight == count + 4 + (4 + len("\n"))  # going on, and writing with its end
    assert stats["replay_loss"] == 0
    assert loss.isfinite()


def test_what_is_dictated_has_no_teacher(causal_lm, batch):
    """Its loss is cross-entropy, whatever that of the other tasks."""
    prompts = {**BOTH, "dictate": Dictation(make_tokenizer(start=True), "a<dictated>")}

    def losses(*tasks):
        model = make_whole(
            causal_lm, prompts=prompts, tasks=dict.fromkeys(tasks, 1.0), losses={"kl": 1.0}
        )
        loss, stats, weight = model.eval()(**batch)
        return loss * weight, stats

    taught, stats = losses("continue", "transcribe")
    dictated, alone = losses("dictate")
    torch.testing.assert_close(dictated, alone["nats"] * sum(map(len, TOKENS)))
    together, both = losses("dictate", "continue", "transcribe")
    torch.testing.assert_close(together, taught + dictated, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both["kl"], stats["kl"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both["nats_dictate"], alone["nats"], rtol=1e-4, atol=1e-4)


def test_who_cannot_have_spoken_replay(causal_lm):
    llm, options = load_language_model(causal_lm), {"encoder": None, "frame_rate": 50.0}
    tasks = {"transcribe": 1.0}
    with pytest.raises(ValueError, match="spoken_replay: Pairs gives no vector for each token"):
        SSRLMModel(Pairs(), llm, BOTH, tasks, spoken_replay=0.5, **options)
    with pytest.raises(ValueError, match="spoken_replay: from 0 to 1, not 2"):
        SSRLMModel(Pairs(), llm, BOTH, tasks, spoken_replay=2, **options)


@pytest.mark.parametrize("finetune", ["lora", "vanilla"])
def test_the_teacher_is_the_llm_before_training(causal_lm, batch, finetune):
    teacher = load_language_model(causal_lm) if finetune == "vanilla" else None
    if finetune == "lora":
        llm = LoraLanguageModel(load_llm(causal_lm), rank=2)
    else:
        llm = load_language_model(causal_lm).requires_grad_(True)
    losses = {"losses": {"kl": 1.0}, "replay_losses": {"kl": 1.0}}
    model = make_whole(causal_lm, llm, teacher=teacher, **losses).eval()
    replay = {"replay_id": batch["token_id"], "replay_id_lengths": batch["token_id_lengths"]}
    with torch.no_grad():
        before = model(**batch, **replay)[1]
        for parameter in llm.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    assert before["replay_loss"].abs() < 1e-5  # on text it is its own teacher
    loss, stats, weight = model(**batch, **replay)
    assert stats["replay_loss"] > 0.01
    original = load_language_model(causal_lm)
    expected = 0.0
    vectors = [
        model.connector.output(f)[: len(t)] for f, t in zip(batch["feats"], TOKENS, strict=True)
    ]
    for prompt in BOTH.values():
        for vector, text in zip(vectors, TOKENS, strict=True):
            ids = torch.tensor(text)
            row = prompt.fill(vector, ids, llm)
            wanted = prompt.fill(original.embed(ids), ids, original)
            found = llm.logits(llm.hidden([row.inputs])[0]).log_softmax(-1)[-len(row.targets) :]
            teach = original.logits(original.hidden([wanted.inputs])[0]).softmax(-1)
            teach = teach[-len(row.targets) :]
            expected += kl_div(found, teach, reduction="sum")
    torch.testing.assert_close(
        (loss - stats["replay_loss"]) * weight, expected, rtol=1e-3, atol=1e-3
    )
    loss.backward()
    assert all(p.grad is not None for p in llm.parameters() if p.requires_grad)
    names = set(model.state_dict())
    assert not any(name.startswith("teacher") for name in names)
    if finetune == "lora":
        assert all("lora_" in name for name in names if name.startswith("llm."))


def test_a_frozen_connector_stays_as_it_is_and_in_checkpoints(causal_lm, batch):
    llm = load_language_model(causal_lm).requires_grad_(True)
    model = make_whole(causal_lm, llm)
    model.freeze_connector()
    model.train()
    assert model.llm.training
    assert not model.connector.dropout.training
    model(**batch)[0].backward()
    assert model.connector.output.weight.grad is None
    assert {"connector.output.weight", "connector.output.bias"} <= set(model.state_dict())
    other = make_whole(causal_lm, load_language_model(causal_lm).requires_grad_(True))
    other.freeze_connector()
    torch.nn.init.zeros_(other.connector.output.weight)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.connector.output.weight, model.connector.output.weight)


def test_utterances_whose_loss_is_not_finite_are_named(causal_lm, batch, caplog):
    model = make_whole(causal_lm)
    batch["feats"][1] = float("nan")
    loss, *_ = model(utt_id=["a", "b", "c"], **batch)
    assert not loss.isfinite()
    assert "the loss is not finite for b" in caplog.text


def test_autocast(causal_lm, batch):
    torch.manual_seed(0)
    plain = make_whole(causal_lm).eval()(**batch)[0]
    model = make_whole(causal_lm, autocast="bfloat16").eval()
    half = model(**batch)[0]
    assert not torch.equal(half, plain)
    torch.testing.assert_close(half, plain, rtol=0.02, atol=0.02)
    half.backward()
    assert model.connector.output.weight.grad.dtype == torch.float32
    with pytest.raises(ValueError, match="autocast: bfloat16 or nothing, not 'float16'"):
        make_whole(causal_lm, autocast="float16")
