"""CoRe and TSA against their released code: time and memory of a training step and of an evaluation by ten votes.

    OMP_NUM_THREADS=2 python benchmarks/contrastive.py --core FOLDER --tsa FOLDER      writes benchmarks/contrastive.md

FOLDER: yuxumin/CoRe and xujinglin/FineDiving as they are checked out; their own functions for a batch are called, with
`.cuda()` made to do nothing where there is no GPU. Both sides get the same random weights and clips, and the benchmark
stops where their predictions differ. Each side is a process of its own, so that its peak of memory is its own; the two
take turns, step by step, so that a machine that is faster for a while is so for both. Queries and exemplars stand in
the proportion of FineDiving's test part (749) to the training dives that its votes ask for (at most 2251).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np

VOTES = 10
SIZES = {"core": (103, 224), "tsa": (96, 112)}  # frames and side of the pictures
PAIRS = {"core": 1, "tsa": 2}  # of a training step; the papers' are 1 and 8, which take 14 GB here


def clips_of(system: str, count: int):
    """Random clips, the same on both sides: pictures, targets, transitions."""
    import torch

    from aqa_pipeline.batches import Clips

    n_frames, side = SIZES[system]
    generator = torch.Generator().manual_seed(count)
    return Clips(
        inputs={
            "frames": torch.randint(0, 256, (count, n_frames, 3, side, side), dtype=torch.uint8, generator=generator)
        },
        video_ids=tuple(f"v{i}" for i in range(count)),
        target=torch.linspace(5.0, 25.0, count),
        difficulty=torch.ones(count),
        action_type=torch.zeros(count, dtype=torch.long),
        transitions=torch.tensor([[28.0, 62.0]]).repeat(count, 1),
    )


class Released:
    """The released networks and functions of one system."""

    def __init__(self, system: str, folder: str) -> None:
        import torch

        _prepare(folder)
        self.system, self.helper = system, _module(Path(folder) / "tools" / "helper.py")
        torch.manual_seed(0)
        if system == "core":
            from models.Backbone import I3D_backbone
            from models.RegressTree import RegressTree
            from utils.Group_helper import Group_helper

            self.networks = [I3D_backbone(I3D_class=400), RegressTree(2049, 256, 5)]
            differences = np.abs(np.subtract.outer(*[np.linspace(0, 30, 60)] * 2))[np.triu_indices(60, k=1)]
            self.group = Group_helper(list(differences), 5, Symmetrical=True, Max=30, Min=0)
        else:
            from models import I3D_backbone, MLP_score, decoder_fuser
            from models.PS import PSNet

            self.networks = [I3D_backbone(400), PSNet(9), decoder_fuser(64, 8, 3), MLP_score(64, 1)]
        with torch.no_grad():
            for network in self.networks:
                for name, buffer in network.named_buffers():
                    if name.endswith("running_var"):
                        buffer.uniform_(0.5, 1.5)
        self.args = types.SimpleNamespace(
            score_range=30, benchmark="MTL", usingDD=True, print_freq=10**9, max_epoch=200, fix_size=5, step_num=3,
            prob_tas_threshold=0.25,
        )  # fmt: skip

    def weights(self) -> dict:
        names = {
            "core": ["base_model", "regressor"],
            "tsa": ["base_model", "psnet_model", "decoder", "regressor_delta"],
        }
        return {name: network.state_dict() for name, network in zip(names[self.system], self.networks, strict=True)}

    def trainer(self, clips):
        """A call makes one step on pairs of the first and the second half of the clips."""
        import torch

        for network in self.networks:
            network.train()
        for module in self.networks[0].modules():
            if "BatchNorm" in type(module).__name__:
                module.eval()
        groups = [
            {"params": self.networks[0].parameters(), "lr": 1e-4},
            *({"params": n.parameters()} for n in self.networks[1:]),
        ]
        optimiser = torch.optim.Adam(groups, lr=1e-3)
        video, score, n = _released_input(clips), clips.target[:, None], len(clips) // 2
        if self.system == "core":
            return lambda: self.helper.network_forward_train(
                *self.networks, [], video[:n], score[:n], video[n:], score[n:], torch.ones(n, 1), self.group,
                torch.nn.MSELoss(), torch.nn.NLLLoss(), optimiser, True, 0, 1, 1, self.args,
            )  # fmt: skip
        at = clips.transitions
        return lambda: self.helper.network_forward_train(
            *self.networks, [], video[:n], score[:n], video[n:], score[n:], torch.nn.MSELoss(), optimiser, True,
            0, 1, 1, self.args, at[:n], at[n:], torch.nn.BCELoss(), [], [],
        )  # fmt: skip

    def predict(self, clips, draws: list[tuple[int, list[int]]]) -> list[float]:
        """The predicted target of each query, a number of a clip, from its exemplars."""
        import torch

        for network in self.networks:
            network.eval()
        video, score, predicted = _released_input(clips), clips.target[:, None], []
        with torch.no_grad():
            for query, exemplars in draws:
                others, scores = [video[e : e + 1] for e in exemplars], [score[e : e + 1] for e in exemplars]
                one = video[query : query + 1]
                if self.system == "core":
                    self.helper.network_forward_test(
                        *self.networks, predicted, one, others, scores, torch.ones(1, 1), self.group, self.args
                    )
                else:
                    at = [clips.transitions[e : e + 1] for e in exemplars]
                    self.helper.network_forward_test(
                        *self.networks, predicted, one, others, scores, self.args,
                        clips.transitions[query : query + 1], at, [], [],
                    )  # fmt: skip
        return predicted


class Ours:
    """Our system with the weights of the released one."""

    def __init__(self, released: Released) -> None:
        import torch

        from aqa_pipeline import plugins
        from aqa_pipeline.batches import Facts

        n_frames, side = SIZES[released.system]
        facts = Facts(dims={}, lengths={}, pictures=(n_frames, side, side))
        options = dict(theta=30.0) if released.system == "core" else dict(map_order="released")
        module = plugins.load("systems", released.system)
        self.model = module.build(facts, **options)
        self.model.load_state_dict(module.from_official(released.weights()), strict=False)
        if released.system == "core":
            self.model.edges.copy_(
                torch.tensor([released.group.Group[0][0], *(leaf[1] for leaf in released.group.Group)])
            )

    def trainer(self, clips):
        """As that of the released code, through our loop's own step."""
        import torch

        from aqa_pipeline.batches import Pairs
        from aqa_pipeline.training.loop import Engine, Optimiser, _Training
        from aqa_pipeline.training.ranks import ALONE

        backbone = "encoder.backbone"
        optimiser = Optimiser(optimiser="adam", lr=1e-3, lr_factors={backbone: 0.1}, weight_decay=0, warm_up=0, clip=0)
        training = _Training(self.model, 100, optimiser, Engine(), torch.device("cpu"), 10, ALONE)
        n = len(clips) // 2
        batch = Pairs(clips.rows(torch.arange(n)), clips.rows(torch.arange(n, 2 * n)), torch.arange(n))
        return lambda: training.step(0, [(1.0, batch)])

    def predict(self, clips, draws: list[tuple[int, list[int]]]) -> list[float]:
        """As the stage does it: every clip is encoded once."""
        import pandas as pd
        import torch

        from aqa_pipeline.training import voting

        number = {name: i for i, name in enumerate(clips.video_ids)}
        data = types.SimpleNamespace(
            facts=types.SimpleNamespace(pictures=tuple(clips.inputs["frames"].shape[i] for i in (1, 3, 4))),
            clips=lambda ids, show_target: clips.rows(torch.tensor([number[v] for v in ids])),
            targets=dict(zip(clips.video_ids, clips.target.tolist(), strict=True)),
            scaled=lambda values: values,
            unscaled=lambda values: values,
        )
        rows = [(clips.video_ids[q], clips.video_ids[e]) for q, exemplars in draws for e in exemplars]
        table = voting.predict_draws(
            self.model, data, pd.DataFrame(rows, columns=["query", "exemplar"]).astype("string"), "cpu"
        )
        return table.set_index("video_id").loc[[clips.video_ids[q] for q, _ in draws], "predicted"].tolist()


