DELETE FROM protocol_performance_metrics
WHERE protocol_id IN ('uniswap-v3', 'aave-v3', 'lido')
  AND "timestamp" <= timestamptz '2025-10-14 00:00:00+00';
