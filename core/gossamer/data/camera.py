"""What a camera and a file do to a picture: tone, noise, demosaicing, sharpening, JPEG."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gossamer.image.image import FloatArray

__all__ = ["compress_jpeg", "random_tone", "record"]


def random_tone(rng: np.random.Generator) -> Callable[[FloatArray], FloatArray]:
    """Draw exposure, cast, gamma and contrast; the function returned applies them to encoded colour in 0..1.

    Monotonous per channel and applied to F and B before they are composited, so the matting equation stays exact.
    """
    style = rng.random()
    gain = np.ones(3, np.float32)
    gamma = 1.0
    if style < 0.5:
        # A studio under tungsten light, exposed for the highlights: dark and warm.
        gain = np.array([1, rng.uniform(0.72, 0.98), rng.uniform(0.4, 0.9)], np.float32) * np.float32(
            rng.uniform(0.7, 1.25)
        )
        gamma = float(rng.uniform(1.0, 1.6))
    elif style < 0.8:
        gain = np.exp(rng.normal(0, 0.1, 3)).astype(np.float32) * np.float32(np.exp(rng.normal(-0.1, 0.2)))
        gamma = float(np.exp(rng.normal(0, 0.2)))
    lift = np.float32(rng.uniform(0, 0.05) if rng.random() < 0.3 else 0)

    def tone(color: FloatArray) -> FloatArray:
        if gamma != 1:
            color = np.asarray(cv2.pow(color, gamma), np.float32)
        return np.asarray((color * gain * (1 - lift) + lift).clip(0, 1), np.float32)

    return tone


def compress_jpeg(picture: NDArray[np.uint8], quality: int, *, subsample: bool = True) -> NDArray[np.uint8]:
    """There and back through JPEG; chroma at half resolution (4:2:0) or full (4:4:4). H x W x 3 RGB."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsample else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, data = cv2.imencode(".jpg", picture[..., ::-1], options)
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def record(rng: np.random.Generator, plate: FloatArray, *, jpeg: float) -> NDArray[np.uint8]:
    """Photograph a composite.

    Args:
        rng: source of randomness.
        plate: H x W x 3, encoded 0..1.
        jpeg: probability of JPEG.

    Returns:
        H x W x 3, 0..255.
    """
    height, width = plate.shape[:2]
    level = rng.random()
    if level < 0.7:
        # Most pictures are nearly clean (below one step of 8 bits), some are noisy.
        strength = 0.2 if level < 0.5 else 0.8
        read = strength * float(np.exp(rng.uniform(np.log(0.0008), np.log(0.01))))
        shot = strength * float(np.exp(rng.uniform(np.log(0.001), np.log(0.02))))
        noise = rng.standard_normal(plate.shape, dtype=np.float32)
        if rng.random() < 0.6:
            # Demosaicing and denoising leave coarse noise.
            noise = 1.6 * cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.4, 0.9)))
        # In encoded values shot noise is nearly independent of brightness; a little more of it stays in the lights.
        plate = plate + noise * (read + shot * cv2.sqrt(plate * 0.5))
    if rng.random() < 0.18:
        halo = cv2.GaussianBlur(plate, (0, 0), float(rng.uniform(0.7, 2)))
        plate = plate + np.float32(rng.uniform(0.2, 0.9)) * (plate - halo)
    picture = np.round(plate.clip(0, 1) * 255).astype(np.uint8)
    if rng.random() < jpeg:
        quality = int(rng.uniform(62, 99))
        return compress_jpeg(picture, quality, subsample=rng.random() < 0.7)
    if rng.random() < 0.12:
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
        chroma = cv2.resize(luma[..., 1:], (max(width // 2, 1), max(height // 2, 1)), interpolation=cv2.INTER_AREA)
        luma[..., 1:] = cv2.resize(chroma, (width, height))
        picture = np.asarray(cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB), np.uint8)
    return picture
