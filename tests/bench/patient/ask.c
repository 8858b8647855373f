/*
 * ask.c
 *		Asks two statements of one parameter in turns, as a client that has prepared them, and writes a
 *		line for each answer: which of the two, and how long it took to have all of it, in microseconds.
 *
 *	ask CONNECTION STATEMENT STATEMENT < VALUES		a value a line
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {"1", "2"};

static void
check(PGconn *connection, PGresult *result, ExecStatusType expected)
{
	if (PQresultStatus(result) != expected)
	{
		fputs(PQerrorMessage(connection), stderr);
		exit(EXIT_FAILURE);
	}
	PQclear(result);
}

static double
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

int
main(int argc, char **argv)
{
	PGconn	   *connection = PQconnectdb(argc == 4 ? argv[1] : "");
	char		line[64];

	if (argc != 4 || PQstatus(connection) != CONNECTION_OK)
		return EXIT_FAILURE;
	for (int i = 0; i < 2; i++)
		check(connection, PQprepare(connection, names[i], argv[2 + i], 0, NULL), PGRES_COMMAND_OK);
	while (fgets(line, sizeof line, stdin) != NULL)
	{
		const char *value = line;

		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < 2; i++)
		{
			double		began = microseconds();

			check(connection, PQexecPrepared(connection, names[i], 1, &value, NULL, NULL, 0), PGRES_TUPLES_OK);
			printf("%s\t%.1f\n", names[i], microseconds() - began);
		}
	}
	PQfinish(connection);
	return EXIT_SUCCESS;
}
