-- FIRs of the stream by hour of the day and month of the offence
-- Hours and months are India's. A FIR that was sent twice is one: the first that was sent is counted.
-- A Zero FIR and the FIR that it became are one, counted as what it became: there the offence belongs.
-- since chooses deliveries, not FIRs: one that was delivered before and again since is counted. Other forms find nothing.
-- @param state_code all: a code as IN-TN, or all
-- @param crime_group all: violent, against_women, against_body, property, economic, public_order, traffic, other, or all
-- @param since all: the first day of delivery to read, as 2026/11/24 (the fewer days, the less is scanned), or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS crime_group,
    CAST(? AS varchar) AS since
),
sent AS (
  SELECT
    f.state_code, f.crime_group,
    from_iso8601_timestamp(f.occurred_at) AT TIME ZONE 'Asia/Kolkata' AS occurred,
    row_number() OVER (
      PARTITION BY coalesce(f.zero_key, f.fir_key) ORDER BY f.is_zero, f.sent_at, f.content_hash
    ) AS sending
  FROM firs f
  CROSS JOIN asked
  WHERE asked.since = 'all'
    OR (regexp_like(asked.since, '^[0-9]{4}/[0-9]{2}/[0-9]{2}$') AND f.delivered_on >= asked.since)
)
SELECT
  hour(sent.occurred) AS hour_of_day,
  month(sent.occurred) AS month_number,
  count(*) AS firs
FROM sent
CROSS JOIN asked
WHERE sent.sending = 1
  AND asked.state_code IN ('all', sent.state_code)
  AND asked.crime_group IN ('all', sent.crime_group)
GROUP BY hour(sent.occurred), month(sent.occurred)
ORDER BY 1, 2
