"""The database: connections, tables, sealed personal data, paging, counters."""
