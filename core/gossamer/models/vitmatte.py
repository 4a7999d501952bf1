"""ViTMatte: a plain vision transformer with window and global attention, and a detail capture decoder.

Source: Yao et al., "ViTMatte: Boosting image matting with pre-trained plain vision transformers" (2024), section 3.
``vitmatte-s-rgb`` is the trimap-free network of three channels that Liu et al., "Training Matting Models without Alpha
Labels" (2024) train. Tensor names are those of the official checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gossamer.models.convention import normalize_imagenet, obey_trimap, require_trimap
from gossamer.models.registry import register_model

__all__ = ["ViTMatte", "ViTMatteConfig", "vitmatte_b", "vitmatte_s", "vitmatte_s_rgb"]

PATCH = 16
PRETRAINED_GRID = 14
"""Side of the position table: pretraining saw 224 pixels."""
GLOBAL_GRID = 32
"""Side of the grid that the global blocks' relative positions were made for: crops of 512 pixels."""


@dataclass(frozen=True)
class ViTMatteConfig:
    """Which ViTMatte."""

    width: int
    """Channels of the transformer."""
    heads: int
    inputs: int = 4
    """4: RGB and trimap. 3: RGB, trimap-free."""
    depth: int = 12
    """Blocks; every third one attends globally and ends in a convolution block."""
    window: int = 14
    """Side of the attention windows in tokens."""


# --- transformer ------------------------------------------------------------------------------------------------------


