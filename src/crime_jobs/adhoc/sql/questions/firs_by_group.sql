-- FIRs of the stream by state, crime group and law of the first section
-- A FIR that was sent twice is one: the first that was sent is counted.
-- A Zero FIR and the FIR that it became are one, counted as what it became: there the offence belongs.
-- since chooses deliveries, not FIRs: one that was delivered before and again since is counted. Other forms find nothing.
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
    row_number() OVER (
      PARTITION BY coalesce(f.zero_key, f.fir_key) ORDER BY f.is_zero, f.sent_at, f.content_hash
    ) AS sending
  FROM firs f
  CROSS JOIN asked
  WHERE asked.since = 'all'
    OR (regexp_like(asked.since, '^[0-9]{4}/[0-9]{2}/[0-9]{2}$') AND f.delivered_on >= asked.since)
)
SELECT sent.state_code, sent.crime_group, sent.law, count(*) AS firs
FROM sent
CROSS JOIN asked
WHERE sent.sending = 1
  AND asked.state_code IN ('all', sent.state_code)
GROUP BY sent.state_code, sent.crime_group, sent.law
ORDER BY 1, 2, 3
