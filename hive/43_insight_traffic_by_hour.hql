-- When on the day do road accidents happen: a place and year by three hours of the day
-- Variables, both optional: state_code (else IN, the country), year (else the latest).
-- Andhra Pradesh is undivided here in all years, 2014 too.
-- Computed from traffic_counts, so from the facts, the mart traffic_by_time_of_day has the same figures.
USE ${hivevar:database};

-- Accidents and share by slot
SELECT
  counts.state_code, counts.state, counts.year, counts.bucket AS slot, counts.cases, counts.share_pct
FROM traffic_counts counts
JOIN (
  SELECT
    CASE WHEN '${hivevar:state_code}' RLIKE '^IN[-A-Z]*$' THEN '${hivevar:state_code}'
      ELSE 'IN' END AS state_code,
    coalesce(CAST('${hivevar:year}' AS int), max(year)) AS year
  FROM traffic_counts
) asked ON asked.state_code = counts.state_code AND asked.year = counts.year
WHERE counts.breakdown = 'slot'
ORDER BY slot;
