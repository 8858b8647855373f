/*
 * shares.c - see shares.h. What a caller holds is counted anew at each look, and marked with the
 * look's number, so that nothing has to be taken back.
 */
#include "database/shares.h"

#include "database/caller.h"

static struct {
    uint64_t look;
    int64_t now_ms;
    size_t links;
    size_t risky; /* of them, with a call that may well hang */
} shares;

/* The caller that all jobs of a call are of; NULL: they are of several. */
static struct caller *owner_of(const struct link *link)
{
    struct caller *owner = link->jobs[0]->caller;

    for (size_t i = 1; i < link->count; i++)
        if (link->jobs[i]->caller != owner)
            return NULL;
    return owner;
}

static void hold(struct caller *caller)
{
    if (caller->look != shares.look)
        caller->held = 0;
    caller->look = shares.look;
    caller->held++;
}

void shares_look(const struct link *links, size_t count, int64_t now_ms)
{
    shares.look++;
    shares.now_ms = now_ms;
    shares.links = count;
    shares.risky = 0;
    for (size_t i = 0; i < count; i++) {
        const struct link *link = &links[i];

        if (link->count == 0)
            continue;
        bool risky = link->jobs[0]->cut_off > 0 || shares_is_suspect(link->jobs[0]->caller);
        struct caller *owner = risky ? owner_of(link) : NULL;

        shares.risky += risky;
        if (owner != NULL)
            hold(owner);
    }
}

void shares_take(struct caller *caller)
{
    shares.risky++;
    hold(caller);
}

void shares_suspect(struct caller *caller, int64_t until_ms)
{
    if (caller->suspect_until_ms < until_ms)
        caller->suspect_until_ms = until_ms;
}

bool shares_is_suspect(const struct caller *caller)
{
    return shares.now_ms < caller->suspect_until_ms;
}

bool shares_allow(const struct caller *caller)
{
    size_t held = caller->look == shares.look ? caller->held : 0;

    return shares.links == 1 || held < shares.links / 2;
}

bool shares_allow_risk(void)
{
    return shares.links == 1 || shares.risky + 1 < shares.links;
}
