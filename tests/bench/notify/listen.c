/*
 * listen.c
 *		Hears rxtrack_ready, and writes a line for each notification: the event's
 *		id and when it was received, in microseconds since 1970.
 *
 *	listen CONNECTION		until SIGTERM; says "listening" first
 */
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t stopping = 0;

static void
stop(int number)
{
	(void) number;
	stopping = 1;
}

static long long
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void
write_heard(PGconn *connection)
{
	long long	now = microseconds();
	PGnotify   *heard;

	while ((heard = PQnotifies(connection)) != NULL)
	{
		printf("%s\t%lld\n", heard->extra, now);
		PQfreemem(heard);
	}
}

int
main(int argc, char **argv)
{
	PGconn	   *connection = PQconnectdb(argc > 1 ? argv[1] : "");
	PGresult   *result = PQexec(connection, "LISTEN rxtrack_ready");

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		fputs(PQerrorMessage(connection), stderr);
		return EXIT_FAILURE;
	}
	PQclear(result);
	signal(SIGTERM, stop);
	puts("listening");
	fflush(stdout);
	while (!stopping)
	{
		struct pollfd readable = {.fd = PQsocket(connection), .events = POLLIN};

		if (poll(&readable, 1, 100) > 0 && !PQconsumeInput(connection))
			break;
		write_heard(connection);
	}
	PQfinish(connection);
	return stopping ? EXIT_SUCCESS : EXIT_FAILURE;
}
