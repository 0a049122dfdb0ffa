-- Where is crime worst: cases, rate per lakh, rank and magnitude of every state or district
-- Variables, all optional: year (else the latest), crime_group (all_ipc), place_level (state, or district).
-- Districts are ranked among districts: railway police and special units are listed without a rank.
-- Computed from crime_counts, so from the facts, the mart crime_by_region has the same figures.
USE ${hivevar:database};

-- Cases, rate, rank and magnitude
SELECT
  place_level, state_code, state, district, year, crime_group, cases, population,
  round(cases * 100000 / population, 2) AS rate_per_lakh,
  CASE WHEN ranked = 1 THEN rank_among END AS rank_in_year,
  CASE
    WHEN ranked = 0 THEN NULL
    WHEN cases = 0 THEN 'none'
    WHEN fewer >= 0.8 THEN 'very high'
    WHEN fewer >= 0.6 THEN 'high'
    WHEN fewer >= 0.4 THEN 'medium'
    WHEN fewer >= 0.2 THEN 'low'
    ELSE 'very low'
  END AS magnitude
FROM (
  SELECT
    placed.place_level, placed.state_code, placed.state, placed.district, placed.year,
    placed.crime_group, placed.cases, persons.population,
    CASE WHEN placed.district IS NULL OR placed.district_kind = 'district' THEN 1 ELSE 0 END AS ranked,
    rank() OVER (
      PARTITION BY coalesce(placed.district_kind, 'district') = 'district'
      ORDER BY placed.cases DESC) AS rank_among,
    percent_rank() OVER (
      PARTITION BY coalesce(placed.district_kind, 'district') = 'district'
      ORDER BY placed.cases) AS fewer
  FROM (
    SELECT
      'state' AS place_level, state_code, state, CAST(NULL AS string) AS district,
      CAST(NULL AS string) AS district_kind, year, crime_group, sum(cases) AS cases
    FROM crime_counts
    WHERE NOT '${hivevar:place_level}' = 'district'
      AND crime_group = CASE WHEN '${hivevar:crime_group}' RLIKE '^[a-z_]+$'
        THEN '${hivevar:crime_group}' ELSE 'all_ipc' END
    GROUP BY state_code, state, year, crime_group
    UNION ALL
    SELECT
      'district' AS place_level, state_code, state, district, district_kind, year,
      crime_group, cases
    FROM crime_counts
    WHERE '${hivevar:place_level}' = 'district'
      AND crime_group = CASE WHEN '${hivevar:crime_group}' RLIKE '^[a-z_]+$'
        THEN '${hivevar:crime_group}' ELSE 'all_ipc' END
  ) placed
  JOIN (
    SELECT coalesce(CAST('${hivevar:year}' AS int), max(year)) AS year FROM crime_counts
  ) asked ON asked.year = placed.year
  LEFT JOIN population_by_year persons
    ON persons.level = placed.place_level AND persons.state_code = placed.state_code
    AND persons.year = placed.year
) measured
ORDER BY cases DESC, state, district;
