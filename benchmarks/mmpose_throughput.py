"""Our batched path through mmpose's estimators against `mmpose.apis.inference_topdown`, frame by frame, in one run.

    .venv-mmpose/bin/python -m benchmarks.mmpose_throughput [THREADS]       writes benchmarks/mmpose_throughput.md

Same model, same weights, same boxes, mirror test on. The weights are random, with normalisation fitted to pictures, so
that signals reach the heatmaps; the two ways are timed in turns, and what counts is the median over the turns, of
processor time as well, which other work on the machine disturbs less.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from aqa_pipeline.pose import _openmmlab, mmpose

N_FRAMES, TURNS, BATCH = 16, 3, 16
NAMES = ("hrnet_w32_dark_coco", "rtmpose_m_coco")

NOTES = """
## Why not more

Measured by hand in one sitting, one thread, random weights, HRNet-W32 at 256 x 192, milliseconds of processor time a
crop without its mirror image; other work shared the machine, so a tenth either way means little.

| way | ms |
| --- | --- |
| torch, folded, channels last, batch 32 | 230-262 |
| its convolutions alone, each layer by itself (oneDNN) | 185 |
| the same, the faster of oneDNN and NNPACK for every layer | 179 |
| ONNX Runtime, batch 1, 8, 32 (what is used) | 180-250, mostly 186 |
| ncnn 1.0.20261020, batch 1 (Winograd) | 148-168 |
| MNN 3.6.1, batch 8 or 32 (Winograd; heatmaps within 8e-5 of a largest 0.52) | 122-147, once 197 |

ONNX Runtime needs about what torch's convolutions need by themselves: what lies between them is gone, and 7.1 GMAC of
direct convolution are left. Winograd's F(4 x 4, 3 x 3) written with torch's matrix products took 15 ms for 19.5 of a
batch of 32 at 128 and 256 channels, and was no sooner at 64 and slower at 32. What falls well short of direct
convolution's arithmetic is a library with Winograd kernels; MNN is the one to add if this must be faster.
"""


def clip(n_frames: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of coarse noise, and a box in each."""
    import cv2

    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.integers(0, 255, (180, 320, 3), np.uint8), (0, 0), 3) for _ in range(n_frames)]
    frames = np.clip((np.stack(noise).astype(np.float32) - 127) * 8 + 127, 0, 255).astype(np.uint8)
    corner, size = rng.uniform(-10, 150, (n_frames, 2)), rng.uniform(30, 160, (n_frames, 2))
    return frames, np.concatenate([corner, corner + size, np.ones((n_frames, 1))], axis=1).astype(np.float32)


def reference(name: str) -> torch.nn.Module:
    """The untrained model as mmpose makes it, normalisation fitted to pictures, and a head whose maps are positive."""
    [apis] = _openmmlab.modules("mmpose.apis")
    torch.manual_seed(1)
    with _openmmlab.stood_in():
        model = apis.init_model(str(mmpose._config_file(mmpose.MODELS[name])), None, "cpu").train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    frames = torch.from_numpy(clip(4, seed=1)[0][:, :, :192].copy()).permute(0, 3, 1, 2).float()
    width, height = model.cfg.codec.input_size
    crops = torch.nn.functional.interpolate((frames - 120) / 58, (height, width))
    with torch.no_grad():
        maps = model.head(model.extract_feat(crops))
        if torch.is_tensor(maps):  # a trained network's maps lie between 0 and 1
            model.head.final_layer.weight *= 0.1 / maps.std()
            model.head.final_layer.bias += 0.5
    return model.eval()


def frame_by_frame(model: torch.nn.Module, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What mmpose's own function gives, (T, K, 3)."""
    [apis] = _openmmlab.modules("mmpose.apis")
    found = []
    for frame, box in zip(frames, boxes, strict=True):
        people = apis.inference_topdown(model, np.ascontiguousarray(frame[..., ::-1]), box[None, :4])
        person = people[0].pred_instances
        found.append(np.concatenate([person.keypoints[0], person.keypoint_scores[0][:, None]], axis=-1))
    return np.stack(found)


def both(name: str, folder: Path) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """The reference and ours with the same weights, each a function of frames and boxes."""
    model = reference(name)
    torch.save({"state_dict": model.state_dict()}, folder / "same.pth")
    ours = mmpose.build(model=name, weights=str(folder / "same.pth"), device="cpu", batch=BATCH)
    return lambda *clip: frame_by_frame(model, *clip), ours


def seconds(call: Callable[..., np.ndarray], *arguments: np.ndarray) -> tuple[float, float]:
    """Wall time and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    call(*arguments)
    return time.perf_counter() - wall, time.process_time() - processor


def row(name: str, folder: Path, n_frames: int = N_FRAMES, turns: int = TURNS) -> str:
    theirs, ours = both(name, folder)
    frames, boxes = clip(n_frames)
    gap = np.linalg.norm((ours(frames, boxes) - theirs(frames, boxes))[..., :2], axis=-1)
    times = np.array(
        [[seconds(call, frames, boxes) for call in (theirs, ours)] for _ in range(turns)]
    )  # (turn, way, 2)
    ratios = np.median(times[:, 0] / times[:, 1], axis=0)
    each = np.median(times[..., 1], axis=0) / n_frames * 1e3
    return (
        f"| {name} | {each[0]:.0f} | {each[1]:.0f} | {ratios[1]:.2f} | {ratios[0]:.2f} | {np.median(gap):.1e} |"
        f" {np.percentile(gap, 99):.1e} | {gap.max():.1e} | {np.mean(gap > 0.01):.4f} |"
    )


def cpu_capability() -> str:
    return torch.backends.cpu.get_cpu_capability()


def main(threads: int = 2) -> None:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, Path(folder)) for name in NAMES]
    head = [
        "# mmpose: batches against frame by frame",
        "",
        f"Written by `benchmarks/mmpose_throughput.py`: {N_FRAMES} frames with a box each, mirror test on,"
        f" batch {BATCH}, threads: {threads}, medians of {TURNS} turns, {platform.machine()} ({cpu_capability()}),"
        f" torch {torch.__version__}. Milliseconds of processor time a frame; gaps in picture pixels.",
        "",
        "| model | inference_topdown, ms | ours, ms | ratio | of wall time | median gap | 99 % | largest | over 0.01 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    Path(__file__).with_suffix(".md").write_text("\n".join([*head, *rows, "", NOTES.strip(), ""]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
