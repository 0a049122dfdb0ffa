-- The database of all tables, on AWS it stands in the Glue Data Catalog
CREATE DATABASE IF NOT EXISTS crime
COMMENT 'Crime in India, from the files of the National Crime Records Bureau'
LOCATION '${hivevar:warehouse}/crime.db';
