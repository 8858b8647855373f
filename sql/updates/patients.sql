-- Whose a prescription is, where updates disagree.

CREATE VIEW rxtrack.patient_conflicts AS
SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, a.name AS application, n.nhs_number AS named,
	   p.nhs_number AS patient, p.hidden, s.nhs_number = p.nhs_number AND NOT p.hidden AS shown
FROM rxtrack.supply s
JOIN rxtrack.prescription_patient p USING (prescription_id)
CROSS JOIN LATERAL (
	SELECT s.application_id, s.nhs_number
	UNION ALL
	SELECT y.application_id, y.nhs_number FROM rxtrack_internal.supply_party y
	WHERE y.prescription_id = s.prescription_id AND y.line_item_id = s.line_item_id
	  AND y.issue_number = s.issue_number AND y.ods_code = s.ods_code
) AS n
LEFT JOIN rxtrack_internal.application a ON a.application_id = n.application_id
WHERE s.in_conflict AND n.nhs_number <> p.nhs_number;
COMMENT ON VIEW rxtrack.patient_conflicts IS
	'Supplies of which an update has named another patient than the prescription''s, until rxtrack.settle_patient. For operators: it shows patients';
COMMENT ON COLUMN rxtrack.patient_conflicts.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.patient_conflicts.application IS 'The application that named the other patient';
COMMENT ON COLUMN rxtrack.patient_conflicts.named IS 'The patient that it named';
COMMENT ON COLUMN rxtrack.patient_conflicts.patient IS 'The prescription''s patient';
COMMENT ON COLUMN rxtrack.patient_conflicts.hidden IS 'Whether the whole prescription is shown to nobody until settled';
COMMENT ON COLUMN rxtrack.patient_conflicts.shown IS 'Whether the supply is shown to the prescription''s patient';

CREATE FUNCTION rxtrack_internal.settle_events(prescription_id rxtrack.prescription_id, before rxtrack.nhs_number, patient rxtrack.nhs_number)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack.readiness_promise p SET nhs_number = patient, in_conflict = u.nhs_number <> patient
	FROM rxtrack.status_update u
	WHERE p.prescription_id = settle_events.prescription_id AND p.cancelled_at IS NULL
	  AND u.prescription_id = p.prescription_id AND u.task_id = p.task_id;
	IF before = patient THEN
		RETURN;
	END IF;
	-- who was told that they are ready hears that they are not; where nobody was told, nothing is released. What a promise that
	-- is pending will tell comes after that, and is of the right patient.
	INSERT INTO rxtrack_internal.readiness_inbox (prescription_id, line_item_id, issue_number, ods_code, nhs_number, status, post_dated,
												  application_id, task_id, occurred_at, due_at, receipt, is_withdrawal, in_conflict)
	SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, before, t.status, t.predicted,
		   t.asserted_by, u.task_id, m.now, CASE WHEN p.task_id IS NULL THEN greatest(m.now, s.received_at) ELSE s.received_at END,
		   s.receipts + 1, true, false
	FROM rxtrack.supply s
	LEFT JOIN rxtrack_internal.supply_now n USING (prescription_id, line_item_id, issue_number, ods_code)
	LEFT JOIN rxtrack.readiness_promise p ON p.cancelled_at IS NULL AND p.prescription_id = s.prescription_id
		AND p.line_item_id = s.line_item_id AND p.issue_number = s.issue_number AND p.ods_code = s.ods_code
	CROSS JOIN clock_timestamp() AS m (now)
	CROSS JOIN LATERAL (	-- what was told
		SELECT n.status, n.predicted, n.asserted_by WHERE p.task_id IS NULL
		UNION ALL
		SELECT s.plain_status, false, s.plain_asserted_by WHERE p.task_id IS NOT NULL) AS t
	JOIN rxtrack.ready_status r ON r.status = t.status AND r.ready
	CROSS JOIN LATERAL (	-- any task of the supply's, for the event to name one
		SELECT o.task_id FROM rxtrack.status_update o
		WHERE o.prescription_id = s.prescription_id AND o.line_item_id = s.line_item_id
		  AND o.issue_number = s.issue_number AND o.ods_code = s.ods_code
		ORDER BY o.receipt DESC LIMIT 1) AS u
	WHERE s.prescription_id = settle_events.prescription_id;
	PERFORM rxtrack_internal.release_at_commit();
