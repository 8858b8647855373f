/*
 * call.h
 *		The frame of an endpoint: a call of the gateway's carries a batch of
 *		requests, and each gets an answer.
 *
 * The gateway knows HTTP and nothing else; who calls, whether they may, and what
 * a request says is found out on this side.
 */
#ifndef RXTRACK_CALL_H
#define RXTRACK_CALL_H

#include "postgres.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/tuplestore.h"

#include "callers/application.h"
#include "types/identifiers.h"
#include "wire/bundle.h"
#include "wire/json.h"

/* A batch of requests to one endpoint; each array has an element a request. */
typedef struct EndpointCall
{
	int64		now;			/* when the call began */
	int			count;
	char	   *scope;			/* NULL: an open route */
	Datum	   *credential;		/* bytea */
	bool	   *credential_null;
	Datum	   *request_id;		/* text */
	bool	   *request_id_null;
	Datum	   *parameters;		/* text: a JSON object */
	bool	   *parameters_null;
	Datum	   *body;			/* bytea */
	bool	   *body_null;
	Caller	   *callers;		/* whom the credentials belong to */
	Tuplestorestate *rows;		/* the answers so far */
	TupleDesc	columns;
} EndpointCall;

/* One row of rxtrack_http.answer, without what it says of the caller. */
typedef struct EndpointAnswer
{
	int			status;
	const char *headers;		/* lines, each ended by a line feed; NULL: none */
	StringInfoData body;
	bool		streams;		/* a stream of events follows: */
	int64		stream_after;	/* of those after this release number, */
	ArrayType  *stream_ods_codes;	/* for these pharmacies (text); NULL: all */
} EndpointAnswer;

/* Answers one request, whose caller is known and has the scope; the body is begun empty. */
typedef void (*EndpointFunction) (EndpointAnswer *answer, const Caller *caller, const JsonNode *parameters, int64 now);

/* A whole endpoint whose requests are answered one by one. */
extern Datum call_answer_each(FunctionCallInfo fcinfo, EndpointFunction function);

/* Takes the arguments apart, connects to SPI and identifies the callers; call_end() closes that. */
extern EndpointCall *call_begin(FunctionCallInfo fcinfo);
extern Datum call_end(void);

/* Adds the answer to the n-th request; to be called in their order. */
extern void call_put(EndpointCall *call, int n, const EndpointAnswer *answer);

/*
 * Answers a caller who is not known, or does not have the scope: 401 or 403 and a
 * bare OperationOutcome.  Returns whether the caller may go on.
 */
extern bool call_admits(EndpointAnswer *answer, const Caller *caller, int64 now);

/* The parameters of the n-th request; NULL where it has none. */
extern const JsonNode *call_parameters(const EndpointCall *call, int n);

/* The value of a parameter; NULL where it is absent or empty. */
extern const JsonNode *call_parameter(const JsonNode *parameters, const char *name);

/* Answers 400 and an OperationOutcome with an issue for each fault. */
extern void call_faults(EndpointAnswer *answer, const FaultList *faults, int64 now);

/* The pharmacies that a caller is restricted to, which it must be. */
extern OdsCode *call_pharmacies(const Caller *caller, int *count);

#define CALL_NO_SCOPE "The credential does not have the scope that this needs"

#endif							/* RXTRACK_CALL_H */
