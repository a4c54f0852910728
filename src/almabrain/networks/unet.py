"""The blobs finder: a small U-Net from a plane in noise units to the probability of emission per pixel."""

import torch
from torch import nn

from almabrain.networks.inputs import CHANNELS


class BlobsFinder(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from the maps of `network_input` to one map of logits.

    `base_channels` feature maps at full resolution, doubled at each of `levels` resolutions. Batch, not
    instance, normalisation: in use it is a fixed affine map, so the answer at a pixel depends on its
    surroundings only and an image may be cut into tiles.
    """

    def __init__(self, base_channels: int = 8, levels: int = 4):
        super().__init__()
        widths = [base_channels * 2**level for level in range(levels)]
        self.levels = levels
        self.down = nn.ModuleList(
            _Block(before, width) for before, width in zip([CHANNELS, *widths[:-1]], widths, strict=True)
        )
        self.widen = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2)
            for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.up = nn.ModuleList(_Block(2 * fine, fine) for fine in widths[-2::-1])
        # The head sees the maps as well: the network starts as a matched filter and improves on it.
        self.head = nn.Conv2d(widths[0] + CHANNELS, 1, 1)
        # Sources cover about 1 % of a field: start from that prior instead of learning it.
        nn.init.constant_(self.head.bias, -4.0)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 1, y, x) of maps (batch, 2, y, x) in noise units; sides multiples of `step`.

        asinh keeps the noise as it is and tames a source of 1e4 sigma to 10; unlike any scaling by the
        image's own range it is the same function for every image.
        """
        maps = torch.asinh(maps)
        features, skipped = maps, []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else nn.functional.max_pool2d(features, 2))
            skipped.append(features)
        for widen, block, skip in zip(self.widen, self.up, skipped[-2::-1], strict=True):
            features = block(torch.cat([widen(features), skip], dim=1))
        return self.head(torch.cat([features, maps], dim=1))

    @property
    def step(self) -> int:
        """What the sides of an input must be multiples of."""
        return 2 ** (self.levels - 1)

    @property
    def reach_pix(self) -> int:
        """How far, at most, an input pixel can be from an output pixel it has influence on."""
        # Two 3 x 3 convolutions a block reach 2 pixels of that level; coarse pixels add their own width.
        blocks = sum(2 * 2**level for level in range(self.levels - 1))
        return 2 * blocks + 2 * self.step + 2 * self.step

    @property
    def size(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


class _Block(nn.Sequential):
    def __init__(self, before: int, after: int):
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )
