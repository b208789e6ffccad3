"""Reports of a run or a study: one HTML file, its figures, and tables in the terminal."""

from fer_jax.report.choices import write_csv
from fer_jax.report.gallery import write_feature_maps
from fer_jax.report.html import write_report
from fer_jax.report.tables import Table
from fer_jax.report.terminal import print_table, print_tables

__all__ = [
    "Table", "print_table", "print_tables", "write_csv", "write_feature_maps", "write_report",
]
