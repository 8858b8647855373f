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

CREATE FUNCTION rxtrack_internal.rehearse(prescriptions rxtrack.prescription_id[], submissions integer[])
RETURNS TABLE (submission integer, status integer, code text, diagnostics text, headers text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	-- in one order for all batches, so that no two of them deadlock
	PERFORM FROM rxtrack.rehearsal r WHERE r.prescription_id = ANY (prescriptions) ORDER BY r.prescription_id FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	FOR submission IN SELECT DISTINCT s FROM unnest(submissions) AS s ORDER BY s LOOP
		UPDATE rxtrack.rehearsal r SET remaining = r.remaining - 1
		WHERE r.prescription_id = (
			SELECT o.prescription_id
			FROM unnest(prescriptions, submissions) WITH ORDINALITY AS named (prescription_id, submission, place)
				JOIN rxtrack.rehearsal o USING (prescription_id)
			WHERE named.submission = rehearse.submission AND o.remaining IS DISTINCT FROM 0
			ORDER BY named.place LIMIT 1)
		RETURNING r.answer INTO status;
		IF FOUND THEN
			SELECT a.code, a.diagnostics, a.headers INTO code, diagnostics, headers
			FROM (VALUES (429, 'throttled', 'Too many requests (rehearsed)', E'Retry-After: 1\n'),
						 (500, 'exception', 'Internal error (rehearsed)', NULL),
						 (503, 'transient', 'The service is away (rehearsed)', E'Retry-After: 1\n'),
						 (504, 'timeout', 'It took too long (rehearsed)', NULL)) AS a (status, code, diagnostics, headers)
			WHERE a.status = rehearse.status;
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.rehearse(rxtrack.prescription_id[], integer[]) IS
	'Which submissions of a batch get a rehearsed answer, one after the other as if each had come by itself: that of the first of its prescriptions that has one left, which is counted down. Two arrays of one length: each prescription with the number of the submission that names it, in order';
