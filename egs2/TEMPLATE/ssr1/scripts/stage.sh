# shellcheck shell=bash
# Sourced by ssr.sh: what makes stages idempotent, locked and talkative.
# shellcheck disable=SC2154 # the variables are those of ssr.sh

log() {
    echo "$(date '+%Y-%m-%dT%H:%M:%S') (${0##*/}) $*"
}

die() {
    echo "${0##*/}: error: $*" >&2
    exit 1
}

# in_range N: whether stage N is among those asked for.
in_range() {
    [ "${first_stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] \
        && [[ " ${skip_stages} " != *" $1 "* ]]
}

# announce N TITLE: start stage N.
announce() {
    current_stage=$1
    log "stage $1: $2"
}

# begin DIR KEY=VALUE... --files FILE...: 0 if the work whose results are in DIR has to be done,
# with DIR there and locked; 1 if it was done with these inputs. The stage that --stage names is
# done again even so, from scratch; work that was interrupted goes on where it was.
begin() {
    local folder=$1 record=$1/.done input is_file=false
    shift
    # Before anything is made or deleted, for example for a set that does not exist.
    for input in "$@"; do
        if "${is_file}" && [ ! -e "${input}" ]; then
            die "no ${input}: run the stages before this one, or check --train_set and the like"
        fi
        [ "${input}" != --files ] || is_file=true
    done
    if stage_done.py check "${record}" "$@" && [ "${stage}" != "${current_stage}" ]; then
        log "  ${folder}: nothing to do"
        return 1
    fi
    mkdir -p "${folder}" || die "cannot make ${folder}"
    if command -v flock >/dev/null; then
        exec 9>"${folder}/.lock"
        flock -n 9 || die "${folder} is being written by another run (or by what is left of one)"
    fi
    # What is there was finished, with these inputs or with others: it is not to be continued.
    # Sub-folders hold results of other stages, with records of their own. The record goes last, or
    # a kill in between would leave what looks like interrupted work.
    if [ -e "${record}" ]; then
        if [ "${stage}" = "${current_stage}" ]; then rm -rf "${folder}/shards"; fi
        find "${folder}" -maxdepth 1 ! -type d ! -name .lock ! -name .done -delete
        rm "${record}"
    fi
    work_started=${SECONDS}
}

# finish DIR KEY=VALUE... --files FILE...: record that the work is done.
finish() {
    local folder=$1
    shift
    stage_done.py mark "${folder}/.done" --elapsed $((SECONDS - work_started)) "$@"
    log "  wrote ${folder} in $((SECONDS - work_started)) s"
}

# run_array CMD NAME KEYS DIR COMMAND...: run COMMAND by CMD (of cmd.sh) as an array of jobs, each on a
# piece of the keyed file KEYS and with results in DIR. The number of jobs is left in num_jobs.
run_array() {
    local cmd=$1 name=$2 keys=$3 folder=$4 logs=$4/logs lines pieces
    shift 4
    mkdir -p "${logs}"
    lines=$(wc -l < "${keys}")
    num_jobs=$((lines < nj ? lines : nj))
    pieces=$(seq -f "${logs}/${name}.%g.scp" "${num_jobs}")
    # shellcheck disable=SC2086 # one word a piece and a command of several words
    split_scp.py "${keys}" ${pieces}
    # shellcheck disable=SC2086
    ${cmd} JOB=1:"${num_jobs}" "${logs}/${name}.JOB.log" "$@" \
        --output_dir "${folder}" --key_file "${logs}/${name}.JOB.scp" --job JOB
}

# A job that Ctrl-C ended says so by its status, maybe before this shell hears of the signal itself.
trap 'exit 130' INT
trap 'case $? in
    0) ;;
    130) echo "${0##*/}: interrupted in stage ${current_stage:-0}; run again to continue" >&2 ;;
    *) [ -z "${current_stage:-}" ] || echo "${0##*/}: stage ${current_stage} failed, see above" >&2 ;;
esac' EXIT
