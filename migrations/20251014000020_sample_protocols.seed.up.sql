-- phase: seed
-- A month of made-up metrics, so that an environment without real data has something to serve.
-- Only environments with `seed = true` in llama-deploy.toml apply it.

INSERT INTO protocol_performance_metrics
    (protocol_id, "timestamp", apy_7d, apy_30d, apy_90d, apy_1y, dau, wau, mau, daily_revenue, weekly_revenue, monthly_revenue)
SELECT protocol_id,
       timestamptz '2025-10-14 00:00:00+00' - day * interval '1 day',
       apy + (day % 7) * 0.05, apy + 0.1, apy + 0.2, apy + 0.3,
       users - day * 10, users * 4, users * 11,
       revenue - day * 100, revenue * 7, revenue * 30
FROM (VALUES ('uniswap-v3', 4.12, 120000, 1850000.25),
             ('aave-v3', 3.05, 45000, 920000.50),
             ('lido', 2.98, 30000, 1310000.75)) AS protocol (protocol_id, apy, users, revenue),
     generate_series(0, 29) AS day;
