"""The model card: what a model is, what it was trained on, its figures, how to use it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from espnet_ssr.datadir import write_lines
from espnet_ssr.environment import PACKAGES, read_environment
from espnet_ssr.evaluate.report_text import KINDS, percent
from espnet_ssr.markdown import number, table
from espnet_ssr.speech_lm.folder import ModelFiles
from espnet_ssr.speech_lm.load import find_encoder

CARD = "README.md"
PER_CENT = ("wer", "cer", "blimp", "blimp_interval")

HEAD = """\
---
license: other
license_name: see-below
tags: [speech, speech-llm, espnet, espnet_ssr]
---
"""

LICENCES = """\
To be filled in before it is published:

- these weights: TODO
- the LLM, {llm}: TODO
- the encoder, {encoder}: TODO
- the training data: TODO
- the code: Apache-2.0 (espnet_ssr)
"""

SPEECH_LM = """\
```python
from espnet_ssr import SpeechLM

lm = SpeechLM.from_pretrained("this folder, or its name on the hub")
print(lm.generate(lm.prompts["transcribe"], speech=["audio.flac"]))
```
"""

TRANSFORMERS = """\
The folder has all the code that it needs (`trust_remote_code`); espnet_ssr need not be installed.
Only the encoder's weights come from elsewhere.

```python
import soundfile
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.dynamic_module_utils import get_class_from_dynamic_module

name = "this folder, or its name on the hub"
model = AutoModelForCausalLM.from_pretrained(name, trust_remote_code=True).eval()
tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=True)
# {encoder_name}: a folder or a hub id. Audio is not padded to 30 s, as in training.
encoder_class = get_class_from_dynamic_module("{encoder_class}", name)
encoder = encoder_class({encoder_conf})

samples, rate = soundfile.read("audio.wav", dtype="float32")  # mono
assert rate == encoder.sample_rate
with torch.no_grad():
    speech = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
    feats, feats_lengths = encoder(*speech)
{connect}
    inputs_embeds = model.prompt_embeds("transcribe", vectors)
    ids = model.generate(
        inputs_embeds=inputs_embeds,
        attention_mask=torch.ones(inputs_embeds.shape[:2], dtype=torch.long),
        do_sample=False,
        max_new_tokens=64,
        stop_strings="\\n",
        tokenizer=tokenizer,
    )
print(tokenizer.decode(ids[0], skip_special_tokens=True).split("\\n")[0])
```

