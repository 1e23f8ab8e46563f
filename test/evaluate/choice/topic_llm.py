"""An LLM that knows one thing: a text keeps to its topic; see ``tiny_benchmarks``."""

import torch
from tiny_benchmarks import TOPICS, WORDS, topic_of
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

START, UNKNOWN, END = "<s>", "<unk>", "</s>"
TOPIC_OF = {**{word: topic_of(word) for word in WORDS}, **{"ABCD"[t]: t for t in TOPICS}}
VOCABULARY = {token: n for n, token in enumerate([START, UNKNOWN, END, *TOPIC_OF])}
CERTAINTY = 8.0  # a logit's gain if all that was read is of its token's topic
NOISE = 0.1  # what else embeddings and logits differ in, so that no two are equally likely


def save_topic_llm(folder) -> str:
    """Write model and tokenizer to ``folder``; returns its name."""
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=12,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        _set_weights(model)
    model.save_pretrained(folder)
    _make_tokenizer().save_pretrained(folder)
    return str(folder)


def _set_weights(model):
    """Embeddings have the topic in places 0 to 3 and noise in 4 to 7. A head that looks at all
    alike adds the mean of the topics that were read in places 8 to 11, which logits depend on."""
    layer = model.model.layers[0]
    for module in (layer.self_attn, layer.mlp):
        for parameter in module.parameters():
            parameter.zero_()
    embedding, output = model.get_input_embeddings().weight, model.lm_head.weight
    generator = torch.Generator().manual_seed(0)
    for weight in (embedding, output):
        weight.zero_()
        weight[:, 4:8] = NOISE * torch.randn(len(weight), 4, generator=generator)
    for token, topic in TOPIC_OF.items():
        embedding[VOCABULARY[token], topic] = 1
        output[VOCABULARY[token], 8 + topic] = CERTAINTY
    for topic in TOPICS:
        layer.self_attn.v_proj.weight[topic, topic] = 1
        layer.self_attn.o_proj.weight[8 + topic, topic] = 1


def _make_tokenizer():
    """A token for a word, however it is written, and for a letter of a choice. Nothing else is
    seen, as it would tell a model with permuted embeddings the same of all questions."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token=UNKNOWN))
    seen = Regex(r"\d{3}|\b[A-D]\b|^a$")  # the last is what tokenizers are tried with
    tokenizer.pre_tokenizer = pre_tokenizers.Split(seen, "removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, VOCABULARY[START])]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=START, eos_token=END)
