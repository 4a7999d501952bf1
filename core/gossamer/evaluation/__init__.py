"""Measure models against known alpha, show the result, and look at what this machine offers."""

from gossamer.evaluation.crops import comparison_sheet, hardest_windows
from gossamer.evaluation.evaluate import SolvedCase, evaluate
from gossamer.evaluation.report import Report
from gossamer.evaluation.results import Evaluation, PictureScores, write_csv, write_json
from gossamer.evaluation.scores import METRIC_NAMES, Scores, measure

__all__ = [
    "METRIC_NAMES",
    "Evaluation",
    "PictureScores",
    "Report",
    "Scores",
    "SolvedCase",
    "comparison_sheet",
    "evaluate",
    "hardest_windows",
    "measure",
    "write_csv",
    "write_json",
]
