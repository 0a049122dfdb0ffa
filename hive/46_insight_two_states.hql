-- Two states beside each other: cases and rate per lakh of every crime group in one year
-- Variables, all optional: state_a and state_b (codes, else IN-TN and IN-KL), year (else the latest).
-- Rates compare states, cases do not. Where a rate is empty the population of that year is not known
-- (Andhra Pradesh and Telangana from 2014 on).
USE ${hivevar:database};

-- Every crime group in both states
SELECT
  measured.crime_group, measured.year,
  max(CASE WHEN measured.side = 'a' THEN measured.state END) AS state_a,
  max(CASE WHEN measured.side = 'a' THEN measured.cases END) AS cases_a,
  max(CASE WHEN measured.side = 'a' THEN measured.rate_per_lakh END) AS rate_a,
  max(CASE WHEN measured.side = 'b' THEN measured.state END) AS state_b,
  max(CASE WHEN measured.side = 'b' THEN measured.cases END) AS cases_b,
  max(CASE WHEN measured.side = 'b' THEN measured.rate_per_lakh END) AS rate_b
FROM (
  SELECT
    asked.side, counted.state, counted.year, counted.crime_group, counted.cases,
    round(counted.cases * 100000 / persons.population, 2) AS rate_per_lakh
  FROM (
    SELECT state_code, state, year, crime_group, sum(cases) AS cases
    FROM crime_counts
    GROUP BY state_code, state, year, crime_group
  ) counted
  JOIN (
    SELECT
      'a' AS side,
      CASE WHEN '${hivevar:state_a}' RLIKE '^IN-[A-Z]+$' THEN '${hivevar:state_a}'
        ELSE 'IN-TN' END AS state_code,
      coalesce(CAST('${hivevar:year}' AS int), max(year)) AS year
    FROM crime_counts
    UNION ALL
    SELECT
      'b' AS side,
      CASE WHEN '${hivevar:state_b}' RLIKE '^IN-[A-Z]+$' THEN '${hivevar:state_b}'
        ELSE 'IN-KL' END AS state_code,
      coalesce(CAST('${hivevar:year}' AS int), max(year)) AS year
    FROM crime_counts
  ) asked ON asked.state_code = counted.state_code AND asked.year = counted.year
  LEFT JOIN population_by_year persons
    ON persons.level = 'state' AND persons.state_code = counted.state_code
    AND persons.year = counted.year
) measured
GROUP BY measured.crime_group, measured.year
ORDER BY crime_group;
