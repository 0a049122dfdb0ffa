-- Fills the tables of counts from the facts, to be run again after each run of the jobs
-- The partition of each year is replaced. A year that the facts no longer have would keep its old one:
-- run 30_count_tables before this then.
USE ${hivevar:database};

SET hive.exec.dynamic.partition=true;
SET hive.exec.dynamic.partition.mode=nonstrict;

MSCK REPAIR TABLE crime_facts;
MSCK REPAIR TABLE women_facts;

INSERT OVERWRITE TABLE crime_counts PARTITION (year)
SELECT state_code, state, district, district_kind, crime_group, cases, year
FROM (
  SELECT
    facts.state_code, facts.state, facts.district, facts.district_kind, heads.crime_group,
    sum(facts.cases) AS cases, facts.year
  FROM crime_facts facts
  JOIN crime_group_heads heads ON heads.crime_head = facts.crime_head
  WHERE heads.fact_table = 'crime_facts'
  GROUP BY
    facts.state_code, facts.state, facts.district, facts.district_kind, heads.crime_group, facts.year
) counted
DISTRIBUTE BY year;

INSERT OVERWRITE TABLE women_counts PARTITION (year)
SELECT state_code, state, women_group, scope, cases, year
FROM (
  SELECT
    facts.state_code, facts.state, heads.crime_group AS women_group, facts.scope,
    sum(facts.cases) AS cases, facts.year
  FROM women_facts facts
  JOIN crime_group_heads heads ON heads.crime_head = facts.crime_head
  WHERE heads.fact_table = 'women_facts'
  GROUP BY facts.state_code, facts.state, heads.crime_group, facts.scope, facts.year
) counted
DISTRIBUTE BY year;

INSERT OVERWRITE TABLE traffic_counts PARTITION (year)
SELECT
  place_level, state_code, state, breakdown, bucket, cases,
  CASE WHEN in_year > 0 THEN round(cases * 100 / in_year, 2) END AS share_pct,
  year
FROM (
  SELECT
    place_level, state_code, state, breakdown, bucket, cases, year,
    sum(cases) OVER (PARTITION BY state_code, breakdown, year) AS in_year
  FROM (
    SELECT 'state' AS place_level, state_code, state, breakdown, bucket, cases, year
    FROM traffic_facts
    UNION ALL
    SELECT
      'country' AS place_level, 'IN' AS state_code, 'India' AS state, breakdown, bucket,
      sum(cases) AS cases, year
    FROM traffic_facts
    GROUP BY breakdown, bucket, year
  ) placed
) shared
DISTRIBUTE BY year;
