"""What the steps read of FINN's `DataflowBuildConfig`, for who calls them by hand: that class needs packages which only
FINN's builder imports.

    cfg = StepConfig("out/finn", board="Pynq-Z2", target_fps=1000)
    model = step_signflow_fold(model, cfg)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class StepConfig:
    """Fields and methods have the names and meanings that FINN's have."""

    output_dir: str
    board: str = "Pynq-Z2"
    fpga_part: str | None = None
    synth_clk_period_ns: float = 10.0
    target_fps: float | None = None
    folding_config_file: str | None = None
    steps: Sequence | None = None

    def _resolve_fpga_part(self) -> str:
        from finn.util.basic import part_map

        return self.fpga_part or part_map[self.board]

    def _resolve_verification_steps(self) -> list:
        return []  # what FINN calls for them belongs to its builder

    def get_report_directory(self) -> Path:
        """``output_dir``/report, made where it is not there."""
        folder = Path(self.output_dir) / "report"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
