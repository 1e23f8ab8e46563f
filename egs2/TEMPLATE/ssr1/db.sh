# shellcheck shell=bash
# Where corpora are on this system. An empty value lets local/data.sh fetch the corpus, where its
# licence allows that.

# MYCORPUS=/corpora/mycorpus
