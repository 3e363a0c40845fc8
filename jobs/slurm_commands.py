"""Asking Slurm's own commands; an answer that does not come is an error, never a guess."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence

from study.errors import ConfigError

TIMEOUT_S = 60
# What a person sets to reach a cluster; every other SLURM_ variable comes from a job around us.
KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER")
FORGOTTEN = ("SLURM_", "SQUEUE_", "SACCT_", "SCANCEL_", "SINFO_", "SRUN_")


# What every job sets itself; from the shell it would win over the script, and cost GPUs unseen.
OVERRIDING = (
    *(
        "ARRAY_INX",
        "CHDIR",
        "CLUSTERS",
        "ERROR",
        "GPUS",
        "GPUS_PER_NODE",
        "GPUS_PER_TASK",
        "GRES",
        "JOB_NAME",
    ),
    *("NO_REQUEUE", "OPEN_MODE", "OUTPUT", "REQUEUE", "SIGNAL", "TIMELIMIT", "WAIT", "WCKEY"),
)


class NoAnswer(ConfigError):
    """Slurm does not answer; trying again later may help."""


def forget_outer_job() -> None:
    """Drop from this process's environment what would change Slurm's commands or reach our jobs."""
    overriding = {f"SBATCH_{name}" for name in OVERRIDING}
    for name in list(os.environ):
        if name in overriding or (name.startswith(FORGOTTEN) and name not in KEPT):
            del os.environ[name]


def me() -> str:
    """The user whom Slurm takes us for; not what the shell's variables say."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


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
    """Slurm's settings by name, as `scontrol show config` gives them."""
    output = answer_of("scontrol", "show", "config")
    fields = (line.partition("=") for line in output.splitlines())
    return {key.strip(): value.strip() for key, equals, value in fields if equals}


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
        raise NoAnswer(command[0], "not found; is this a Slurm cluster's login node?") from None
    except OSError as error:
        raise NoAnswer(command[0], f"cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NoAnswer(command[0], f"no answer in {TIMEOUT_S} s; try again later") from None
