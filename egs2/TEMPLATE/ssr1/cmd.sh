# shellcheck shell=bash
# How jobs are started. Every command has the form: CMD [options] [JOB=1:N] LOG command...
#   train_cmd   data preparation, alignment, feature extraction, inference on CPU
#   cuda_cmd    training, and anything with --ngpu or --gpu_inference
cmd_backend=local

case ${cmd_backend} in
    local)
        export train_cmd="run.py"
        export cuda_cmd="run.py"
        ;;
    *)
        echo "cmd.sh: unknown cmd_backend ${cmd_backend}: only 'local' is available yet" >&2
        exit 1
        ;;
esac
