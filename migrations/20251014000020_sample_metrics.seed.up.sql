-- phase: seed
-- Thirty days of one protocol, so that a rehearsal has something to ask for. Only environments with `seed = true`
-- apply it.

INSERT INTO protocol_performance_metrics
    (protocol_id, "timestamp", apy_7d, apy_30d, apy_90d, apy_1y, dau, wau, mau, daily_revenue, weekly_revenue, monthly_revenue)
SELECT
    'uniswap-v3',
    TIMESTAMPTZ '2025-10-01 00:00:00+00' + make_interval(days => day),
    12 + day * 0.01, 11.5, 11.2, 10.9,
    40000 + day * 25, 210000, 640000,
    1500000 + day * 1000, 10600000, 45100000
FROM generate_series(0, 29) AS day;
