#!/usr/bin/env python3
"""Make the sets of real speech: real for training, libri_unheard, asterisk_test, asterisk_valid.

Some speakers of LibriSpeech are left out of training: they are the set libri_unheard.
"""

from pathlib import Path

from espnet_ssr.bin.options import make_parser
from espnet_ssr.command import run_command
from espnet_ssr.datadir import write_data_dir, write_keyed
from espnet_ssr.recipes.asterisk import find_prompt_list, make_utt_id
from espnet_ssr.recipes.asterisk_text import read_prompt_list
from espnet_ssr.recipes.order import by_hash
from espnet_ssr.recipes.phrases import read_names
from espnet_ssr.recipes.real_speech import (
    WRITTEN,
    draw_speakers,
    read_set,
    write_set,
    write_training,
)
from espnet_ssr.recipes.synth import read_texts
from espnet_ssr.recipes.truecase import Truecaser


def main() -> None:
    """Parse the arguments, write the sets, print what is in them."""
    parser = make_parser(__doc__)
    parser.add_argument("data_dir", type=Path, help="has asterisk/{train,valid,test} and [libri]")
    parser.add_argument("--asterisk_corpus", type=Path, required=True, help="has the prompts' list")
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="further training sets")
    parser.add_argument(
        "--pool", type=Path, required=True, help="natural text, for the case of words"
    )
    parser.add_argument("--names", type=Path, required=True, help="given names, one a line")
    parser.add_argument("--transcript", choices=("natural", "normalized"), default="natural")
    parser.add_argument("--suffix", default="", help="of the sets' names")
    parser.add_argument("--hours", type=float, required=True, help="of data/real, at most")
    parser.add_argument("--num_unheard", type=int, default=40, help="speakers of LibriSpeech")
    parser.add_argument("--max_unheard", type=int, default=200, help="utterances of these")
    args = parser.parse_args()
    truecase = None
    if args.transcript == "natural":
        truecase = Truecaser(read_texts(args.pool), read_names(args.names))

    def name(label: str) -> Path:
        return args.data_dir / f"{label}{args.suffix}"

    asterisk, libri = args.data_dir / "asterisk", args.data_dir / "libri"
    prompts, _ = read_prompt_list(find_prompt_list(args.asterisk_corpus))
    written = {make_utt_id(prompt.key): prompt.text for prompt in prompts}
    for part in ("train", "valid", "test"):
        write_keyed(asterisk / part / WRITTEN, written)
    sources = [asterisk / "train", *args.more]
    for part in ("valid", "test"):
        print(write_set(name(f"asterisk_{part}"), read_set(asterisk / part, truecase)))
    if libri.exists():
        utterances = read_set(libri, truecase)
        unheard = draw_speakers(utterances, args.num_unheard)
        of_unheard = [utt_id for utt_id, utt in utterances.items() if utt.speaker in unheard]
        test = {utt_id: utterances[utt_id] for utt_id in by_hash(of_unheard)[: args.max_unheard]}
        print(write_set(name("libri_unheard"), test))
        heard = {utt_id: utterances[utt_id] for utt_id in utterances.keys() - set(of_unheard)}
        write_data_dir(name("libri_heard"), heard)
        sources.append(name("libri_heard"))
    print(write_training(sources, name("real_all"), float("inf"), truecase))
    print(write_training(sources, name("real"), args.hours, truecase))


if __name__ == "__main__":
    run_command(main)
