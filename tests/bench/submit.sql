\set i :i + 1
\set n :i * :clients + :client_id
SELECT rxtrack.submit(body, request_id::text, 'Benchmark') FROM bench.source WHERE n = :n;
