"""Run Slurm's own commands; an answer that does not come is an error, never a guess."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from jobs.executor import NoAnswer
from study.storage.store import user_name

TIMEOUT_S = 60
# These variables of Slurm's commands say where the cluster is, and are kept. All others come from a
# job around us, or would silently change what a job gets.
KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER")
OF_SLURM = re.compile(
    "(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|SPRIO|SSHARE|SSTAT|SATTACH)_"
)
CLOCK = "as of"  # the key of Slurm's clock in `slurm_config`, in seconds since 1970


class NotInstalled(NoAnswer):
    """Slurm's commands are not on this machine, and trying again does not help."""


def drop_outer_job_variables() -> list[str]:
    """Drop from this process's environment what would change Slurm's commands or reach our jobs.

    Returns:
        The names of those that a person sets to change jobs; none inside of a job, where Slurm
        sets them.
    """
    is_in_job = "SLURM_JOB_ID" in os.environ
    dropped = sorted(name for name in os.environ if OF_SLURM.match(name) and name not in KEPT)
    for name in dropped:
        del os.environ[name]
    return [] if is_in_job else [n for n in dropped if n.startswith(("SBATCH_", "SRUN_"))]


def current_user() -> str:
    """Return the user as Slurm knows us, whatever the shell's variables say."""
    return user_name(os.getuid())


def slurm_cluster_name() -> str | None:
    """Return Slurm's ClusterName; None where no Slurm is installed, or none is configured.

    Raises:
        NoAnswer: Slurm is configured here but does not answer. Running on a login node instead
            would be a bad surprise.
    """
    if shutil.which("sbatch") is None:
        return None
    try:
        return slurm_config().get("ClusterName", "")
    except NoAnswer as error:
        if "configuration source" in str(error):
            return None
        raise


def slurm_config() -> dict[str, str]:
    """Return Slurm's settings by name, as `scontrol show config` gives them, and its clock."""
    output = query("scontrol", "show", "config")
    fields = (line.partition("=") for line in output.splitlines())
    config = {key.strip(): value.strip() for key, equals, value in fields if equals}
    if clock := re.match(r"Configuration data as of (\d+)$", output, re.MULTILINE):
        config[CLOCK] = clock[1]
    return config


def clock_in(config: dict[str, str]) -> int | None:
    """Return Slurm's clock at the time of its answer, in seconds since 1970; None if unknown."""
    return int(config[CLOCK]) if CLOCK in config else None


def query(*command: str) -> str:
    """Return what a query prints.

    Raises:
        NoAnswer: it fails.
    """
    done = run_command(*command)
    if done.returncode != 0:
        raise NoAnswer(
            command[0],
            f"Slurm does not answer: {done.stderr.strip() or 'no reason given'}; try again later",
        )
    return done.stdout


def run_command(
    *command: str, stdin: str = "", pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a Slurm command.

    Args:
        command: its words.
        stdin: what it reads.
        pass_fds: file descriptors that it inherits.

    Raises:
        NoAnswer: it is missing, or not done in TIMEOUT_S.
    """
    # Times in seconds since 1970, and the elements of an array in full.
    words = {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0", "LC_ALL": "C"}
    environment = os.environ | words
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env=environment,
            pass_fds=pass_fds,
        )
    except FileNotFoundError:
        missing = "not found; is this a Slurm cluster's login node?"
        raise NotInstalled(command[0], missing) from None
    except OSError as error:
        raise NoAnswer(command[0], f"cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NoAnswer(command[0], f"no answer in {TIMEOUT_S} s; try again later") from None
