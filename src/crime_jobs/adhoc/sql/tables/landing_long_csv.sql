-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_long_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  crime_head string COMMENT 'crime head as the file has it',
  cases string COMMENT 'cases registered'
)
COMMENT 'Landing files of layout long, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/long/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
