-- Which crime heads make up which crime group, and where 2014 can't be compared
-- @param fact_table all: crime_facts, women_facts, or all
WITH asked AS (
  SELECT CAST(? AS varchar) AS fact_table
)
SELECT
  r.fact_table, r.crime_group, r.group_label, r.crime_head, r.head_label, r.defined_by, r.break_2014
FROM crime_group_heads r
CROSS JOIN asked
WHERE asked.fact_table IN ('all', r.fact_table)
ORDER BY r.fact_table, r.crime_group, r.crime_head
