"""Tables: a grid of cells becomes rows that read by themselves."""

from bot.corpus.tables.cells import Cell, Grid, Row
from bot.corpus.tables.labels import is_value
from bot.corpus.tables.rows import has_header, table_rows

__all__ = ["Cell", "Grid", "Row", "has_header", "is_value", "table_rows"]
