/*
 * queue.h - an intrusive queue of jobs: first in, first out.
 * Threads: nothing here locks; a queue's owner sees to that.
 */
#ifndef RXTRACK_QUEUE_H
#define RXTRACK_QUEUE_H

#include "exchange/job.h"

struct queue {
    struct job *head;  /* NULL: empty */
    struct job **tail; /* where the next one goes */
};

/* Makes a queue empty; the jobs that it held are the caller's. */
static inline void queue_clear(struct queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

/* Puts a job at the end. */
static inline void queue_push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
}

/* Takes the first job out; the queue is not empty. */
static inline struct job *queue_pop(struct queue *queue)
{
    struct job *job = queue->head;

    queue->head = job->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    return job;
}

#endif
