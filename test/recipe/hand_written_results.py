"""How to read the tables of RESULTS.md that were written by hand, before RESULTS.json was there."""

import re

from markdown_results import Column, Layout

CONTROLS = {
    "text": "text",
    "nothing": "nothing",
    "mean embedding": "mean embedding",
    "mean embedding of the training tokens": "mean embedding",
    "control: mean embedding of the training tokens": "mean embedding",
    "ssr_block_mean on segments of other utterances": "ssr_block_mean, shuffled segments",
}
OWN = ("cif", "acif")


def plain(text: str) -> str:
    """A row's name without marks, and without remarks in brackets at its end."""
    return re.sub(r" \((topline|control|default)\)$", "", text.replace("*", "").replace("`", ""))


def compared(row: list[str]) -> tuple[str, str]:
    """Rows of ``compare_connectors``: those distilled were told the segments, but for what
    ``OWN`` connectors are said to have themselves."""
    name = plain(row[0])
    if name in CONTROLS:
        return CONTROLS[name], ""
    if row[1] == "through the LLM":
        return name, "through the LLM, forced" if name == "ssr_block" else "through the LLM"
    return name, "forced"


def compared_layout(test_set: str, commit, **more) -> Layout:
    figures = (
        *("parameters", "vectors_per_second", "steps", "cpu_minutes", "token_accuracy"),
        *("centred_cosine", "wer", "textless_exact", "nats", "nats_other", "llm_wer"),
    )
    columns = {place: Column(figure) for place, figure in enumerate(figures, 3)}
    renamed = {
        (f"{name}, forced", figure): (f"{name}, own", figure)
        for name in OWN
        for figure in ("vectors_per_second", "textless_exact", "nats", "nats_other", "llm_wer")
    }
    return Layout(test_set, columns, compared, commit, renamed=renamed, **more)


def ablated(row: list[str]) -> tuple[str, str]:
    return f"ssr_block (464 steps; {plain(row[0]).replace(', ', '; ')})", "forced"


def tuned(row: list[str]) -> tuple[str, str]:
    name = plain(row[0])
    if name.startswith("cascade: "):
        return "whisper-tiny.en", "cascade"
    if name.startswith("distilled connector"):
        return "LLM untouched", "forced"
    return name, "fine-tuned, forced"


def tuned_columns() -> dict[int, Column]:
    before = {
        1: "cpu_minutes",
        2: "continuation_perplexity",
        3: "continuation_perplexity_text",
        4: "continuation_gap",
        5: "nats",
        6: "nats_text",
        7: "llm_wer",
        8: "dictation_wer",
    }
    after = {9: "perplexity", 10: "perplexity_change", 11: "blimp", 12: "blimp_change"}
    return {place: Column(figure) for place, figure in before.items()} | {
        place: Column(figure, "fine-tuned", "text") for place, figure in after.items()
    }


def aligner(row: list[str]) -> tuple[str, str]:
    return plain(row[0]), ""


def textless(row: list[str]) -> tuple[str, str]:
    return plain(row[0]), row[1]


SYSTEMS = {
    "mean": ("mean embedding", ""),
    "cascade": ("whisper-tiny.en", "cascade"),
    "forced": ("ssr_block_mean", "forced"),
    "textless": ("ssr_block_mean", "textless"),
    "stack": ("stack", "through the LLM"),
}
"""Of ``libri_synth``'s choice tasks."""


def _system(row: list[str]) -> tuple[str, str]:
    name = row[2] if len(row) > SYSTEM_COLUMNS else row[0]
    return SYSTEMS.get(name, (name, ""))


def _forced(name: str) -> str:
    return "" if name in CONTROLS else "forced"


SYSTEM_COLUMNS = 9  # of the table of accuracies; that of gaps has one more
GAPS = Layout("choice", {6: Column("gap_{0}_{1}")}, _system, lambda name: "14fcce5..8871916")
ACCURACIES = Layout(
    "choice",
    {place: Column("accuracy_{heading}") for place in range(1, SYSTEM_COLUMNS)},
    _system,
    lambda name: "14fcce5..8871916",
)
CHOICE = {
    "Choice|task": GAPS,
    "Choice|system": ACCURACIES,
    "Gap|task": GAPS,
    "Accuracy|system": ACCURACIES,
}

