# shellcheck shell=bash
#
# Sets variables of a bash script from its command line. Usage, in the script:
#
#     stage=1                # every option is a variable with its default, set before
#     skip_train=false       # a true/false default accepts only true and false
#     help_message="..."     # printed by --help
#     . parse_options.sh     # afterwards "$@" holds what follows the options
#
# Accepted are `--name value` and `--name=value`, with - or _ in the name, and `--config FILE`, a
# file of `name=value` lines (# starts a comment line). Later settings override earlier ones.
# Options end at `--` or at the first word that does not start with `-`. Names start with a lower
# case letter: neither PATH nor a variable that the script does not define can be set. A value
# that reads like an option of the script itself needs the form `--name=value`.
#
# Everything here starts with po_, so as not to hide a variable of the script.

po_fail() {
    echo "${0##*/}: $1" >&2
    exit 1
}

# po_is_known NAME: whether the script has a variable of this name that options may set.
po_is_known() {
    [[ $1 =~ ^[a-z][a-zA-Z0-9_]*$ && $1 != po_* && $1 != help_message && -n ${!1+set} ]]
}

# po_suggest WORD: print ", did you mean --OTHER?" if the script has an option much like it.
po_suggest() {
    local po_candidate
    for po_candidate in $(compgen -v); do
        if po_is_known "${po_candidate}"; then echo "${po_candidate}"; fi
    done | awk -v want="${1#--}" '
        BEGIN { gsub(/-/, "_", want) }
        function min(x, y) { return x < y ? x : y }
        function edits(a, b,    i, j, cost, previous, row) {
            for (j = 0; j <= length(b); j++) row[j] = j
            for (i = 1; i <= length(a); i++) {
                for (j = 0; j <= length(b); j++) previous[j] = row[j]
                row[0] = i
                for (j = 1; j <= length(b); j++) {
                    cost = substr(a, i, 1) != substr(b, j, 1)
                    row[j] = min(previous[j - 1] + cost, min(previous[j], row[j - 1]) + 1)
                }
            }
            return row[length(b)]
        }
        { distance = edits(want, $0) }
        NR == 1 || distance < best { best = distance; name = $0 }
        END { if (NR && best <= 1 + length(want) / 4) print ", did you mean --" name "?" }'
}

# po_is_option WORD: whether WORD is `--name` of an option of the script.
po_is_option() {
    local po_word=${1#--}
    [[ $1 == --* ]] && po_is_known "${po_word//-/_}"
}

# po_require WORD WHERE: end unless WORD is `--name` of an option; WHERE is named in the message.
po_require() {
    po_is_option "$1" || po_fail "$2: unknown option $1$(po_suggest "$1")"
}

# po_set WORD VALUE WHERE: set the variable behind the option `--name`.
po_set() {
    local po_name=${1#--}
    po_name=${po_name//-/_}
    po_require "$1" "$3"
    if [[ ${!po_name} =~ ^(true|false)$ && ! $2 =~ ^(true|false)$ ]]; then
        po_fail "$3: $1 must be true or false, not '$2'"
    fi
    printf -v "${po_name}" '%s' "$2"
}

# po_read_config FILE: set variables from `name=value` lines; nothing of them is executed.
po_read_config() {
    local po_line po_value po_number=0
    [[ -r $1 && ! -d $1 ]] || po_fail "--config: cannot read $1"
    while IFS= read -r po_line || [[ -n ${po_line} ]]; do
        po_number=$((po_number + 1))
        if [[ ${po_line} =~ ^[[:space:]]*(#.*)?$ ]]; then continue; fi
        [[ ${po_line} =~ ^[[:space:]]*([a-zA-Z0-9_-]+)=(.*[^[:space:]])?[[:space:]]*$ ]] \
            || po_fail "$1 line ${po_number}: not name=value: ${po_line}"
        po_line=${BASH_REMATCH[1]}
        po_value=${BASH_REMATCH[2]}
        if [[ ${po_value} =~ ^\"(.*)\"$ || ${po_value} =~ ^\'(.*)\'$ ]]; then
            po_value=${BASH_REMATCH[1]}
        fi
        po_set "--${po_line}" "${po_value}" "$1 line ${po_number}"
    done < "$1"
}

# A loop outside of functions: only there does `shift` reach the script's own arguments.
while [[ $# -gt 0 && $1 == -* ]]; do
    case $1 in
        --)
            shift
            break
            ;;
        --help | -h)
            echo "${help_message:-${0##*/}: there is no help text}"
            exit 0
            ;;
        --*=*)
            po_option=${1%%=*}
            po_argument=${1#*=}
            shift
            ;;
        --*)
            po_option=$1
            if [[ ${po_option} != --config ]]; then po_require "${po_option}" "command line"; fi
            if [[ $# -lt 2 ]] || po_is_option "$2"; then
                po_fail "command line: ${po_option} needs a value"
            fi
            po_argument=$2
            shift 2
            ;;
        *) po_fail "command line: unknown option $1, long options start with --" ;;
    esac
    if [[ ${po_option} == --config ]]; then
        po_read_config "${po_argument}"
    else
        po_set "${po_option}" "${po_argument}" "command line"
    fi
done

unset -f po_fail po_is_known po_suggest po_is_option po_require po_set po_read_config
unset po_option po_argument
