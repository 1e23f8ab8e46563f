# shellcheck shell=bash
# Where corpora are on this system.
# shellcheck disable=SC2034 # read by local/data.sh

# A corpus that is there in a format that import_corpus reads: the format and the whole path, then
# options if any (python3 -m espnet_ssr.bin.import_corpus FORMAT --help), for example
#   IMPORT=(wav_txt "/corpora/my corpus")          a.wav with a.txt beside it, in folders by speaker
#   IMPORT=(audiofolder /corpora/mycorpus)         metadata.csv: file_name, text, speaker_id
#   IMPORT=(hf_dataset /corpora/mycorpus)          what save_to_disk wrote, or parquet files
#   IMPORT=(lhotse /corpora/recordings.jsonl.gz /corpora/supervisions.jsonl.gz --valid 0.1)
IMPORT=()
