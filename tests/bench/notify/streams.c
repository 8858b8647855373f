/*
 * streams.c
 *		Many clients of GET /events, and a line for each event that one of them
 *		gets: its release number and when it was received, in microseconds since
 *		1970.
 *
 *	streams PORT COUNT		until SIGTERM; says "open" when all streams are.  The
 *							key is in RXTRACK_API_KEY.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct Client
{
	int			socket;
	int			greeted;
	long long	id;				/* that the block being read has */
	size_t		length;
	char		text[2048];		/* a line that is not whole yet */
} Client;

static volatile sig_atomic_t stopping = 0;
static int	greeted = 0;

static void
stop(int number)
{
	(void) number;
	stopping = 1;
}

static void
fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static long long
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void
open_client(Client *client, int port, const char *key)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short) port)};
	char		request[512];
	int			length = snprintf(request, sizeof(request), "GET /events HTTP/1.1\r\nHost: localhost\r\n"
								  "Authorization: Bearer %s\r\n\r\n", key);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->socket = socket(AF_INET, SOCK_STREAM, 0);
	if (client->socket < 0 || connect(client->socket, (struct sockaddr *) &address, sizeof(address)) != 0)
		fail("connect");
	if (write(client->socket, request, (size_t) length) != length)
		fail("write");
}

static void
take_line(Client *client, const char *line, long long now)
{
	if (strncmp(line, "id: ", 4) == 0)
		client->id = atoll(line + 4);
	else if (strncmp(line, "data: ", 6) == 0 && strchr(line, ',') != NULL) /* a position has only its id */
		printf("%lld\t%lld\n", client->id, now);
	else if (strncmp(line, "retry: ", 7) == 0 && !client->greeted)
	{
		client->greeted = 1;
		greeted++;
	}
}

/* The transfer's chunks are lines of their own, which mean nothing here. */
static void
take_bytes(Client *client)
{
	ssize_t		got = read(client->socket, client->text + client->length, sizeof(client->text) - 1 - client->length);
	long long	now = microseconds();
	char	   *line = client->text;
	char	   *end;

	if (got <= 0)
		fail("a stream has ended");
	client->length += (size_t) got;
	client->text[client->length] = '\0';
	while ((end = strchr(line, '\n')) != NULL)
	{
		*end = '\0';
		take_line(client, line, now);
		line = end + 1;
	}
	client->length -= (size_t) (line - client->text);
	memmove(client->text, line, client->length);
}

int
main(int argc, char **argv)
{
	int			port = argc > 1 ? atoi(argv[1]) : 0;
	int			count = argc > 2 ? atoi(argv[2]) : 1;
	Client	   *clients = calloc((size_t) count, sizeof(Client));
	int			poll = epoll_create1(0);
	int			said = 0;

	signal(SIGTERM, stop);
	for (int i = 0; i < count; i++)
	{
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

		open_client(&clients[i], port, getenv("RXTRACK_API_KEY"));
		epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event);
	}
	while (!stopping)
	{
		struct epoll_event events[256];
		int			ready = epoll_wait(poll, events, 256, 100);

		for (int i = 0; i < ready; i++)
			take_bytes(events[i].data.ptr);
		if (!said && greeted == count)
			said = puts("open") != EOF;
		if (ready < 256)
			fflush(stdout);
	}
	return EXIT_SUCCESS;
}
