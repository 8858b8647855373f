-- GET /checkprescriptionstatusupdates: an application's own updates, a page at a time.
--
-- Pages are in the order of the primary key, and each begins after the key that the last one ended with: what is stored
-- between two pages neither repeats nor hides an update that was there before.

CREATE FUNCTION rxtrack_internal.search_item(found rxtrack.own_update, application text)
RETURNS json
LANGUAGE sql STABLE
AS $$
	SELECT json_strip_nulls(json_build_object(
		'PrescriptionID', found.prescription_id::text,
		'TaskID', found.task_id,
		'LineItemID', upper(found.line_item_id::text),
		'PatientNHSNumber', found.nhs_number::text,
		'PharmacyODSCode', found.ods_code::text,
		'Status', found.status::text,
		'TerminalStatus', CASE WHEN found.terminal THEN 'completed' ELSE 'in-progress' END,
		'LastModified', rxtrack_internal.date_time(found.last_modified),
		'RequestID', found.request_id,
		'ApplicationName', application,
		'RepeatNo', nullif(found.issue_number, 0),
		'PostDatedLastModifiedSetAt', rxtrack_internal.date_time(found.post_dated_set_at)))
$$;
COMMENT ON FUNCTION rxtrack_internal.search_item(rxtrack.own_update, text) IS
	'An update as a page of a search shows it';

CREATE FUNCTION rxtrack_internal.answer_search(caller rxtrack_internal.caller, parameters jsonb)
RETURNS rxtrack_http.answer
LANGUAGE plpgsql
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	prescription constant text := nullif(parameters->>'prescriptionid', '');
	patient constant text := nullif(parameters->>'nhsnumber', '');
	pharmacy constant text := nullif(parameters->>'odscode', '');
	after_prescription constant text := nullif(parameters->>'exclusivestartkey-prescriptionid', '');
	after_task constant text := nullif(parameters->>'exclusivestartkey-taskid', '');
	faults constant text[] := array_remove(ARRAY[
		'prescriptionid ' || rxtrack_internal.broken_rule('prescription_id', prescription),
		'nhsnumber ' || rxtrack_internal.broken_rule('nhs_number', patient),
		'odscode ' || rxtrack_internal.broken_rule('ods_code', pharmacy),
		CASE WHEN coalesce(prescription, patient, pharmacy) IS NULL
			THEN 'prescriptionid, nhsnumber, odscode are all missing: at least one is needed' END,
		'ExclusiveStartKey-PrescriptionID ' || CASE WHEN after_prescription IS NULL AND after_task IS NOT NULL
			THEN 'is missing beside ExclusiveStartKey-TaskID'
			ELSE rxtrack_internal.broken_rule('prescription_id', after_prescription) END,
		'ExclusiveStartKey-TaskID ' || CASE WHEN after_task IS NULL AND after_prescription IS NOT NULL
			THEN 'is missing beside ExclusiveStartKey-PrescriptionID'
			ELSE rxtrack_internal.broken_rule('uuid', after_task) END], NULL);
	found rxtrack.own_update[];
	headers text := E'Content-Type: application/json\n';
BEGIN
	IF faults <> '{}' THEN
		RETURN rxtrack_internal.http_fault(caller, 400, 'value', faults);
	END IF;
	-- one more than a page tells whether there is another
	found := array(SELECT u FROM rxtrack_internal.find_updates(caller.application_id, prescription, patient, pharmacy,
															   after_prescription, after_task::uuid, 16) AS u);
	IF cardinality(found) > 15 THEN
		headers := headers || format(E'LastEvaluatedKey-PrescriptionID: %s\nLastEvaluatedKey-TaskID: %s\n',
									 found[15].prescription_id, found[15].task_id);
	END IF;
	RETURN rxtrack_internal.http_answer_to(caller, CASE WHEN found = '{}' THEN 404 ELSE 200 END,
		json_build_object('items', array(SELECT rxtrack_internal.search_item(u, caller.name) FROM unnest(found[:15]) AS u)),
		headers);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.answer_search(rxtrack_internal.caller, jsonb) IS
	'The answer to one request of GET /checkprescriptionstatusupdates';

-- Settings as rxtrack_internal.find_updates needs them.
CREATE FUNCTION rxtrack_http.check_updates(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
SET enable_hashagg = off
SET enable_sort = off
AS $$
DECLARE
	request record;
BEGIN
	FOR request IN SELECT rxtrack_internal.callers(credential, scope) AS caller, unnest(parameters)::jsonb AS parameters LOOP
		RETURN NEXT CASE WHEN (request.caller).granted THEN rxtrack_internal.answer_search(request.caller, request.parameters)
						 ELSE rxtrack_internal.http_refusal(request.caller) END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]) IS
	'GET /checkprescriptionstatusupdates: the calling application''s own updates, by prescriptionid, nhsnumber and odscode, 15 a page. For the gateway: parameters are these (at least one), and exclusivestartkey-prescriptionid with exclusivestartkey-taskid to go on after a page';
