"""A SLURM of the tests' own on this host: munge, slurmctld, and three slurmd, two of them with two fake GPUs each."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIGURED = Path("/etc/slurm")  # the only place where jobs look: Snakemake takes SLURM_CONF out of their environment
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol", "scancel", "srun", "setpriv")
PREFIX = "aqa-slurm-"  # of the folder of a cluster
NODES = ("n1", "n2", "n3")

# Several slurmd on one host are told apart by name and port. `config_overrides` lets nodes be larger than the host.
# SlurmdTimeout: a node that is silent so long is down. MinJobAge: jobs are asked for after all is over.
# EnforcePartLimits: what no partition allows is refused at once.
CONFIG = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobs.txt
ReturnToService=2
SlurmdTimeout=15
KillWait=2
MinJobAge=7200
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
EnforcePartLimits=ALL
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=64000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=64000 Gres=gpu:fake:2 State=UNKNOWN
NodeName=n3 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=8 RealMemory=64000 Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes=n1 Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=n2,n3 MaxTime=1-00:00:00 State=UP
"""

# A GPU is a character device; SLURM drops those that are only counted. Nothing here opens them.
GPUS = """
AutoDetect=off
NodeName=n[2-3] Name=gpu Type=fake File=/dev/null,/dev/zero
"""


def why_not() -> str | None:
    """The reason why no SLURM can be started here, if there is one."""
    absent = [name for name in NEEDED if _program(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if os.geteuid() != 0:
        return "slurmd must be started by root"
    if not os.access(CONFIGURED, os.W_OK):
        return f"{CONFIGURED} cannot be written"
    if (CONFIGURED / "slurm.conf").exists() and not _is_left_over(CONFIGURED / "slurm.conf"):
        return f"{CONFIGURED}/slurm.conf is there: this machine has a SLURM already"
    return None


def _is_left_over(config: Path) -> bool:
    """Whether a configuration is that of a cluster of these tests which was killed before it could clean up."""
    folder = config.resolve().parent
    pid = folder / "run/slurmctld.pid"
    alive = pid.exists() and Path("/proc", pid.read_text().strip()).exists()
    return folder.name.startswith(PREFIX) and not alive


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def eventually(condition: Callable[[], Any], what: str, limit: float, every: float = 0.1) -> Any:
    """What `condition()` gives as soon as it is true; fails, naming `what` was waited for, after `limit` seconds."""
    end = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(every)
    return found


@dataclass(frozen=True)
class Process:
    """A running stage of a job."""

    pid: int
    words: tuple[str, ...]
    job: str  # the id that SLURM gave
    node: str
    devices: str | None  # CUDA_VISIBLE_DEVICES

    @property
    def stage(self) -> str:
        return next(word for word in self.words if word.startswith("aqa_pipeline.stages.")).rpartition(".")[2]


class Cluster:
    """See `running`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen] = {}

    def ask(self, *words: str) -> str:
        """Output of a command of SLURM."""
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout

    def states(self) -> dict[str, str]:
        """State of each node, such as idle or down*."""
        return dict(line.split() for line in self.ask("sinfo", "-h", "-N", "-o", "%N %T").splitlines())

    def jobs(self, *options: str) -> list[str]:
        """Ids of the jobs that wait or run."""
        return self.ask("squeue", "-h", "-o", "%i", *options).split()

    def attempts(self, job: str) -> list[tuple[str, str]]:
        """Memory and time limit of each job of the run, rule and wildcards of one, in the order of submission."""
        lines = self.ask("squeue", "-h", "--states=all", "--sort=i", "-o", "%i|%m|%l|%j %k").splitlines()
        facts = [line.split("|", 3) for line in lines]
        same = next(fact[3] for fact in facts if fact[0] == job)
        return [(memory, limit) for _, memory, limit, named in facts if named == same]

    def ended(self) -> dict[str, str]:
        """How each job ended, as SLURM wrote it down: COMPLETED, CANCELLED, TIMEOUT, NODE_FAIL, FAILED."""
        lines = (self.folder / "log/jobs.txt").read_text().splitlines()
        facts = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return {fact["JobId"]: fact["JobState"] for fact in facts}

    def stages(self, *names: str) -> list[Process]:
        """The stages, all or some, that run in jobs at this moment."""
        wanted = {f"aqa_pipeline.stages.{name}".encode() for name in names}
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if not wanted & set(words) if wanted else b"aqa_pipeline.stages" not in b" ".join(words):
                    continue
                facts = _environment(folder)
            except OSError:
                continue
            if b"-m" in words and facts.get("SLURM_CLUSTER_NAME") == "tests":
                found.append(
                    Process(
                        pid=int(folder.name),
                        words=tuple(word.decode() for word in words),
                        job=facts["SLURM_JOB_ID"],
                        node=facts["SLURMD_NODENAME"],
                        devices=facts.get("CUDA_VISIBLE_DEVICES"),
                    )
                )
        return found

    def start_controller(self) -> None:
        self._start("slurmctld", "slurmctld", "-D", *([] if list((self.folder / "state").iterdir()) else ["-i"]))

    def stop_controller(self) -> None:
        self._stop("slurmctld")

    def start_node(self, node: str) -> None:
        self._start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """As when its power fails: slurmd and everything of its jobs, at once, without a word to the controller."""
        jobs = self.jobs("-w", node)
        self._stop(node, signal.SIGKILL)
        stewards, others = [], []  # who would report that a job ended dies first
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                title = (folder / "cmdline").read_text()
                if any(title.startswith(f"slurmstepd: [{job}.") for job in jobs):
                    stewards.append(int(folder.name))
                elif _environment(folder).get("SLURM_JOB_ID") in jobs:
                    others.append(int(folder.name))
        for pid in stewards + others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        for name in ("run", "log", "state", "munge", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge/key").write_bytes(os.urandom(1024))
        (self.folder / "munge/key").chmod(0o400)
        facts = dict(folder=self.folder, host=socket.gethostname().partition(".")[0], ports=_free_ports(1 + len(NODES)))
        (self.folder / "slurm.conf").write_text(CONFIG.format(**facts))
        (self.folder / "gres.conf").write_text(GPUS)
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURED / name).unlink(missing_ok=True)  # one that is left over
            (CONFIGURED / name).symlink_to(self.folder / name)
        self._start(
            "munged",
            *("munged", "--foreground", f"--key-file={self.folder}/munge/key", f"--socket={self.folder}/munge/socket"),
            *(f"--{name}-file={self.folder}/munge/{name}" for name in ("pid", "log", "seed")),
        )
        eventually((self.folder / "munge/socket").exists, "munge's socket", limit=20)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        eventually(self._all_idle, "every node is idle", limit=60)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self.cancel_all()
        for name in [*reversed(self._daemons)]:
            self._stop(name, signal.SIGKILL)
        for name in ("slurm.conf", "gres.conf"):
            link = CONFIGURED / name
            if link.is_symlink() and link.readlink().parent == self.folder:
                link.unlink()

    def cancel_all(self) -> None:
        """End every job, and wait until none is left."""
        if jobs := self.jobs():
            self.ask("scancel", "--signal=KILL", "--full", *jobs)
            self.ask("scancel", *jobs)
        eventually(lambda: not self.jobs(), "no job is left", limit=60)

    def _all_idle(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.states() == dict.fromkeys(NODES, "idle")
        return False

    def _start(self, name: str, *words: str) -> None:
        """Start a daemon in the foreground; should these tests be killed, it dies with them."""
        with open(self.folder / "log" / f"{name}.output", "ab") as log:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", _program(words[0]), *words[1:]],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(how)
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _environment(process: Path) -> dict[str, str]:
    entries = (process / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _free_ports(n: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that has started, stopped at the end, whatever happens; its folder is removed."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # a short path, as that of a socket must be
    folder.chmod(0o755)  # munge asks that everybody can reach its socket
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
