-- Data quality: where the sources disagree with each other, with themselves or with the facts
-- @param status not ok: ok, not ok (whatever is wrong), a status as it stands in the table, or all
WITH asked AS (
  SELECT CAST(? AS varchar) AS status
)
SELECT r.check_name, r.source_file, r.scope, r.expected, r.found, r.difference, r.status
FROM data_quality r
CROSS JOIN asked
WHERE asked.status IN ('all', r.status)
  OR (asked.status = 'not ok' AND r.status <> 'ok')
ORDER BY r.check_name, r.source_file, r.scope, r.expected, r.found, r.status