def serve(system: str, side: str, what: str, folder: str, queries: int, exemplars: int) -> None:
    """One side of a measurement: for every line read, do it once and answer with a line of JSON.

    Seconds (of one step, or of all queries), peak MB so far, predictions.
    """
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    answers = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        released = Released(system, folder)
        model = released if side == "released" else Ours(released)
        predicted = []
        if what == "training":
            action = model.trainer(clips_of(system, 2 * PAIRS[system]))
            action()  # the first one makes the state of the optimiser
        else:
            rng = np.random.default_rng(0)
            others = np.arange(queries, queries + exemplars)
            draws = [(q, rng.choice(others, VOTES, replace=exemplars < VOTES).tolist()) for q in range(queries)]
            clips = clips_of(system, queries + exemplars)

            def action() -> None:
                predicted[:] = model.predict(clips, draws)

        for _ in sys.stdin:
            seconds = _timed(action)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps(dict(seconds=seconds, peak=peak, predicted=predicted)), file=answers, flush=True)


def measure(system: str, what: str, folder: str, given: argparse.Namespace) -> dict[str, dict]:
    """Both sides by turns: the median of the seconds, the last peak and predictions of each."""
    options = ["--queries", str(given.queries), "--exemplars", str(given.exemplars)]
    found = {"released": [], "ours": []}
    with contextlib.ExitStack() as stack:
        running = {}
        for side in found:
            command = [sys.executable, __file__, f"--{system}", folder, "--one", system, side, what, *options]
            started = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            running[side] = stack.enter_context(started)
        for _ in range(given.turns if what == "training" else 1):
            for side, process in running.items():
                print(file=process.stdin, flush=True)
                found[side].append(json.loads(process.stdout.readline()))
                print(f"{system} {what} {side}: {found[side][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
        for process in running.values():
            process.stdin.close()
    return {
        side: answers[-1] | {"seconds": statistics.median(a["seconds"] for a in answers)}
        for side, answers in found.items()
    }


def _timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _released_input(clips):
    """(B, 3, T, H, W) as the released loaders give it, of the same pictures."""
    from aqa_pipeline.layers import pictures

    return pictures.normalised(clips.inputs["frames"], pixels="imagenet").transpose(1, 2).contiguous()


def _prepare(folder: str) -> None:
    """Names that the released code expects of older libraries, and tensors that stay where they are."""
    import cv2
    import torch

    from aqa_pipeline.layers import torchvision

    sys.path.insert(0, folder)
    torchvision.ready("the released code")
    import timm.layers

    layers = types.ModuleType("timm.models.layers")
    layers.DropPath, layers.trunc_normal_ = timm.layers.DropPath, timm.layers.trunc_normal_
    videos = types.ModuleType("torchvideotransforms")
    videos.video_transforms = videos.volume_transforms = None
    sys.modules |= {"timm.models.layers": layers, "cv2.cv2": cv2, "torchvideotransforms": videos}
    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda self, *_, **__: self


def _module(path: Path):
    """A file of the released code by its path: `tools` would import its data sets."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """All measurements, the released code and ours by turns, and the table of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core")
    parser.add_argument("--tsa")
    parser.add_argument("--queries", type=int, default=4)
    parser.add_argument("--exemplars", type=int, default=12)
    parser.add_argument("--one", nargs=3, metavar=("SYSTEM", "SIDE", "WHAT"), help="one side of a measurement")
    parser.add_argument("--turns", type=int, default=7, help="training steps of each side")
    given = parser.parse_args()
    folders = {name: getattr(given, name) for name in ("core", "tsa") if getattr(given, name)}
    if given.one:
        serve(*given.one, folders[given.one[0]], given.queries, given.exemplars)
        return
    lines = []
    for system, folder in folders.items():
        for what in ("training", "evaluation"):
            found = measure(system, what, folder, given)
            lines.append(_line(system, what, found["released"], found["ours"]))
            print(lines[-1], flush=True)
    n_frames = {system: f"{SIZES[system][0]} frames of {SIZES[system][1]} x {SIZES[system][1]}" for system in folders}
    Path(__file__).with_suffix(".md").write_text(REPORT.format(
        threads=os.environ.get("OMP_NUM_THREADS", "1"), queries=given.queries, exemplars=given.exemplars, votes=VOTES,
        turns=given.turns,
        sizes="; ".join(f"{system}: {size}, {PAIRS[system]} pair(s) a step" for system, size in n_frames.items()),
        lines="\n".join(lines),
    ))  # fmt: skip


def _line(system: str, what: str, released: dict, ours: dict) -> str:
    apart = np.abs(np.subtract(released["predicted"], ours["predicted"])).max(initial=0.0)
    if apart > 1e-2:
        sys.exit(f"{system}: predictions differ by {apart}, so that the times are of different things")
    ratio, memory = released["seconds"] / ours["seconds"], released["peak"] / ours["peak"]
    return (
        f"| {system} | {what} | {released['seconds']:.1f} | {ours['seconds']:.1f} | **{ratio:.2f}** "
        f"| {released['peak']:.0f} | {ours['peak']:.0f} | {memory:.2f} | {apart:.1e} |"
    )


REPORT = """# CoRe and TSA against their released code

Same machine, same run, {threads} CPU thread(s), full widths, random weights that both sides share; {sizes}.
Evaluation: {queries} queries with {votes} votes each from {exemplars} exemplars, the proportion of FineDiving's test
part to its training part, where every training dive is somebody's exemplar. The released code encodes both clips of a
pair anew for each vote; here every clip is encoded once. Ratios are released by ours: above 1 is faster, or smaller.

| system | what | released, s | ours, s | ratio | released, MB | ours, MB | ratio | predictions differ by |
|---|---|---|---|---|---|---|---|---|
{lines}

Training is one optimiser step of Adam, forward, backward and both directions of every pair included: the median of
{turns} of each side, which took turns. Peaks of memory
are those of whole processes, libraries included.
"""

if __name__ == "__main__":
    main()
