/*
 * judge.c
 *		Judging an update against where its item stands.
 *
 * Two times matter: when an update was asserted decides which one is the newest;
 * when it takes effect decides from when on it counts.
 */
#include "postgres.h"

#include "updates/judge.h"

/* Of equal times, the one received later wins. */
static bool
is_newer(const Assertion *a, const Assertion *b)
{
	return a->asserted_at > b->asserted_at ||
		(a->asserted_at == b->asserted_at && a->receipt > b->receipt);
}

/*
 * The assertion that holds at a moment, among what is known of the item.  A
 * post-dated one counts only while it is the newest, which excepted says: the
 * one post-dated assertion that may count, or NULL.
 */
static const Assertion *
assertion_at(const ItemState *item, const Assertion *excepted, int64 moment)
{
	const Assertion *best = NULL;

	for (int i = 0; i < item->known_count; i++)
	{
		const Assertion *candidate = &item->known[i];

		if (candidate->takes_effect_at > moment || (candidate->post_dated && candidate != excepted))
			continue;
		if (best == NULL || is_newer(candidate, best))
			best = candidate;
	}
	return best;
}

static const Assertion *
newest_of(const ItemState *item)
{
	const Assertion *newest = NULL;

	for (int i = 0; i < item->known_count; i++)
		if (newest == NULL || is_newer(&item->known[i], newest))
			newest = &item->known[i];
	return newest;
}

/*
 * Does the item become an update's status by a new newest update, and was it
 * something else before?  What it replaces counts as it stands now, even where
 * that began after the update says it did: a post-dated assertion that has begun
 * has been the item's status, one that has not begun will never be.
 */
static bool
newest_changes_status(const ItemState *item, const Update *update, int64 now)
{
	const Assertion *newest = newest_of(item);
	bool		has_begun = newest != NULL && newest->takes_effect_at <= now;
	const Assertion *before = assertion_at(item, has_begun ? newest : NULL, Max(update->last_modified, now));

	return before == NULL || before->status != update->status;
}

/*
 * A late update changes the status only where it begins, or has begun, before the
 * newest does, and if no other holds then that is newer than it.  A post-dated one
 * never counts: a newer assertion has replaced it.
 */
static bool
late_changes_status(const ItemState *item, const Update *update, int64 now)
{
	const Assertion *before = assertion_at(item, newest_of(item), Max(update->last_modified, now));

	if (update->post_dated)
		return false;
	if (before == NULL)
		return true;
	return before->asserted_at <= update->last_modified && before->status != update->status;
}

TransitionKind
judge_update(const ItemState *item, const Update *update, int64 now, bool *changes_status)
{
	if (item->receipts == 0)
	{
		*changes_status = true;
		return TRANSITION_FIRST;
	}
	if (update_asserted_at(update) < item->newest.asserted_at)
	{
		*changes_status = late_changes_status(item, update, now);
		return TRANSITION_LATE;
	}
	*changes_status = newest_changes_status(item, update, now);
	return transition_judge(item->newest.status, update->status);
}