`vectors` are in the space of `model.get_input_embeddings()`: put any text's embeddings before and
after them and give it all to `model(inputs_embeds=...)` or `model.generate(inputs_embeds=...)`.
"""

WITH_SEGMENTS = """\
    # The end of each token (or word) in seconds, from an aligner, or another recogniser's times.
    token_end = torch.tensor([[0.42, 0.70, 1.16]])
    vectors, _ = model.connect(feats, feats_lengths, token_end)"""

WITHOUT_SEGMENTS = """\
    vectors, _ = model.connect(feats, feats_lengths)"""


def write_card(files: ModelFiles, args: Namespace, folder: Path, usage: str) -> None:
    """Write ``README.md``; what is not known is left out.

    Args:
        files: of the model; beside its checkpoint are ``env.txt`` and, in folders of folders,
            ``result.json``.
        args: of the training.
        folder: to write to.
        usage: how to use what is in it.
    """
    run = Path(files.model_file).parent
    sections = {
        "Use": usage,
        "Model": _bullets(_describe(files, args)),
        "Data": _bullets(_list_data(args)),
        "Results": "\n".join(_tables(sorted(run.glob("*/*/result.json")))),
        "Made with": _bullets(_versions(run / "env.txt")),
        "Licences": LICENCES.format(llm=public_name(args.llm), encoder=_encoder_name(files, args)),
    }
    text = f"{HEAD}\n# {args.connector} connector for {Path(args.llm).name}\n"
    text += "".join(f"\n## {name}\n\n{body}" for name, body in sections.items() if body)
    write_lines(folder / CARD, text.splitlines())


def transformers_usage(encoder: dict, encoder_class: str, needs_segmentation: bool) -> str:
    """How to use an exported folder.

    Args:
        encoder: see ``SSRConfig``.
        encoder_class: ``module.class`` in the folder.
        needs_segmentation: of the connector.
    """
    conf = encoder["conf"]
    return TRANSFORMERS.format(
        encoder_name=conf.get("model", "The encoder's model"),
        encoder_class=encoder_class,
        encoder_conf=", ".join(f"{name}={value!r}" for name, value in conf.items()),
        connect=WITH_SEGMENTS if needs_segmentation else WITHOUT_SEGMENTS,
    )


def _describe(files: ModelFiles, args: Namespace) -> dict[str, str]:
    aligner = files.aligner
    head_conf = dict(getattr(args, "head_conf", None) or {})
    if head_conf.get("dictionary"):
        head_conf["dictionary"] = public_name(head_conf["dictionary"])
    return {
        "connector": _with_options(args.connector, args.connector_conf),
        "head": _with_options(getattr(args, "head", "linear"), head_conf),
        "LLM": public_name(args.llm),
        "trained of the LLM": {"vanilla": "all weights", "lora": "adapters (LoRA)"}.get(
            getattr(args, "finetune", "none"), "nothing"
        ),
        "encoder": _encoder_name(files, args),
        "segments": "not needed" if aligner is None else f"by {_aligner_name(aligner)}",
        "prompts": ", ".join(f"`{t!r}`" for t in (getattr(args, "prompts", None) or {}).values()),
    }


def _with_options(name: str, conf: dict) -> str:
    options = ", ".join(f"{option} {value}" for option, value in conf.items())
    return f"{name} ({options})" if options else name


def public_name(model: str) -> str:
    """A hub id, or a folder's name without what it is in on this machine."""
    return Path(model).name if Path(model).is_absolute() else model


def _encoder_name(files: ModelFiles, args: Namespace) -> str:
    name, conf = find_encoder(files, args)
    return public_name(conf.get("model") or name)


def _aligner_name(aligner: str) -> str:
    path = Path(aligner)
    return path.parent.name if path.suffix else aligner


def _list_data(args: Namespace) -> dict[str, str]:
    """Sets of the recipe, by the files that were trained on (``dump/<set>/seg_.../token_id``)."""
    found = {}
    for part in ("train", "valid"):
        for path, name, _ in getattr(args, f"{part}_data_path_and_name_and_type", None) or ():
            parents = [p.name for p in Path(path).parents]
            if name == "token_id" and len(parents) > 1:
                found[part] = f"{parents[1]}, segments {parents[0]}"
    return found


def _tables(results: Iterable[Path]) -> Iterable[str]:
    """A table for each kind of figures in each file ``.../<test set>/result.json``."""
    kinds = set()
    for path in results:
        result = json.loads(path.read_text(encoding="utf-8"))
        for kind in KINDS:
            if kind in result:
                kinds.add(kind)
                yield f"**{path.parent.name}** ({path.parent.parent.name}, {kind})\n"
                yield _table(result[kind])
    for kind in KINDS:
        if kind in kinds:
            yield KINDS[kind]


def _table(figures: dict) -> str:
    rows = figures if all(isinstance(v, dict) for v in figures.values()) else {"": figures}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [[row, *(_cell(c, values.get(c)) for c in columns)] for row, values in rows.items()]
    return table(["", *(c.replace("_", " ") for c in columns)], cells)


def _cell(name: str, value: float | list | None) -> str:
    if isinstance(value, list):
        return " to ".join(_cell(name, v) for v in value)
    if name in PER_CENT:
        return percent(value)
    return str(value) if isinstance(value, int) else number(value, 3)


def _versions(env_file: Path) -> dict[str, str]:
    known = read_environment(env_file)
    return {n: known[n] for n in ("espnet_ssr", "python", *PACKAGES, "seed") if n in known}


def _bullets(entries: dict[str, str]) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in entries.items() if value)
