/*
 * judge.c
 *		Judging an update against where its item stands.
 *
 * Two times matter: when an update was asserted decides which one is the newest;
 * when it takes effect decides from when on it counts.
 */
#include "postgres.h"

#include "judge.h"

/*
 * The assertion that holds at a moment, among what is known of the item.  A
 * post-dated one counts only while it is the newest, which excepted says: the
 * index of the post-dated one that may count, or -1.
 */
static const Assertion *
assertion_at(const Assertion *known, int count, int excepted, int64 moment)
{
	const Assertion *best = NULL;

	for (int i = 0; i < count; i++)
	{
		const Assertion *candidate = &known[i];

		if (candidate->takes_effect_at > moment || (candidate->post_dated && i != excepted))
			continue;
		/* of equal ones the one received later wins */
		if (best == NULL || candidate->asserted_at >= best->asserted_at)
			best = candidate;
	}
	return best;
}

static int
newest_of(const Assertion *known, int count)
{
	int			newest = -1;

	for (int i = 0; i < count; i++)
		if (newest < 0 || known[i].asserted_at >= known[newest].asserted_at)
			newest = i;
	return newest;
}

/*
 * Does the item become an update's status by a new newest update, and was it
 * something else before?  What it replaces counts as it stands now: a post-dated
 * assertion that has begun has been the item's status, one that has not begun
 * will never be.
 */
static bool
newest_changes_status(const ItemState *item, const Update *update, int64 now)
{
	int			newest = newest_of(item->known, item->known_count);
	bool		begun = newest >= 0 && item->known[newest].takes_effect_at <= now;
	const Assertion *before = assertion_at(item->known, item->known_count, begun ? newest : -1,
										   update->last_modified);

	return before == NULL || before->status != update->status;
}

/*
 * A late update changes the status only while the newest has yet to begin, and
 * if no other holds that is newer than it.
 */
static bool
late_changes_status(const ItemState *item, const Update *update, int64 now)
{
	int			newest = newest_of(item->known, item->known_count);
	const Assertion *before = assertion_at(item->known, item->known_count, newest, now);

	if (update->post_dated || update->last_modified > now)
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
