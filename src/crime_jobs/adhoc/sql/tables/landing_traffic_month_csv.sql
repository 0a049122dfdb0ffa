-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_traffic_month_csv (
  state string COMMENT 'state as the file has it',
  year string COMMENT 'year as the file has it',
  month_01 string COMMENT 'accidents, month 01',
  month_02 string COMMENT 'accidents, month 02',
  month_03 string COMMENT 'accidents, month 03',
  month_04 string COMMENT 'accidents, month 04',
  month_05 string COMMENT 'accidents, month 05',
  month_06 string COMMENT 'accidents, month 06',
  month_07 string COMMENT 'accidents, month 07',
  month_08 string COMMENT 'accidents, month 08',
  month_09 string COMMENT 'accidents, month 09',
  month_10 string COMMENT 'accidents, month 10',
  month_11 string COMMENT 'accidents, month 11',
  month_12 string COMMENT 'accidents, month 12',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout traffic_month, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/traffic_month/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
