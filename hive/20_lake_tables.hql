-- External tables over the lake, Parquet
-- Made by `python -m crime_jobs.hivesql`: change the model and run that, not this file.
-- Dropping an external table leaves its files where they are.
USE ${hivevar:database};

DROP TABLE IF EXISTS crime_facts;

CREATE EXTERNAL TABLE crime_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  district_kind string COMMENT 'district, railway (railway police) or unit (CID and the like)',
  crime_head string COMMENT 'crime head, a leaf: no head here is part of another',
  cases bigint COMMENT 'cases registered',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'One district, year and leaf crime head; a plain SUM(cases) counts each case once'
PARTITIONED BY (
  year int COMMENT 'calendar year'
)
STORED AS PARQUET
LOCATION '${hivevar:lake}/crime_facts';

MSCK REPAIR TABLE crime_facts;

DROP TABLE IF EXISTS women_facts;

CREATE EXTERNAL TABLE women_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  district_kind string COMMENT 'district, railway (railway police) or unit (CID and the like)',
  crime_head string COMMENT 'crime head, a leaf: no head here is part of another',
  cases bigint COMMENT 'cases registered',
  scope string COMMENT 'ipc_seven_heads (to 2013) or ipc_and_special_laws (2014)',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Crimes against women: one district, year and leaf head, within the scope of its source'
PARTITIONED BY (
  year int COMMENT 'calendar year'
)
STORED AS PARQUET
LOCATION '${hivevar:lake}/women_facts';

MSCK REPAIR TABLE women_facts;

DROP TABLE IF EXISTS traffic_facts;

