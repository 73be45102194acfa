"""How the videos beside this file were made: ten frames of 48 x 32, frame i of level 20 + 15 i, H.264.

The four frames that `aqa doctor` reads are the first of them. OpenCV writes none of these files, so they are kept;
`python make.py` needs `av` (PyAV 18.1.0 was used) and numpy.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TIMES = [0, 50, 100, 250, 300, 350, 600, 650, 700, 750]  # milliseconds; 20 frames a second with some left out


def write(path: Path, pixels: str, times: list[int]) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            level = np.full((32, 48, 3), 20 + 15 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(level, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    folder = Path(__file__).parent
    write(folder / "varying_rate.mkv", "yuv420p", TIMES)
    write(folder / "ten_bit.mp4", "yuv420p10le", [50 * number for number in range(10)])
    write(folder.parents[1] / "aqa_pipeline" / "h264.mp4", "yuv420p", [50 * number for number in range(4)])
