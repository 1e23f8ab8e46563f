#!/usr/bin/env python3
"""A page in the browser: speech in, and what the connector and the LLM make of it.

    make -C tools demo
    python3 tools/demo.py --model exp/distill_.../valid.token_accuracy.ave.pth \\
        --encoder_model whisper-tiny.en --aligner exp/align_char_ctc_.../valid.loss.ave.pth
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from functools import wraps

from espnet_ssr import SpeechLM
from espnet_ssr.speech_lm.demo import COLUMNS, Demo


def build_page(demo: Demo):
    """The Gradio page of a demo."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio as gr

    def shown(function: Callable[..., Iterator]) -> Callable[..., Iterator]:
        """Errors as messages of the page."""

        @wraps(function)
        def steps(*inputs):
            try:
                yield from function(*inputs)
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from None

        return steps

    def listen(path: str | None) -> Iterator[tuple]:
        yield None, "", "", [], "", ""  # of other speech
        if path is not None:
            yield *demo.listen(path), "", ""

    def transcribe(path: str | None) -> Iterator[str]:
        if path is not None:
            yield from demo.transcribe(path)

    with gr.Blocks(title="espnet_ssr") as page:
        gr.Markdown(demo.about())
        with gr.Row():
            with gr.Column():
                audio = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",
                    label="Speech",
                    buttons=["download"],  # not "share"
                )
            with gr.Column():
                guess = gr.Textbox(label="Words that the aligner guesses")
                nearest = gr.Textbox(label="Nearest token of each vector")
                written = gr.Textbox(label="What the LLM writes down")
        picture = gr.Plot(label="Segments", show_label=False)
        likely = gr.Dataframe(
            headers=list(COLUMNS),
            label="Most likely tokens of each segment, and their probabilities",
            interactive=False,
            visible=demo.has_posteriors,
        )
        with gr.Row(equal_height=True):
            question = gr.Textbox(label="Ask about the speech", scale=4, elem_id="question")
            ask = gr.Button("Ask", variant="primary", scale=1)
        answer = gr.Textbox(label="Answer", lines=3)
        results = [picture, guess, nearest, likely, written, answer]
        audio.change(shown(listen), audio, results).success(shown(transcribe), audio, written)
        gr.on([ask.click, question.submit], shown(demo.answer), [audio, question], answer)
    return page


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint, packed folder or hub id")
    parser.add_argument("--encoder_model", help="Whisper model whose features were trained on")
    parser.add_argument("--aligner", help="checkpoint of a CTC aligner; default: the packed one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: for all of the network")
    parser.add_argument("--port", type=int, default=7860)
    args = parser.parse_args(argv)
    options = {}
    if args.encoder_model:
        options = {"encoder": "whisper", "encoder_conf": {"model": args.encoder_model}}
    lm = SpeechLM.from_pretrained(args.model, args.device, aligner=args.aligner, **options)
    build_page(Demo(lm)).launch(server_name=args.host, server_port=args.port)


if __name__ == "__main__":
    main()
