# shellcheck shell=bash
# How jobs are started: choose cmd_backend here. See doc/clusters.md. Every command has the form
#   CMD [options] [JOB=1:N] LOG command...
# with --mem 4G, --time 10:00:00, --num_threads 4, --max_jobs_run 20 and the like among its options, which
# may be added here: train_cmd="slurm.py --mem 4G".
#   train_cmd   data preparation, alignment, feature extraction, inference
#   cuda_cmd    training, and features and inference with --gpu_inference true
cmd_backend=${SSR_CMD_BACKEND:-local}

case ${cmd_backend} in
    local) # this machine
        export train_cmd="run.py"
        export cuda_cmd="run.py"
        ;;
    ssh) # the machines in .queue/machines, one a line; ssh must log in without a password
        export train_cmd="ssh.py"
        export cuda_cmd="ssh.py"
        ;;
    slurm) # options for sbatch, partitions among them: conf/slurm.conf
        export train_cmd="slurm.py"
        export cuda_cmd="slurm.pl" # the same; espnet2.bin.launch knows it by this name
        ;;
    sge) # options for qsub, queues among them: conf/queue.conf
        export train_cmd="sge.py"
        export cuda_cmd="sge.py"
        ;;
    *)
        echo "cmd.sh: unknown cmd_backend ${cmd_backend}: choose local, ssh, slurm or sge" >&2
        exit 1
        ;;
esac
