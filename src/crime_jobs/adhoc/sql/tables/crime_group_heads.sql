-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS crime_group_heads (
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
LOCATION '${lake}/crime_group_heads/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs'
)
