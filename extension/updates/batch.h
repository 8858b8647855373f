/*
 * batch.h
 *		The submissions that are carried out together, with the prescriptions, supplies and tasks that
 *		they name, each once and in the order of locking.
 *
 * A supply is one item, of one issue of a prescription, at one pharmacy.  It is what has a status, what is
 * locked, and what is judged.  A batch is judged in memory, on top of the locked rows of its supplies, as
 * if its submissions had come one after the other.
 */
#ifndef RXTRACK_BATCH_H
#define RXTRACK_BATCH_H

#include "postgres.h"

#include "tables/rows.h"
#include "updates/submission.h"

/* What an update says about its supply's status. */
typedef struct Assertion
{
	BusinessStatus status;		/* 0: there is none */
	bool		completed;
	bool		post_dated;
	int			application_id;
	int64		asserted_at;	/* never later than its receipt */
	int64		last_modified;	/* as posted; a post-dated one takes effect then */
} Assertion;

/* Where a supply stands. */
typedef struct SupplyState
{
	int			receipts;		/* how many updates it has; 0: none */
	int			own_receipts;	/* of them, how many of the application that began it */
	Assertion	newest;
	Assertion	plain;			/* the newest that is not post-dated */
	NhsNumber	nhs_number;		/* the prescription's patient, if an update has named it; else the first named */
	int			application_id; /* that began it */
	bool		in_conflict;	/* has an update named somebody else than the prescription's patient? */
	int64		received_at;	/* the last receipt */
	int64		began_at;		/* the asserted time of its earliest update, */
	int64		began_received_at;	/* and the receipt of that */
	const struct Entry *newest_entry;	/* of the newest assertion, where that has come with this batch */
	bool		stores_plain;	/* has its row a plain assertion beside the newest? */
} SupplyState;

/* What one application has begun on one prescription, counted where that matters. */
typedef struct Share
{
	int			application_id;
	int			supplies;
	struct Share *next;
} Share;

/* Whose a prescription is. */
typedef struct PrescriptionState
{
	bool		known;			/* by its row, or by an update of this batch */
	NhsNumber	nhs_number;
	bool		is_of_application;	/* has one named the patient?  Else an operator did */
	int			application_id; /* that one; else 0 */
	bool		hidden;			/* that application has named another one since */
} PrescriptionState;

typedef struct Prescription
{
	PrescriptionId prescription_id;
	PrescriptionState before;	/* as stored */
	PrescriptionState state;	/* and as each accepted update leaves it */
	bool		has_new_supply; /* is a supply of it named that has no row yet? */
	Share	   *shares;
} Prescription;

/* An application and a patient that updates of a supply have named, beside the supply's own pair. */
typedef struct Party
{
	SupplyKey	supply;
	int			application_id;
	NhsNumber	nhs_number;
	int			updates;		/* how many; the bound on what one application may add is on them */
	int			updates_stored; /* of them, those that its row counts; 0: it has none */
	RowsPlace	place;
	struct Party *next;
} Party;

typedef struct Supply
{
	Prescription *prescription;
	SupplyKey	key;
	bool		stored;			/* has a row, which is locked */
	RowsPlace	place;			/* of that row */
	SupplyState before;			/* as stored */
	SupplyState state;			/* and as each accepted update leaves it */
	Party	   *parties;
} Supply;

/* What an update is to its supply: stored with it, so that a retry is told the same. */
typedef struct Judgement
{
	TransitionKind kind;
	BusinessStatus from;		/* of the assertion that it follows; 0: none; of a stored one known where it is unexpected */
	int32		receipt;		/* the supply's first update has 1, and so on */
	int64		received_at;
	bool		changes_status; /* does the supply become its status by it, then or later? */
	bool		other_patient;	/* does it name somebody else than the prescription's patient? */
	bool		warned;			/* is its sender told that no rule allows it? */
	bool		overtaken;		/* does it count for nothing, a newer one being there? */
} Judgement;

/* A task of a prescription: by whom and how it was stored, if it was; else what names it, in the update. */
typedef struct Task
{
	bool		stored;
	int			application_id;
	Uuid		request_id;
	int16		request_entries;	/* how many the request had */
	Judgement	judged;
	Update		update;
} Task;

/* What becomes of an entry. */
typedef enum Fate
{
	FATE_STORED,				/* or it will be, with the rest of its bundle */
	FATE_RETRIED,				/* it was stored before, by this same request */
	FATE_ALREADY_STORED,		/* it was stored before by this application, and its format has no other such task */
	FATE_CONFLICT,				/* its task is stored, and is not this */
	FATE_UNEXPECTED,			/* refused by the transition rules */
	FATE_TOO_MANY_SUPPLIES,		/* refused: its application has begun enough of this prescription */
	FATE_TOO_MANY_UPDATES		/* refused: its application has said enough of this supply */
} Fate;

