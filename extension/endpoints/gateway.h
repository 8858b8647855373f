/*
 * gateway.h
 *		What every function for the HTTP gateway does alike: taking a batch of
 *		requests apart, and giving an answer to each.
 *
 * The gateway knows HTTP and nothing else; who calls, whether they may, and what
 * a request says is found out on this side.
 */
#ifndef RXTRACK_GATEWAY_H
#define RXTRACK_GATEWAY_H

#include "postgres.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/tuplestore.h"

#include "callers/application.h"
#include "wire/bundle.h"
#include "wire/json.h"

/* The arguments, taken apart; each array has an element a request. */
typedef struct GatewayCall
{
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
	Tuplestorestate *rows;		/* the answers */
	TupleDesc	columns;
} GatewayCall;

/* One answer. */
typedef struct GatewayAnswer
{
	int			status;
	const Caller *caller;		/* NULL: nobody's in particular */
	const char *headers;		/* lines, each ended by a line feed; NULL: none */
	StringInfoData body;
} GatewayAnswer;

/* Answers one request, whose caller is known and may make it; the body is begun empty. */
typedef void (*GatewayAnswerer) (GatewayAnswer *answer, const JsonNode *parameters, int64 now);

#pragma GCC visibility push(hidden)

/* To be called once, when the library is loaded. */
extern void gateway_init(void);

/* A whole function of the gateway, where each request is answered by itself; inside SPI. */
extern Datum gateway_answer_each(FunctionCallInfo fcinfo, GatewayAnswerer answerer);

/* To be called once, before SPI_connect. */
extern GatewayCall *gateway_begin(FunctionCallInfo fcinfo);

/* Tells a client that wants to know it that what is left of this call is its commit. */
extern void gateway_announce_commit(const GatewayCall *call);

/* Identifies the callers; inside SPI. */
extern Caller *gateway_callers(const GatewayCall *call);

/* Adds the answer to the next request, in their order. */
extern void gateway_put(GatewayCall *call, const GatewayAnswer *answer);

/*
 * Answers a caller who is not known, or does not have the scope: 401 or 403 and a
 * bare OperationOutcome.  Returns whether the caller may go on.
 */
extern bool gateway_admits(GatewayAnswer *answer, const Caller *caller, int64 now);

/* The parameters of the n-th request; NULL where it has none. */
extern const JsonNode *gateway_parameters(const GatewayCall *call, int n);

/* The value of a parameter; NULL where it is absent or empty. */
extern const JsonNode *gateway_parameter(const JsonNode *parameters, const char *name);

/* Answers 400 and an OperationOutcome with an issue for each fault. */
extern void gateway_faults(GatewayAnswer *answer, const FaultList *faults, int64 now);

#define GATEWAY_NO_SCOPE "The credential does not have the scope that this needs"

#pragma GCC visibility pop

#endif							/* RXTRACK_GATEWAY_H */