CREATE EXTERNAL TABLE traffic_facts (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  breakdown string COMMENT 'slot (three hours of the day) or month',
  bucket string COMMENT '00-03 to 21-24, or 01 to 12',
  cases bigint COMMENT 'cases registered',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Road accidents: one state, year and slot or month; Andhra Pradesh undivided in all years'
STORED AS PARQUET
LOCATION '${hivevar:lake}/traffic_facts';

DROP TABLE IF EXISTS population_census;

CREATE EXTERNAL TABLE population_census (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  source_file string COMMENT 'landing file the figure comes from'
)
COMMENT 'Census population: one state and census year; Andhra Pradesh undivided'
STORED AS PARQUET
LOCATION '${hivevar:lake}/population_census';

DROP TABLE IF EXISTS quarantine;

CREATE EXTERNAL TABLE quarantine (
  source_file string COMMENT 'landing file the figure comes from',
  line int COMMENT 'line in the file, the header is 1',
  reason string COMMENT 'what is wrong with it, the column named',
  record string COMMENT 'the row as it stands in the file'
)
COMMENT 'A landing row that could not be used, with the reason'
STORED AS PARQUET
LOCATION '${hivevar:lake}/quarantine';

DROP TABLE IF EXISTS crime_group_heads;

CREATE EXTERNAL TABLE crime_group_heads (
  fact_table string COMMENT 'crime_facts or women_facts',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  group_label string COMMENT 'name of the group for people',
  crime_head string COMMENT 'crime head, a leaf: no head here is part of another',
  head_label string COMMENT 'name of the head for people',
  defined_by string COMMENT 'NCRB table that defines the group',
  break_2014 string COMMENT 'why 2014 does not compare with 2013; empty if it does'
)
COMMENT 'Which heads make up which crime group'
STORED AS PARQUET
LOCATION '${hivevar:lake}/crime_group_heads';

DROP TABLE IF EXISTS population_by_year;

CREATE EXTERNAL TABLE population_by_year (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  basis string COMMENT 'census, interpolated or extrapolated'
)
COMMENT 'Population of each state for every year of the facts'
STORED AS PARQUET
LOCATION '${hivevar:lake}/population_by_year';

DROP TABLE IF EXISTS data_quality;

CREATE EXTERNAL TABLE data_quality (
  check_name string COMMENT 'what was compared',
  source_file string COMMENT 'landing file the figure comes from',
  scope string COMMENT 'state, district, year and head that were compared',
  expected bigint COMMENT 'the figure it should be',
  found bigint COMMENT 'the figure it is',
  difference bigint COMMENT 'found minus expected',
  status string COMMENT 'ok, or what is wrong'
)
COMMENT 'One comparison of the sources with each other, with themselves or with the facts'
STORED AS PARQUET
LOCATION '${hivevar:lake}/data_quality';

DROP TABLE IF EXISTS crime_by_region;

CREATE EXTERNAL TABLE crime_by_region (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit; null above districts',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  rate_per_lakh double COMMENT 'cases per 100,000 persons, two decimals; null without population',
  rank_in_year int COMMENT '1 = most cases of its level and year; ties share a rank',
  magnitude string COMMENT 'very high, high, medium, low, very low (fifths by cases) or none'
)
COMMENT 'Cases, rate, rank and magnitude of one place, year and crime group'
STORED AS PARQUET
LOCATION '${hivevar:lake}/crime_by_region';

DROP TABLE IF EXISTS crime_by_period;

CREATE EXTERNAL TABLE crime_by_period (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  change_pct double COMMENT 'change on the year before in percent, one decimal; null at a break',
  trend string COMMENT 'rising, steady, falling, series break or no base'
)
COMMENT 'Cases of one place and crime group over the years, breaks marked'
STORED AS PARQUET
LOCATION '${hivevar:lake}/crime_by_period';

DROP TABLE IF EXISTS crimes_against_women;

CREATE EXTERNAL TABLE crimes_against_women (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  women_group string COMMENT 'group of heads, see crime_group_heads (women_facts)',
  scope string COMMENT 'scope of the year\'s source table',
  cases bigint COMMENT 'cases registered',
  population bigint COMMENT 'persons, estimated between and after the censuses',
  rate_per_lakh double COMMENT 'cases per 100,000 persons, two decimals; null without population',
  change_pct double COMMENT 'change on the year before in percent, one decimal; null at a break',
  trend string COMMENT 'rising, steady, falling, series break or no base'
)
COMMENT 'Crimes against women of one place, year and group, with the scope of the year\'s table'
STORED AS PARQUET
LOCATION '${hivevar:lake}/crimes_against_women';

DROP TABLE IF EXISTS traffic_by_time_of_day;

CREATE EXTERNAL TABLE traffic_by_time_of_day (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  slot string COMMENT '00-03 to 21-24',
  cases bigint COMMENT 'cases registered',
  share_pct double COMMENT 'share of the year\'s accidents in percent, two decimals'
)
COMMENT 'Road accidents of one place and year by three hours of the day'
STORED AS PARQUET
LOCATION '${hivevar:lake}/traffic_by_time_of_day';

DROP TABLE IF EXISTS traffic_by_month;

CREATE EXTERNAL TABLE traffic_by_month (
  level string COMMENT 'country, state, combined (Andhra Pradesh with Telangana) or district',
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  year int COMMENT 'calendar year',
  month_number int COMMENT '1 to 12',
  cases bigint COMMENT 'cases registered',
  share_pct double COMMENT 'share of the year\'s accidents in percent, two decimals',
  cases_per_day double COMMENT 'cases by the days of that month, two decimals'
)
COMMENT 'Road accidents of one place and year by month'
STORED AS PARQUET
LOCATION '${hivevar:lake}/traffic_by_month';

DROP TABLE IF EXISTS hot_spots;

CREATE EXTERNAL TABLE hot_spots (
  state_code string COMMENT 'code as in india_states.geojson, IN-TN',
  state string COMMENT 'name of the state or union territory',
  district string COMMENT 'district or police unit, one name in all years',
  year int COMMENT 'calendar year',
  crime_group string COMMENT 'crime group, see crime_group_heads',
  cases bigint COMMENT 'cases registered',
  percentile double COMMENT 'share of districts with fewer cases, 0 to 1, four decimals',
  base_cases bigint COMMENT 'cases three years before; null without a comparable year',
  growth_pct double COMMENT 'growth since then in percent, one decimal',
  hot_spot string COMMENT 'high, rising, or high and rising',
  rule string COMMENT 'the rule that says so'
)
COMMENT 'A district that is high, or rising, in a year and crime group, with the rule that says so'
STORED AS PARQUET
LOCATION '${hivevar:lake}/hot_spots';