/* One entry of one submission. */
typedef struct Entry
{
	const Submission *submission;
	const Update *update;
	Supply	   *supply;
	Task	   *task;

	/* the judgement */
	Fate		fate;
	Judgement	judged;
	BusinessStatus was;			/* the supply's status before it; 0: none */
	bool		is_newest;		/* is it the supply's newest assertion when it comes? */
	int64		takes_effect_at;
	BusinessStatus plain;		/* of the newest plain assertion before it; 0: none */
	BusinessStatus becomes;		/* the supply's status after it; 0: none */
	SupplyState before;			/* of its supply, to undo the judgement, */
	PrescriptionState prescription_before;	/* and of its prescription */
} Entry;

typedef struct Batch
{
	int64		now;
	Submission **submissions;	/* those that have something to store */
	int			count;
	Entry	   *entries;		/* of all of them, in order */
	int			entry_count;
	Prescription *prescriptions;	/* distinct, by id */
	int			prescription_count;
	Supply	   *supplies;		/* distinct, by prescription, item, issue and pharmacy */
	int			supply_count;
	Task	   *tasks;			/* distinct, by prescription and task */
	int			task_count;
	bool		tasks_known;	/* have stored tasks been looked up? */
} Batch;

/* Gathers the submissions whose bundles are valid and not empty. */
extern Batch *batch_make(Submission *submissions, int count, int64 now);

/* Forgets what an attempt has read and judged. */
extern void batch_reset(Batch *batch);

/* The entries that are to be stored, by prescription and task; returns how many. */
extern int	batch_accepted(const Batch *batch, const Entry ***accepted);

/* What an application has begun on a prescription; counted from 0 where nobody has asked before. */
extern Share *batch_share(Prescription *prescription, int application_id);

/* The application and patient as a party of a supply; NULL where they are the supply's own pair. */
extern Party *batch_party(Supply *supply, int application_id, NhsNumber nhs_number);

/* ---------- The steps of carrying it out ---------- */

/*
 * Everybody locks in one order, so that no two submissions can wait for each other: the rows of supplies
 * that are there; then what they insert: prescriptions, supplies, parties, tasks; each in the order of its key.
 */

/* Open the tables of prescriptions' patients, of supplies and of updates; to be closed with rows_close. */
extern Rows *prescriptions_open(void);
extern Rows *supplies_open(void);
extern Rows *tasks_open(void);

/* Locks the rows of a batch's supplies, and reads where they stand. */
extern void supplies_lock(Rows *rows, Batch *batch);

/* Reads whose the batch's prescriptions are; nobody waits for anybody. */
extern void prescriptions_read(Rows *rows, Batch *batch);

/* Counts what applications that begin further supplies of a prescription have begun of it already. */
extern void supplies_count_shares(Rows *rows, Batch *batch);

/* Reads the parties of the batch's supplies that are locked, where an entry is of another pair than the supply's own. */
extern void supplies_read_parties(Batch *batch);

/* Reads which tasks of the batch are stored.  To be called inside SPI. */
extern void tasks_find(Rows *rows, Batch *batch);

/*
 * Judges a batch whose supplies are locked: the status of each submission, and the fate of each of its
 * entries.  False when the tasks that are stored have to be known for it.  To be called inside SPI.
 */
extern bool judge_batch(Batch *batch);

/* Store what is new or has changed; raise 23505 where somebody else has stored the same meanwhile. */
extern void prescriptions_store(Rows *rows, const Batch *batch);
extern void supplies_store(Rows *rows, Batch *batch);
extern void supplies_store_parties(const Batch *batch);
extern void tasks_store(Rows *rows, const Batch *batch);

/* Writes the answer of a submission, once all of its batch is judged. */
extern void answers_write(Submission *submission, int64 now);

/* ---------- Assertions ---------- */

/* When an assertion takes effect: a plain one was true when it was asserted. */
static inline int64
assertion_takes_effect_at(const Assertion *assertion)
{
	return assertion->post_dated ? assertion->last_modified : assertion->asserted_at;
}

/*
 * The assertion that says what a supply's status is at a moment that is not before its last receipt (NULL:
 * none does): the newest, or where that has yet to begin, the newest plain one; those were true when they
 * were received, and any other post-dated one was replaced.  The view rxtrack_internal.supply_now says the same.
 */
static inline const Assertion *
supply_assertion_at(const SupplyState *state, int64 moment)
{
	if (state->receipts == 0)
		return NULL;
	if (assertion_takes_effect_at(&state->newest) <= moment)
		return &state->newest;
	return state->plain.status == 0 ? NULL : &state->plain;
}

#endif							/* RXTRACK_BATCH_H */
