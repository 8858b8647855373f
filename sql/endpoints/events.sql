-- GET /events, and the events that the gateway's streams carry

-- Where and for which pharmacies a stream is to begin. A number of another history's is cut to our last. A caller that is
-- restricted to pharmacies gets no others' events, whatever it asks for.
CREATE FUNCTION rxtrack_internal.answer_events(caller rxtrack_internal.caller, parameters jsonb)
RETURNS rxtrack_http.answer
LANGUAGE plpgsql
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	latest constant bigint := rxtrack_internal.last_release();
	last_id constant text := nullif(parameters->>'last-event-id', '');
	codes constant text[] := string_to_array(nullif(parameters->>'ods', ''), ',');
	faults constant text[] := array_remove(ARRAY[
		CASE WHEN last_id !~ '^[0-9]+$' OR last_id::numeric > 9223372036854775807
			THEN 'Last-Event-ID must be the id of an event of this stream' END,
		coalesce((SELECT 'ods ' || f.problem
				  FROM unnest(codes[:1000]) AS c, rxtrack_internal.broken_rule('ods_code', c) AS f (problem)
				  WHERE f.problem IS NOT NULL LIMIT 1),
				 CASE WHEN cardinality(codes) > 1000 THEN 'ods must not have more than 1000 codes' END)], NULL);
	pharmacies rxtrack.ods_code[] := caller.ods_codes;
BEGIN
	IF faults <> '{}' THEN
		RETURN rxtrack_internal.http_fault(caller, 400, 'value', faults);
	END IF;
	IF codes IS NOT NULL THEN
		pharmacies := array(SELECT c FROM unnest(codes::rxtrack.ods_code[]) WITH ORDINALITY AS u (c, place)
							WHERE c = ANY (caller.ods_codes) IS NOT FALSE ORDER BY place);
	END IF;
	IF pharmacies = '{}' THEN
		RETURN rxtrack_internal.http_fault(caller, 403, 'forbidden', '{The application may not hear of any of these pharmacies}');
	END IF;
	RETURN rxtrack_internal.http_answer_to(caller, 200, NULL, E'Content-Type: text/event-stream\n',
										   least(last_id::bigint, latest), pharmacies::text[]);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.answer_events(rxtrack_internal.caller, jsonb) IS
	'The answer to one request of GET /events';

CREATE FUNCTION rxtrack_http.events(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	request record;
BEGIN
	FOR request IN SELECT rxtrack_internal.callers(credential, scope) AS caller, unnest(parameters)::jsonb AS parameters LOOP
		RETURN NEXT CASE WHEN (request.caller).granted THEN rxtrack_internal.answer_events(request.caller, request.parameters)
						 ELSE rxtrack_internal.http_refusal(request.caller) END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION rxtrack_http.events(text, bytea[], text[], text[], bytea[]) IS
	'GET /events: readiness events as they are released, as a stream (Server-Sent Events). For the gateway: opens the stream. parameters: ods (codes, with commas between them) and last-event-id (a release number to go on after)';

CREATE FUNCTION rxtrack_http.feed(after bigint, max_rows integer)
RETURNS TABLE (release_number bigint, ods_code text, withdraws boolean, event text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT e.release_number, e.ods_code::text, e.withdraws IS NOT NULL, rxtrack.event_json(e)
	FROM rxtrack_internal.events_after(feed.after, feed.max_rows) e
$$;
COMMENT ON FUNCTION rxtrack_http.feed(bigint, integer) IS
	'Released events after a release number, in order, as JSON: what the gateway''s event streams are fed with';
