-- Loses every metric. Only for a database whose slots no longer serve them.
DROP TABLE IF EXISTS protocol_performance_metrics;