class _Attention(nn.Module):
    """Multi-head attention over an h x w grid with decomposed relative positions."""

    def __init__(self, width: int, heads: int, grid: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, width // heads))

    def _positions(self, table: Tensor, size: int) -> Tensor:
        """size x size x C: entry (q, k) belongs to the distance q - k; a table for another size is resized."""
        resized = F.interpolate(table.float().T[None], size=2 * size - 1, mode="linear", align_corners=False)
        position = torch.arange(size, device=table.device)
        return resized[0].T[position[:, None] - position[None, :] + (size - 1)].to(table.dtype)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        qkv = self.qkv(x).view(batch, height * width, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        # The position terms use the query without the 1/sqrt(d) of the content term.
        grid = query.view(batch, self.heads, height, width, channels // self.heads)
        vertical = torch.einsum("bnhwc,hkc->bnhwk", grid, self._positions(self.rel_pos_h, height))
        horizontal = torch.einsum("bnhwc,wkc->bnhwk", grid, self._positions(self.rel_pos_w, width))
        bias = (vertical[..., :, None] + horizontal[..., None, :]).flatten(4, 5).flatten(2, 3)
        answer = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        # Concatenated, not transposed and reshaped: kernels differ in strides, and an export would keep those of one.
        merged = torch.cat(answer.unbind(1), dim=-1).view(batch, height, width, channels)
        return self.proj(merged)  # type: ignore[no-any-return]


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class _ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of N C H W, pixel by pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ConvolutionBlock(nn.Module):
    """Bottleneck of convolutions beside the identity. Starts as the identity: the last norm's weight is 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 2, 1, bias=False)
        self.norm1 = _ChannelNorm(width // 2, eps=1e-6)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, 1, 1, bias=False)
        self.norm2 = _ChannelNorm(width // 2, eps=1e-6)
        self.conv3 = nn.Conv2d(width // 2, width, 1, bias=False)
        self.norm3 = _ChannelNorm(width, eps=1e-6)
        nn.init.zeros_(self.norm3.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 3, 1, 2)
        y = F.gelu(self.norm1(self.conv1(y)))
        y = F.gelu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        assert isinstance(y, Tensor)
        return x + y.permute(0, 2, 3, 1)


class _Block(nn.Module):
    """Attention and MLP on N h w C. ``window`` 0 attends globally and adds a convolution block."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads, window or GLOBAL_GRID)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _Mlp(width)
        self.residual = None if window else _ConvolutionBlock(width)

    def _attend_in_windows(self, x: Tensor) -> Tensor:
        """The grid is padded with zeros after the norm, and the padding takes part, as in the published network."""
        batch, height, width, channels = x.shape
        side = self.window
        rows, columns = (height + side - 1) // side, (width + side - 1) // side
        x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
        x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3).flatten(0, 2)
        x = self.attn(x).view(batch, rows, columns, side, side, channels).transpose(2, 3)
        return x.reshape(batch, rows * side, columns * side, channels)[:, :height, :width]

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + (self._attend_in_windows(y) if self.window else self.attn(y))
        x = x + self.mlp(self.norm2(x))
        return x if self.residual is None else self.residual(x)


class _PatchEmbedding(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, width, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class _Transformer(nn.Module):
    """N inputs H W to N width H/16 W/16."""

    def __init__(self, config: ViTMatteConfig) -> None:
        super().__init__()
        self.patch_embed = _PatchEmbedding(config.inputs, config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, PRETRAINED_GRID**2 + 1, config.width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        windows = [0 if k % 3 == 2 else config.window for k in range(config.depth)]
        self.blocks = nn.ModuleList(_Block(config.width, config.heads, window) for window in windows)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        # The first entry is the class token's, which matting does not have.
        table = self.pos_embed[:, 1:].view(1, PRETRAINED_GRID, PRETRAINED_GRID, -1).permute(0, 3, 1, 2)
        resized = F.interpolate(table.float(), size=x.shape[1:3], mode="bicubic", align_corners=False)
        x = x + resized.permute(0, 2, 3, 1).to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return x.permute(0, 3, 1, 2)


# --- detail capture decoder -------------------------------------------------------------------------------------------


class _ConvNorm(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _DetailStream(nn.Module):
    """The picture at four sizes, by plain convolutions."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([_ConvNorm(inputs, 48, 2), _ConvNorm(48, 96, 2), _ConvNorm(96, 192, 2)])

    def forward(self, x: Tensor) -> list[Tensor]:
        details = [x]
        for conv in self.convs:
            details.append(conv(details[-1]))
        return details


class _Fusion(nn.Module):
    """Doubles the deeper features and merges them with the details of that size; the details come first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _ConvNorm(inputs, outputs, 1)

    def forward(self, x: Tensor, detail: Tensor) -> Tensor:
        up = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.conv(torch.cat([detail, up], dim=1))  # type: ignore[no-any-return]


class _MattingHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matting_convs = nn.Sequential(
            nn.Conv2d(32, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.Conv2d(16, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.matting_convs(x)  # type: ignore[no-any-return]


class _Decoder(nn.Module):
    def __init__(self, config: ViTMatteConfig) -> None:
        super().__init__()
        self.convstream = _DetailStream(config.inputs)
        self.fusion_blks = nn.ModuleList(
            [
                _Fusion(192 + config.width, 256),
                _Fusion(96 + 256, 128),
                _Fusion(48 + 128, 64),
                _Fusion(config.inputs + 64, 32),
            ]
        )
        self.matting_head = _MattingHead()

    def forward(self, tokens: Tensor, picture: Tensor) -> Tensor:
        details = self.convstream(picture)
        x = tokens
        for fusion, detail in zip(self.fusion_blks, reversed(details), strict=True):
            x = fusion(x, detail)
        return self.matting_head(x)  # type: ignore[no-any-return]


# --- the network ------------------------------------------------------------------------------------------------------


class ViTMatte(nn.Module):
    """The network.

    Global attention weighs every token against every other: memory grows with the fourth power of the picture's side.
    The weights of one block of the small network are 1.6 GB at 1920x1080 in float32 and 25 GB at 3840x2160, twice that
    for the base network. Large plates want tiles.
    """

    def __init__(self, config: ViTMatteConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _Transformer(config)
        self.decoder = _Decoder(config)

    def input_tensor(self, plate: Tensor, trimap: Tensor | None) -> Tensor:
        """The network's own input: RGB by ImageNet statistics, then the trimap as it is, if the network reads one."""
        x = normalize_imagenet(plate)
        if self.config.inputs == 4:
            x = torch.cat([x, require_trimap(trimap, "ViTMatte").to(plate.dtype)], dim=1)
        return x.to(self.backbone.patch_embed.proj.weight.dtype)

    def forward(self, plate: Tensor, trimap: Tensor | None = None, *, compat_padding: bool = False) -> Tensor:
        """Alpha N 1 H W in 0..1 as the network sees it, in the dtype of ``plate``; not held to the trimap.

        Args:
            plate: N 3 H W, sRGB-encoded, 0..1, any size: padded to multiples of 32 with the mean colour and known
                background, and the padding cropped off again.
            trimap: N 1 H W in {0, 0.5, 1}; not read by the network of three channels. The published script feeds
                128/255 for unknown although training used 0.5; give that value to get its pixels.
            compat_padding: pad as the published script does: if either side is no multiple of 32, both are padded,
                and one that fits gains 32.

        Raises:
            ModelError: the network reads a trimap and there is none.
        """
        height, width = plate.shape[-2:]
        x = self.input_tensor(plate, trimap)
        bottom, right = -height % 32, -width % 32
        if compat_padding and (bottom or right):
            bottom, right = bottom or 32, right or 32
        x = F.pad(x, (0, right, 0, bottom))
        logits = self.decoder(self.backbone(x), x)[..., :height, :width]
        return logits.to(plate.dtype).sigmoid()  # type: ignore[no-any-return]

    def forward_matte(self, plate: Tensor, trimap: Tensor | None = None, *, compat_padding: bool = False) -> Tensor:
        """Alpha N 1 H W in 0..1, exactly 0 and 1 where a trimap is known; arguments as in :meth:`forward`."""
        alpha = self.forward(plate, trimap, compat_padding=compat_padding)
        return alpha if trimap is None else obey_trimap(alpha, trimap)


# Global attention sees the whole picture, so no margin makes tiles agree exactly; 128 keeps seams small.
@register_model("vitmatte-s", family="vitmatte", needs_trimap=True, multiple_of=32, margin=128)
def vitmatte_s() -> ViTMatte:
    """The small one."""
    return ViTMatte(ViTMatteConfig(width=384, heads=6))


@register_model("vitmatte-b", family="vitmatte", needs_trimap=True, multiple_of=32, margin=128)
def vitmatte_b() -> ViTMatte:
    """The base one."""
    return ViTMatte(ViTMatteConfig(width=768, heads=12))


@register_model("vitmatte-s-rgb", family="vitmatte", needs_trimap=False, multiple_of=32, margin=128)
def vitmatte_s_rgb() -> ViTMatte:
    """The small one, trimap-free."""
    return ViTMatte(ViTMatteConfig(width=384, heads=6, inputs=3))
