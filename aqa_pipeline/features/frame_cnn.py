"""What a picture network trained on ImageNet sees in single frames: one vector a frame, 96 a clip.

FineParser (ResNet-34) and MCoRe (RegNetY-200MF, with shifts between frames) train these networks on; here they are
frozen, and see each frame alone. EfficientNet-B5 (Tan and Le, ICML 2019) is the image row of the report "Pose-guided
AQA": it names an EfficientNet with 2048 features, and among B0 to B7 that is B5. It was trained on 456 x 456 pixels;
`resize: [456, 456], crop: 456` shows it the whole frame, squeezed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aqa_pipeline import weights as stored_weights
from aqa_pipeline.errors import expect_one_of
from aqa_pipeline.features._clips import Network, shown
from aqa_pipeline.layers import frame_networks
from aqa_pipeline.layers.views import View

source = "frames"
boxes = "optional"

# Of timm, with the head that is left out. "tf": padded as TensorFlow does, as those weights were trained.
NETWORKS = {"resnet34": "fc.", "regnety_002": "head.fc.", "tf_efficientnet_b5": "classifier."}


class Extractor:
    """Callable from frames `(H, W, 3)`, and maybe boxes `(T, 5)` to follow, to features `(T, D)` float32."""

    def __init__(self, view: View, network: Network, sha256: str | None) -> None:
        self.view, self.sha256 = view, sha256
        self._network = network

    def __call__(self, frames: Sequence[np.ndarray], boxes: np.ndarray | None = None) -> np.ndarray:
        return self._network(shown(self.view, frames, boxes), channels=1)

    def first_frames(self, n: int) -> np.ndarray:
        """The frame of each row `(T,)`, in a clip of `n`."""
        return self.view.positions(n)


def build(
    *,
    network: str = "resnet34",
    weights: str = "resnet34_imagenet",
    n_frames: int = 96,
    sampling: str = "linspace",
    resize: Sequence[int] | None = (200, 112),
    swap_resize: bool = True,
    crop: int = 112,
    batch: int = 32,
    device: str = "cpu",
) -> Extractor:
    """`network`: resnet34 (512 features), regnety_002 (368) or tf_efficientnet_b5 (2048), with its `weights`.

    Those are a registered name or a file; the other options are those of a `View`.
    """
    expect_one_of("frame_cnn.network", network, NETWORKS)
    view = View(n_frames=n_frames, sampling=sampling, resize=resize, swap_resize=swap_resize, crop=crop)
    model = frame_networks.create(network)
    stored_weights.fill_body(model, stored_weights.load(weights), weights, head=NETWORKS[network])
    ready = Network(model, device=device, batch=batch, pixels="imagenet")
    return Extractor(view, ready, stored_weights.sha256(weights))
