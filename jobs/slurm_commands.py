"""Asking Slurm's own commands; an answer that does not come is an error, never a guess."""

import shutil
import subprocess

from study.errors import ConfigError

TIMEOUT_S = 60


def slurm_cluster_name() -> str | None:
    """Slurm's ClusterName; None where no Slurm is installed, or none is configured.

    Raises:
        ConfigError: Slurm is configured here but does not answer. Running on a login node instead
            would be a bad surprise.
    """
    if shutil.which("sbatch") is None:
        return None
    done = ask("scontrol", "show", "config")
    if done.returncode == 0:
        fields = (line.partition("=") for line in done.stdout.splitlines())
        return next((v.strip() for k, _, v in fields if k.strip() == "ClusterName"), "")
    if "configuration source" in done.stderr:
        return None
    raise ConfigError(
        "scontrol",
        f"Slurm does not answer: {done.stderr.strip()}; try again, or use --cluster local",
    )


def live_jobs(needed: bool) -> dict[str, str]:
    """Slurm's state of each of this user's jobs that are queued or running, by job id.

    Args:
        needed: False is for a dry run, which also works where no Slurm answers: no jobs then.
    """
    if not needed and shutil.which("squeue") is None:
        return {}
    done = ask("squeue", "--me", "--noheader", "--format=%A %T")
    if done.returncode != 0 and not needed:
        return {}
    if done.returncode != 0:
        raise ConfigError(
            "squeue", f"failed, so nothing was submitted: {done.stderr.strip()}; try again"
        )
    return dict(line.split() for line in done.stdout.splitlines())


def ask(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a Slurm command; ConfigError where it is missing or does not answer in TIMEOUT_S."""
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except FileNotFoundError:
        raise ConfigError(command[0], "not found; is this a Slurm cluster's login node?") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(command[0], f"no answer in {TIMEOUT_S} s; try again later") from None
