"""Peaks of known accelerators, from their vendors' pages."""

from typing import NamedTuple


class Peaks(NamedTuple):
    """Peaks of one device.

    Attributes:
        flops: Dense bf16 arithmetic in FLOP/s.
        bandwidth: Memory bandwidth in bytes/s.
        memory: Memory in bytes.
        source: Page of the vendor, and when it said so.
    """

    flops: float
    bandwidth: float
    memory: float
    source: str


PEAKS = {
    "H100": Peaks(989e12, 3.35e12, 80e9, "NVIDIA H100 datasheet, SXM5, 2023: 1,979 TFLOP/s with sparsity"),
    "H200": Peaks(989e12, 4.8e12, 141e9, "NVIDIA H200 datasheet, SXM5, 2024: 1,979 TFLOP/s with sparsity"),
    "A100": Peaks(312e12, 2.039e12, 80e9, "NVIDIA A100 80GB datasheet (us-nvidia-1758950-r4), SXM4, 2021"),
    "B200": Peaks(
        *(2.25e15, 8e12, 180e9),
        "NVIDIA DGX B200 datasheet, 2024, a system of eight: 72 PFLOP/s in fp8 with sparsity, of which dense bf16 has a"
        " quarter; 64 TB/s; 1,440 GB",
    ),
    "L40S": Peaks(362.05e12, 864e9, 48e9, "NVIDIA L40S datasheet, 2023: 362.05 TFLOP/s, 733 with sparsity"),
    "MI300X": Peaks(1307.4e12, 5.3e12, 192e9, "AMD Instinct MI300X data sheet, December 2023"),
    "TPU v5e": Peaks(197e12, 819e9, 16e9, "cloud.google.com/tpu/docs/v5e, per chip"),
    "TPU v5p": Peaks(459e12, 2765e9, 95e9, "cloud.google.com/tpu/docs/v5p, per chip, read November 2026"),
    "TPU v6e": Peaks(918e12, 1638e9, 32e9, "docs.cloud.google.com/tpu/docs/v6e, per chip, read November 2026"),
}
"""Peaks by name. Dense products reach half of the arithmetic that NVIDIA quotes with sparsity."""
