"""What a database of Redshift has beside its tables: views and functions that loads are looked at with."""

from __future__ import annotations

from pathlib import Path

#: Schema of all this; it is on the search path, and not among the schemas that are listed.
SCHEMA = "redshift_system"

#: Names of schemas that nobody asked for.
HIDDEN = (SCHEMA, "pg_catalog", "information_schema", "pg_toast")

#: Codes that COPY gives here (https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html).
REASONS = {
    1202: "Extra column(s) found",
    1203: "Delimiter not found",
    1204: "String length exceeds DDL length",
    1206: "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    1205: "Invalid Date Format - length must be 10 or more",
    1207: "Invalid digit",
    1208: "Invalid data type",
    1209: "Invalid decimal",
    1210: "Unknown boolean format",
    1213: "Missing data for not-null field",
    1216: "Invalid JSON",
    1220: "String contains invalid or unsupported UTF8 codepoints",
}

#: What makes it.
BOOTSTRAP = Path(__file__).with_name("system.sql").read_text(encoding="utf-8")
