-- phase: seed

DELETE FROM protocol_performance_metrics
WHERE protocol_id = 'uniswap-v3' AND "timestamp" < TIMESTAMPTZ '2025-10-31 00:00:00+00';
