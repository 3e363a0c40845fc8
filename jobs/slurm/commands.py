"""Asking Slurm's own commands; an answer that does not come is an error, never a guess."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from study.errors import ConfigError
from study.storage.store import user_name

TIMEOUT_S = 60
# The variables of Slurm's commands that reach them, and so a job: where the cluster is. All others
# come from a job around us, or would change what a job gets without a word.
KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER")
OF_SLURM = re.compile(
    "(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|SPRIO|SSHARE|SSTAT|SATTACH)_"
)
CLOCK = "as of"  # the key of Slurm's clock in `slurm_config`, in seconds since 1970


class NoAnswer(ConfigError):
    """Slurm does not answer; trying again later may help."""


class NotInstalled(NoAnswer):
    """Slurm's commands are not on this machine, and trying again does not help."""


def forget_variables_of_slurm() -> list[str]:
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


def me() -> str:
    """Return the user whom Slurm takes us for; not what the shell's variables say."""
    return user_name(os.getuid())


def slurm_cluster_name() -> str | None:
    """Slurm's ClusterName; None where no Slurm is installed, or none is configured.

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
    output = answer_of("scontrol", "show", "config")
    fields = (line.partition("=") for line in output.splitlines())
    config = {key.strip(): value.strip() for key, equals, value in fields if equals}
    if clock := re.match(r"Configuration data as of (\d+)$", output, re.MULTILINE):
        config[CLOCK] = clock[1]
    return config


def clock_in(config: dict[str, str]) -> int | None:
    """Return Slurm's clock at the time of its answer, in seconds since 1970; None if unknown."""
    return int(config[CLOCK]) if CLOCK in config else None


def answer_of(*command: str) -> str:
    """What a query prints; NoAnswer where it fails."""
    done = ask(*command)
    if done.returncode != 0:
        raise NoAnswer(
            command[0],
            f"Slurm does not answer: {done.stderr.strip() or 'no reason given'}; try again later",
        )
    return done.stdout


def ask(
    *command: str, stdin: str = "", pass_fds: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a Slurm command; NoAnswer where it is missing or not done in TIMEOUT_S."""
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
