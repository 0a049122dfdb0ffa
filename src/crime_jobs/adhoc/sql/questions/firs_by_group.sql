-- FIRs of the stream by state, crime group and law of the first section
-- A FIR that was sent twice is one: the first that was sent is counted.
-- @param state_code all: a code as IN-TN, or all
-- @param since all: the first day of delivery to read, as 2026/11/24 (the fewer days, the less is scanned), or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS since
),
sent AS (
  SELECT
    f.state_code, f.crime_group,
    split_part(f.sections, ':', 1) AS law,
    row_number() OVER (PARTITION BY f.fir_key ORDER BY f.sent_at, f.content_hash) AS sending
  FROM firs f
  CROSS JOIN asked
  WHERE asked.since = 'all' OR f.delivered_on >= asked.since
)
SELECT sent.state_code, sent.crime_group, sent.law, count(*) AS firs
FROM sent
CROSS JOIN asked
WHERE sent.sending = 1
  AND asked.state_code IN ('all', sent.state_code)
GROUP BY sent.state_code, sent.crime_group, sent.law
ORDER BY 1, 2, 3
