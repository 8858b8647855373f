-- Rehearsal: answers on demand, for suppliers' integration tests.

CREATE TABLE rxtrack.rehearsal (
	prescription_id rxtrack.prescription_id PRIMARY KEY,
	answer integer NOT NULL CHECK (answer IN (429, 500, 503, 504)),
	remaining integer CHECK (remaining >= 0)
);
COMMENT ON TABLE rxtrack.rehearsal IS
	'Prescriptions that the gateway answers with a rehearsed fault, while rxtrack.sandbox is on (a superuser''s setting)';
COMMENT ON COLUMN rxtrack.rehearsal.answer IS 'HTTP status: 429, 500, 503 or 504';
COMMENT ON COLUMN rxtrack.rehearsal.remaining IS 'How many requests still, after which updates are stored as ever; NULL: always';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.rehearsal', '');
