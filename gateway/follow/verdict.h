/*
 * verdict.h - what follows from a step: to go on, to begin anew, or to exit with this status.
 */
#ifndef RXTRACK_VERDICT_H
#define RXTRACK_VERDICT_H

enum verdict {
    VERDICT_AGAIN = -2, /* end the session, wait, begin another one */
    VERDICT_ON = -1,    /* go on */
    /* exit statuses, as --help and docs/listener.md say them */
    VERDICT_DONE = 0, /* ended as asked */
    VERDICT_FAILED =
        1, /* a fault that trying again does not mend; or stopped with a batch in hand */
    VERDICT_USAGE = 2,  /* wrong options */
    VERDICT_CLOSED = 3, /* standard output is closed or takes no more */
    VERDICT_LATER = 4   /* --once: not now */
};

#endif
