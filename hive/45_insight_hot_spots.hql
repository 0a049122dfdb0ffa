-- Hot spots: districts with more cases than 95 percent of the others, and districts that keep rising
-- Variables, both optional: year (else the latest), crime_group (all_ipc).
-- High: at least 10 cases, and 95 percent of the districts of the year have fewer. Rising: up by half or
-- more in three years from at least 50 cases, no year of decline. No rise is seen across the break of 2014.
-- Computed from crime_counts, so from the facts, the mart hot_spots has the same figures.
USE ${hivevar:database};

-- Districts that are high, rising or both
SELECT
  state_code, state, district, year, crime_group, cases, percentile, base_cases, growth_pct,
  CASE WHEN high = 1 AND rising = 1 THEN 'high and rising' WHEN high = 1 THEN 'high' ELSE 'rising' END
    AS hot_spot
FROM (
  SELECT
    state_code, state, district, year, crime_group, cases, percentile, base_cases, growth_pct,
    CASE WHEN percentile >= 0.95 AND cases >= 10 THEN 1 ELSE 0 END AS high,
    CASE
      WHEN base_cases >= 50 AND growth_pct >= 50
        AND cases >= back_1 AND back_1 >= back_2 AND back_2 >= base_cases THEN 1
      ELSE 0
    END AS rising
  FROM (
    SELECT
      state_code, state, district, year, crime_group, cases, back_1, back_2, percentile, base_cases,
      CASE WHEN base_cases > 0 THEN round((cases - base_cases) * 100 / base_cases, 1) END AS growth_pct
    FROM (
      SELECT
        state_code, state, district, year, crime_group, cases, back_1, back_2, percentile,
        CASE WHEN year_3 = year - 3 AND NOT (breaks = 1 AND year = 2014) THEN back_3 END AS base_cases
      FROM (
        SELECT
          counts.state_code, counts.state, counts.district, counts.year, counts.crime_group,
          counts.cases, marks.breaks,
          round(percent_rank() OVER (PARTITION BY counts.year ORDER BY counts.cases), 4) AS percentile,
          lag(counts.cases, 1) OVER (
            PARTITION BY counts.state_code, counts.district ORDER BY counts.year) AS back_1,
          lag(counts.cases, 2) OVER (
            PARTITION BY counts.state_code, counts.district ORDER BY counts.year) AS back_2,
          lag(counts.cases, 3) OVER (
            PARTITION BY counts.state_code, counts.district ORDER BY counts.year) AS back_3,
          lag(counts.year, 3) OVER (
            PARTITION BY counts.state_code, counts.district ORDER BY counts.year) AS year_3
        FROM crime_counts counts
        JOIN (
          SELECT crime_group, max(CASE WHEN break_2014 <> '' THEN 1 ELSE 0 END) AS breaks
          FROM crime_group_heads
          WHERE fact_table = 'crime_facts'
          GROUP BY crime_group
        ) marks ON marks.crime_group = counts.crime_group
        WHERE counts.district_kind = 'district'
          AND counts.crime_group = CASE
            WHEN '${hivevar:crime_group}' RLIKE '^[a-z_]+$' THEN '${hivevar:crime_group}'
            ELSE 'all_ipc' END
      ) ranked
    ) based
  ) grown
) judged
JOIN (
  SELECT coalesce(CAST('${hivevar:year}' AS int), max(year)) AS asked_year FROM crime_counts
) asked ON asked.asked_year = judged.year
WHERE high = 1 OR rising = 1
ORDER BY cases DESC, state, district;
