"""Top-down estimators of mmpose: HRNet, RTMPose and any other with a heatmap or SimCC head.

The keypoints are those of `mmpose.apis.inference_topdown`, crop for crop; the way to them is shorter: batches run
across frames and videos, normalisation is folded into the convolutions, ONNX Runtime runs the network on a CPU, and
heatmaps are decoded all at once. This is the only file that uses mmpose, in an environment of its own that
`make mmpose` makes.

Published weights are files of OpenMMLab; none come with the package. Those of the named models are registered
(`aqa weights list`); the names of others end in the first eight digits of their SHA-256, which are checked.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from aqa_pipeline import keypoint_sets, untrusted
from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import AbsentError, InputError, nearest
from aqa_pipeline.layers import heatmaps, inference, onnx
from aqa_pipeline.pose import _openmmlab, _top_down

environment = "mmpose"  # the workflow runs the stage there

MODELS = {
    "hrnet_w32_coco": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
    "hrnet_w48_coco": "td-hm_hrnet-w48_8xb32-210e_coco-384x288",
    "hrnet_w32_dark_coco": "td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192",
    "hrnet_w48_dark_coco": "td-hm_hrnet-w48_dark-8xb32-210e_coco-384x288",
    "hrnet_w48_dark_coco_wholebody": "td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288",
    "rtmpose_m_coco": "rtmpose-m_8xb256-420e_coco-256x192",
}

PRECISIONS = ("float16", "bfloat16", "float32")
_SETS = {"coco": "coco_17", "coco_wholebody": "coco_wholebody_133", "mpii": "mpii_16"}  # mmpose's name -> ours
_PUBLISHED = re.compile(r"-([0-9a-f]{8})(_[0-9]{8})?\.pth$")


def build(
    *,
    device: str = "auto",
    model: str = "hrnet_w32_dark_coco",
    config: str | None = None,
    weights: str | None = None,
    sha256: str | None = None,
    seed: int = 0,
    flip: bool = True,
    precision: str | None = None,
    rotations: int = 1,
    refine: int = 0,
    steadiness: float = 0.1,
    batch: int = 16,
) -> _top_down.Estimator:
    """An estimator from an mmpose configuration and a checkpoint for it.

    Parameters
    ----------
    model : one of `MODELS`
    config : instead of `model`, a file, or the name of one in the installed mmpose
    weights : name of the registry, or a checkpoint; by default the registered ones of `model`; `random` for an
        untrained network, of use for tests and timing alone
    sha256 : of the checkpoint, or its first digits; by default those in a published name
    seed : of random weights
    flip : also look at every crop mirrored, and take the mean, as mmpose's test settings do
    precision : float16, bfloat16 or float32, which alone gives mmpose's keypoints to the digit; by default half on a
        GPU and float32 elsewhere
    rotations, refine, steadiness, batch : see `_top_down`

    Raises
    ------
    InputError
        Unknown model or configuration, no weights, weights of another model or with another hash, or keypoints that
        are none of our sets.
    """
    file = _config_file(config or _stem(model))
    settings = _settings(file)
    registered = model if config is None and model in stored_weights.available() else None
    checkpoint, digest = _checked(weights or registered, sha256, file, seed)
    network = _network(settings, checkpoint, seed)
    meta = _keypoint_facts(file, settings)
    crop = _crop(file, settings)
    look = _Look(
        network, settings, meta["flip_indices"], size=crop.size[::-1], flip=flip, precision=precision, device=device
    )
    return _top_down.Estimator(
        look,
        keypoint_set=meta["keypoint_set"],
        crop=crop,
        weights=checkpoint.name if checkpoint else "random",
        sha256=digest,
        rotations=rotations,
        refine=refine,
        steadiness=steadiness,
        batch=batch,
        workers=inference.workers(inference.choose_device(device)),
    )


def _stem(model: str) -> str:
    if model not in MODELS:
        raise InputError(f"model: no '{model}', {nearest(model, MODELS)}")
    return MODELS[model]


def _configs() -> Path:
    """The folder of configurations inside the installed mmpose."""
    [package] = _openmmlab.modules("mmpose")
    return Path(package.__file__).parent / ".mim" / "configs"


def _config_file(config: str) -> Path:
    """A file, or the configuration of that name in the installed mmpose."""
    if Path(config).suffix == ".py" and Path(config).is_file():
        return Path(config)
    known = {path.stem: path for path in _configs().rglob("*.py") if "_base_" not in path.parts}
    name = Path(config).stem if Path(config).suffix == ".py" else config
    if name not in known:
        close = nearest(name, known).partition(" known:")[0]
        raise InputError(f"config: no file and none of mmpose's {len(known)} configurations '{config}', {close}")
    return known[name]


def _settings(file: Path) -> Any:
    """The configuration, without what only training asks for; InputError where it is no top-down estimator."""
    config, init = _openmmlab.modules("mmengine.config", "mmengine.registry")
    init.init_default_scope("mmpose")
    try:
        settings = config.Config.fromfile(file)
        found, decoder = settings.model.type, settings.model.head.decoder.type
    except Exception as error:  # a configuration is a Python file, so anything can happen
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{file}: cannot be read as a configuration of a top-down estimator ({reason})") from error
    if found != "TopdownPoseEstimator":
        raise InputError(f"{file}: model of type {found}, expected a TopdownPoseEstimator")
    if decoder not in ("MSRAHeatmap", "SimCCLabel"):
        raise InputError(f"{file}: keypoints are decoded by {decoder}, expected MSRAHeatmap or SimCCLabel")
    settings.model.backbone.init_cfg = None  # it would fetch the backbone's pretrained weights
    settings.model.train_cfg = None
    return settings


def _pipeline(settings: Any, step: str) -> dict[str, Any]:
    return next((each for each in settings.test_dataloader.dataset.pipeline if each["type"] == step), {})


def _crop(file: Path, settings: Any) -> _top_down.Crop:
    """Crops as the configuration's own pipeline cuts them: never reduced before, centred on a pixel's corner."""
    affine = _pipeline(settings, "TopdownAffine")
    if affine.get("use_udp"):
        raise InputError(f"{file}: crops are cut with use_udp, expected plain ones")
    padding = _pipeline(settings, "GetBBoxCenterScale").get("padding", 1.25)
    return _top_down.Crop(tuple(affine["input_size"]), padding=padding, corners=True, reduced=False)


def _keypoint_facts(file: Path, settings: Any) -> dict[str, Any]:
    """Our name of the keypoints and the order that a mirror puts them in."""
    [apis] = _openmmlab.modules("mmpose.apis.inference")
    meta = apis.dataset_meta_from_config(settings, "test") or {}
    name, count = meta.get("dataset_name"), meta.get("num_keypoints")
    known = name in _SETS and keypoint_sets.get(_SETS[name])
    if not known or list(known.flipped) != list(meta["flip_indices"]):
        raise InputError(f"{file}: {count} keypoints of data set '{name}', expected those of {', '.join(_SETS)}")
    return dict(keypoint_set=known.name, flip_indices=list(known.flipped))


def _published(file: Path) -> str | None:
    """Address of the weights that OpenMMLab published for a configuration of the package."""
    import yaml

    for index in file.parent.glob("*.yml"):
        for entry in yaml.safe_load(index.read_text()).get("Models", []):
            if entry["Name"] == file.stem:
                return entry["Weights"]
    return None


def _checked(weights: str | None, sha256: str | None, file: Path, seed: int) -> tuple[Path | None, str]:
    """The checkpoint and its SHA-256; none for random weights."""
    if weights == "random":
        return None, f"random:{seed}"
    if weights in stored_weights.available():
        return stored_weights.path(weights, sha256=sha256), stored_weights.sha256(weights)
    if weights is None or not Path(weights).is_file():
        raise AbsentError(_where_to_find(weights, file))
    digest = stored_weights.digest(Path(weights))
    named = _PUBLISHED.search(Path(weights).name)
    wanted = (sha256 or (named[1] if named else "")).lower()
    if not digest.startswith(wanted):
        raise InputError(f"{weights}: SHA-256 {digest}, expected one that begins with {wanted}")
    return Path(weights), digest


def _where_to_find(weights: str | None, file: Path) -> str:
    found = "no weights" if weights is None else f"no file '{weights}'"
    address = _published(file)
    if address is None:
        return f"weights: {found}, expected a checkpoint of {file.stem}"
    name = address.rpartition("/")[2]
    return f"weights: {found} for {file.stem}: download {address} and say `weights: weights/{name}`, where you put it"


def _network(settings: Any, checkpoint: Path | None, seed: int) -> nn.Module:
    """The model of a configuration with the weights of a checkpoint, all of them and no others."""
    builder, utils = _openmmlab.modules("mmpose.models.builder", "mmengine.model.utils")
    with torch.random.fork_rng(devices=[]), _openmmlab.stood_in():  # RTMPose's backbone is imported from mmdet here
        torch.manual_seed(seed)
        network = utils.revert_sync_batchnorm(builder.build_pose_estimator(copy.deepcopy(settings.model)))
    if checkpoint is not None:
        _fill(network, untrusted.read_weights(checkpoint), checkpoint)
    return network.eval().requires_grad_(False)


def _fill(network: nn.Module, tensors: dict[str, torch.Tensor], checkpoint: Path) -> None:
    """Weights under the names that they have today, without what only training asks for."""
    tensors = {_current(name): tensor for name, tensor in tensors.items()}
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(("data_preprocessor.", "ema_"))}
    stored_weights.fill(network, kept, checkpoint)


def _current(name: str) -> str:
    """The name of a weight today: before 1.0 the head was called keypoint_head, and wrapped models carry a prefix."""
    return re.sub("^keypoint_head[.]", "head.", name.removeprefix("module."))


class _Look:
    """Crops `(B, h, w, 3)` RGB uint8 to keypoints `(B, K, 3)` in crop pixels, with their scores."""

    def __init__(
        self,
        network: nn.Module,
        settings: Any,
        mirrored: list[int],
        *,
        size: tuple[int, int],
        flip: bool,
        precision: str | None,
        device: str,
    ) -> None:
        if precision not in (None, *PRECISIONS):
            raise InputError(f"precision: found '{precision}', expected {', '.join(PRECISIONS)}")
        self._device = inference.choose_device(device)
        self._dtype = getattr(torch, precision) if precision else inference.precision(self._device)
        self._mirrored, self._flip = mirrored, flip
        self._test, self._decoder = settings.model.get("test_cfg", {}), network.head.decoder
        given = settings.model.data_preprocessor
        self._bgr = not given.get("bgr_to_rgb", False)
        self._mean, self._deviation = (
            torch.tensor(given[name], device=self._device).view(1, 3, 1, 1) for name in ("mean", "std")
        )
        inference.limit_opencv()
        self._forward = self._made_fast(_Forward(network), size)

    def _made_fast(self, forward: nn.Module, size: tuple[int, int]) -> Callable[..., tuple[torch.Tensor, ...]]:
        """By ONNX Runtime on a CPU, which is sooner there by a fifth; else by torch, on the device."""
        if self._device.type == "cpu" and self._dtype == torch.float32 and onnx.can_export():
            return onnx.Exported(forward.float(), size=size)
        return forward.to(self._device, self._dtype, memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        answer = self._forward(self._prepared(pictures))
        if self._flip:
            answer = self._merged(answer)
        return self._decoded(*answer)

    def _prepared(self, pictures: np.ndarray) -> torch.Tensor:
        """Normalised crops `(B, 3, h, w)`, with their mirror images after them where those are asked for."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device).permute(0, 3, 1, 2).float()
        x = ((x.flip(1) if self._bgr else x) - self._mean) / self._deviation
        x = torch.cat([x, x.flip(-1)]) if self._flip else x
        return x.to(self._dtype, memory_format=torch.channels_last)

    def _merged(self, answers: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Mean of the answers to the crops and to their mirror images; across alone is mirrored, not down."""
        straight, turned = zip(*(answer.chunk(2) for answer in answers), strict=True)
        turned = [each[:, self._mirrored] for each in turned]
        turned[0] = turned[0].flip(-1)  # the heatmaps, or the first of SimCC's two lines, which is that of x
        if len(turned) == 1 and self._test.get("shift_heatmap", False):
            turned[0][..., 1:] = turned[0][..., :-1].clone()
        return tuple((a + b) * 0.5 for a, b in zip(straight, turned, strict=True))

    def _decoded(self, *answer: torch.Tensor) -> np.ndarray:
        answer = [each.float().cpu() for each in answer]
        if len(answer) == 1 and self._decoder.unbiased:
            return self._by_dark(answer[0])
        found = [self._decoder.decode(*(each[i].numpy() for each in answer)) for i in range(len(answer[0]))]
        return np.stack([np.concatenate([places[0], scores[0][:, None]], axis=-1) for places, scores in found])

    def _by_dark(self, maps: torch.Tensor) -> np.ndarray:
        """As `MSRAHeatmap.decode`, all maps at once; a map without a positive value has its peak at -1, -1."""
        found = heatmaps.decode(maps, kernel=self._decoder.blur_kernel_size, whole_map=True).numpy()  # (B, K, 3)
        found[found[..., 2] <= 0, :2] = -1
        found[..., :2] *= self._decoder.scale_factor
        return found


class _Forward(nn.Module):
    """Backbone, neck and head of an estimator, normalisation folded in; always a tuple of tensors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        [cnn] = _openmmlab.modules("mmcv.cnn")
        self.backbone, self.head = cnn.fuse_conv_bn(network.backbone), cnn.fuse_conv_bn(network.head)
        self.neck = network.neck if network.with_neck else None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features = self.backbone(x)
        answer = self.head(features if self.neck is None else self.neck(features))
        return answer if isinstance(answer, tuple) else (answer,)
