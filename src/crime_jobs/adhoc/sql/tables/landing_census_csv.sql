-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_census_csv (
  state string COMMENT 'state as the file has it',
  population_2001 string COMMENT 'persons, census of 2001',
  population_2011 string COMMENT 'persons, census of 2011'
)
COMMENT 'Landing files of layout census, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/census/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
