"""Files of forms: their bytes become sheets of cells, and a workbook a copy with other rows."""