END
$$;
COMMENT ON FUNCTION rxtrack_internal.settle_events(rxtrack.prescription_id, rxtrack.nhs_number, rxtrack.nhs_number) IS
	'For rxtrack.settle_patient, which has locked the supplies: takes back, where the patient was another before, what is ready; and tells predictions whose they are';

CREATE FUNCTION rxtrack_internal.lock_supplies(prescription_id rxtrack.prescription_id)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM FROM rxtrack.supply s WHERE s.prescription_id = lock_supplies.prescription_id
	ORDER BY s.prescription_id, s.line_item_id, s.issue_number, s.ods_code FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.lock_supplies(rxtrack.prescription_id) IS 'Locks the supplies of a prescription, in the order of submission';

-- Locks supplies first, then the prescription, as submission does. FOR UPDATE waits for those who begin another supply, who have it FOR KEY
-- SHARE; what they have begun is locked then.
CREATE FUNCTION rxtrack.settle_patient(prescription_id text, nhs_number text, reason text, force boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	prescription rxtrack.prescription_id := settle_patient.prescription_id;
	patient rxtrack.nhs_number := settle_patient.nhs_number;
	before rxtrack.nhs_number;
BEGIN
	PERFORM rxtrack_internal.refuse_null('prescription_id', settle_patient.prescription_id);
	PERFORM rxtrack_internal.refuse_null('nhs_number', settle_patient.nhs_number);
	PERFORM rxtrack_internal.refuse_null('reason', settle_patient.reason);
	PERFORM rxtrack_internal.lock_supplies(prescription);
	SELECT p.nhs_number INTO before FROM rxtrack.prescription_patient p WHERE p.prescription_id = prescription FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the prescription is not known' USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM rxtrack_internal.lock_supplies(prescription);
	IF force IS NOT TRUE AND NOT EXISTS (SELECT FROM rxtrack.status_update u WHERE u.prescription_id = prescription AND u.nhs_number = patient) THEN
		RAISE EXCEPTION 'no update of the prescription has named that patient'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Where it is right all the same, say force => true.';
	END IF;
	UPDATE rxtrack.prescription_patient p SET nhs_number = patient, application_id = NULL, hidden = false WHERE p.prescription_id = prescription;
	-- of a supply without updates, which were deleted, its row knows whom they named
	UPDATE rxtrack.supply s SET nhs_number = n.nhs_number, in_conflict = n.other OR n.nhs_number <> patient
	FROM (SELECT k.line_item_id, k.issue_number, k.ods_code, coalesce(bool_or(u.nhs_number <> patient), false) AS other,
				 CASE WHEN k.nhs_number = patient OR bool_or(u.nhs_number = patient) THEN patient
					  ELSE coalesce((array_agg(u.nhs_number ORDER BY u.receipt))[1], k.nhs_number) END AS nhs_number
		  FROM rxtrack.supply k LEFT JOIN rxtrack.status_update u USING (prescription_id, line_item_id, issue_number, ods_code)
		  WHERE k.prescription_id = prescription
		  GROUP BY k.line_item_id, k.issue_number, k.ods_code, k.nhs_number) AS n
	WHERE s.prescription_id = prescription AND s.line_item_id = n.line_item_id
	  AND s.issue_number = n.issue_number AND s.ods_code = n.ods_code;
	DELETE FROM rxtrack_internal.supply_party y WHERE y.prescription_id = prescription;
	INSERT INTO rxtrack_internal.supply_party (prescription_id, line_item_id, issue_number, ods_code, application_id, nhs_number, updates)
	SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, u.application_id, u.nhs_number, count(*)
	FROM rxtrack.supply s
	JOIN rxtrack.status_update u USING (prescription_id, line_item_id, issue_number, ods_code)
	WHERE s.prescription_id = prescription AND (u.application_id, u.nhs_number) <> (s.application_id, s.nhs_number)
	GROUP BY s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, u.application_id, u.nhs_number;
	PERFORM rxtrack_internal.settle_events(prescription, before, patient);
	INSERT INTO rxtrack.audit (action, application, detail)
	VALUES ('settle_patient', '*', jsonb_build_object('prescription_id', prescription::text, 'nhs_number', patient::text, 'reason', reason));
END
$$;
COMMENT ON FUNCTION rxtrack.settle_patient(text, text, text, boolean) IS
	'Says whose a prescription is, where updates disagree; its supplies follow: those that an update has named this patient for are shown, and what another patient''s items were said to be ready by is taken back. Audited, with the reason. Errors: 22004 where an argument is NULL, 42704 where the prescription is not known, 22023 where no update has named that patient (unless force), 22P02 where one is no prescription id or NHS number';
