"""The report: one self-contained page of a run, derived from its folder alone."""

from search.report.page import page
from search.report.run_data import RunData, gather
from search.report.write import report_at_end, write_front, write_report

__all__ = ["RunData", "gather", "page", "report_at_end", "write_front", "write_report"]
