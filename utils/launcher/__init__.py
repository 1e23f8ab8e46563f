"""What the job launchers ``run.py``, ``ssh.py``, ``slurm.py`` and ``sge.py`` share."""