ASTERISK = {
    "Connectors|connector": compared_layout(
        "test", lambda name: "ce9442a" if name == "ssr_block_mean" else "1016dee..72b83d3"
    ),
    "Fine-tuning|mode": Layout(
        "test",
        tuned_columns(),
        tuned,
        lambda name: "73c425c..50af2e2",
        renamed={
            ("whisper-tiny.en, cascade", "llm_wer"): ("whisper-tiny.en, cascade", "wer"),
            ("LLM untouched, fine-tuned", "perplexity"): ("original LLM", "perplexity"),
            ("LLM untouched, fine-tuned", "blimp"): ("original LLM", "blimp"),
        },
    ),
    "What brought it there|losses": Layout(
        "test",
        {
            1: Column("token_accuracy", set="valid"),
            2: Column("token_accuracy"),
            3: Column("centred_cosine"),
            4: Column("mse"),
            5: Column("wer"),
        },
        ablated,
        lambda name: "d671e4d",
    ),
    "What brought it there|change to the default": Layout(
        "test",
        {
            1: Column("token_accuracy"),
            2: Column("centred_cosine"),
            3: Column("mse"),
            4: Column("wer"),
        },
        ablated,
        lambda name: "d243705..72b83d3",
    ),
    "Aligners|aligner": Layout(
        "synth",
        {
            1: Column("end_error"),
            2: Column("end_error_median"),
            3: Column("end_error_signed"),
            4: Column("end_error_unbiased"),
            5: Column("start_error"),
            6: Column("end_error", set="prompts against MFA"),
            7: Column("end_error_median", set="prompts against MFA"),
            8: Column("start_error", set="prompts against MFA"),
            9: Column("coverage", set="prompts against MFA"),
            10: Column("rtf", set="prompts against MFA"),
            11: Column("encoder_share", set="prompts against MFA"),
        },
        aligner,
        lambda name: "be3f11e..1c8ccf6",
    ),
    "Segments without transcripts|model": Layout(
        "test",
        {
            2: Column("textless_exact"),
            3: Column("textless_within_one"),
            4: Column("textless_surplus"),
            5: Column("tokens_found"),
            6: Column("centred_cosine"),
            7: Column("wer"),
            8: Column("cer"),
        },
        textless,
        lambda name: "unknown",  # the text does not say
    ),
}
LIBRI_SYNTH = {
    "test_voices|connector": compared_layout(
        "test_voices", lambda name: "ce9442a" if name == "ssr_block_mean" else "d243705..72b83d3"
    ),
    "Asterisk's test prompts|connector": Layout(
        "asterisk",
        {
            1: Column("token_accuracy"),
            2: Column("centred_cosine"),
            3: Column("wer"),
            4: Column("nats"),
            5: Column("nats_text"),
            6: Column("nats_other"),
            7: Column("nats_nothing"),
        },
        lambda row: (CONTROLS.get(plain(row[0]), plain(row[0])), _forced(plain(row[0]))),
        lambda name: "ce9442a" if name == "ssr_block_mean" else "d243705..72b83d3",
        renamed={
            (f"{name}, forced", figure): (f"{name}, own", figure)
            for name in OWN
            for figure in ("nats", "nats_text", "nats_other", "nats_nothing")
        },
    ),
}
LAYOUTS = {"asterisk": ASTERISK, "libri_synth": LIBRI_SYNTH | CHOICE}

PROSE = {
    ("asterisk", "test", "ssr_block, shuffled segments", "token_accuracy"): (0.011, "0.011"),
    ("asterisk", "test", "ssr_block, shuffled segments", "centred_cosine"): (0.414, "0.414"),
    ("libri_synth", "test_voices", "ssr_block_mean, forced", "token_accuracy_0"): (0.07, "7 %"),
    ("libri_synth", "test_voices", "ssr_block_mean, forced", "token_accuracy_1_9"): (0.64, "64 %"),
    ("libri_synth", "test_voices", "ssr_block_mean, forced", "token_accuracy_10_99"): (
        0.95, "95 %",
    ),
    ("libri_synth", "test_voices", "ssr_block_mean, forced", "token_accuracy_100"): (
        0.995, "99.5 %",
    ),
}  # fmt: skip
"""Figures that a sentence has: their value, and what is written there."""
