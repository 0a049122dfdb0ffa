-- The tables of counts that 31_load_counts fills, by year
-- Each is made, dropped and made again: where the metastore is new and the warehouse old, the first
-- statement takes over the files that lie there, and dropping the table lets Hive clear them away.
-- The LOCATION is needed: without it Spark refuses a folder that is not empty. With it Spark counts
-- the table as external and leaves the old files, but reads no partition that was not loaded since.
USE ${hivevar:database};

CREATE TABLE IF NOT EXISTS crime_counts (cases bigint)
PARTITIONED BY (year int)
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/crime_counts';

DROP TABLE crime_counts;

CREATE TABLE crime_counts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit',
  district_kind string COMMENT 'district, railway or unit',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered'
)
COMMENT 'Cases of one district, year and crime group; groups overlap, so never sum over them'
PARTITIONED BY (year int COMMENT 'calendar year')
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/crime_counts';

CREATE TABLE IF NOT EXISTS women_counts (cases bigint)
PARTITIONED BY (year int)
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/women_counts';

DROP TABLE women_counts;

CREATE TABLE women_counts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  women_group string COMMENT 'group of heads, see crime_group_heads (women_facts)',
  scope string COMMENT 'scope of the source table of that year',
  cases bigint COMMENT 'cases registered'
)
COMMENT 'Crimes against women of one state, year and group; groups overlap, so never sum over them'
PARTITIONED BY (year int COMMENT 'calendar year')
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/women_counts';

CREATE TABLE IF NOT EXISTS traffic_counts (cases bigint)
PARTITIONED BY (year int)
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/traffic_counts';

DROP TABLE traffic_counts;

CREATE TABLE traffic_counts (
  place_level string COMMENT 'country or state',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN, or IN for the country',
  state string COMMENT 'name of the place',
  breakdown string COMMENT 'slot (three hours of the day) or month',
  bucket string COMMENT '00-03 to 21-24, or 01 to 12',
  cases bigint COMMENT 'road accidents',
  share_pct double COMMENT 'share of the accidents of the place in that year in percent'
)
COMMENT 'Road accidents of one place and year by slot of the day and by month'
PARTITIONED BY (year int COMMENT 'calendar year')
STORED AS PARQUET
LOCATION '${hivevar:warehouse}/${hivevar:database}.db/traffic_counts';
