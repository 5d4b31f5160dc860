package job

// Code says, for machines, why a job or one of its attempts failed. Codes are
// lower_snake, part of the public contract, and never carry data.
type Code string

const (
	CodeInvalid             Code = "invalid"              // args that passed the API do not suit this worker's configuration
	CodeUnknownKind         Code = "unknown_kind"         // no worker knows the kind
	CodeUnknownColumn       Code = "unknown_column"       // the table has no such column
	CodeUnknownTable        Code = "unknown_table"        // the database has no such table
	CodeNotFound            Code = "not_found"            // the named target is not configured here
	CodeConstraint          Code = "constraint"           // the database refused the values: unique, foreign key, check, not null
	CodeInvalidValue        Code = "invalid_value"        // the database cannot take a value for its column's type
	CodeReadOnly            Code = "read_only"            // the target or its server takes no writes
	CodePermission          Code = "permission"           // the target's user may not do this
	CodeTooManyRows         Code = "too_many_rows"        // an operation on one row matched several
	CodeNoRows              Code = "no_rows"              // require: true, and nothing matched
	CodeMaxAffected         Code = "max_affected"         // more rows than the bound; nothing was changed
	CodeUnexpectedRows      Code = "unexpected_rows"      // an operation of a transaction met another number of rows than its expect_rows; nothing was changed
	CodeResultTooLarge      Code = "result_too_large"     // a read would bring more bytes than one may; read fewer rows or columns
	CodeInvalidReference    Code = "invalid_reference"    // a $ref of a transaction found nothing, or what may not stand there; nothing was changed
	CodeEffectsMissing      Code = "effects_missing"      // effects: required, and the target has no effects table
	CodePoolTimeout         Code = "pool_timeout"         // waited too long for a connection
	CodeDatabaseUnreachable Code = "database_unreachable" // no connection, or it was lost
	CodeConflict            Code = "conflict"             // deadlock, serialization failure or lock timeout, after the retries inside the attempt
	CodeTimeout             Code = "timeout"              // the attempt ran longer than the job's timeout
	CodeDeadlineExceeded    Code = "deadline_exceeded"    // the job's deadline passed
	CodeCanceled            Code = "canceled"             // a caller canceled the job
	CodeExpired             Code = "expired"              // not started by expires_at
	CodeUpstreamStatus      Code = "upstream_status"      // the API answered with a status that was not expected
	CodeUpstreamUnreachable Code = "upstream_unreachable" // no connection to the API, or it was lost
	CodeAuthFailed          Code = "auth_failed"          // no credentials for the API: its token_url or its custom auth refused; nothing was sent
	CodeDialDenied          Code = "dial_denied"          // the API's address is not allowed
	CodeResponseTooLarge    Code = "response_too_large"   // the API's answer is over max_response
	CodeCacheAway           Code = "cache_away"           // the cache's Redis does not answer
	CodeNotKept             Code = "not_kept"             // the cache does not keep what was read: it is turned off, the result is too large, or the API forbids it
	CodeResponseInvalid     Code = "response_invalid"     // the API accepted the request; its answer was cut short or cannot be decoded
	CodeAmbiguous           Code = "ambiguous"            // the request may have been carried out; repeating it is not safe
	CodeBreakerOpen         Code = "breaker_open"         // the client's circuit breaker is open
	CodeRateLimited         Code = "rate_limited"         // the client's rate limit has no room
	CodePoison              Code = "poison"               // the job was running when its worker died, three times
	CodeExhausted           Code = "exhausted"            // max_attempts used up
	CodeWorkerLost          Code = "worker_lost"          // the worker's lease ended during this attempt
	CodeHandedBack          Code = "handed_back"          // the worker stopped before the job ended
	CodeFailed              Code = "failed"               // system.noop was asked to fail
	CodeInternal            Code = "internal"             // a fault in asyncops; the log has it
)

// Codes lists every code that a job's error may carry.
func Codes() []Code {
	return []Code{
		CodeInvalid, CodeUnknownKind, CodeUnknownColumn, CodeUnknownTable, CodeNotFound, CodeConstraint,
		CodeInvalidValue, CodeReadOnly, CodePermission, CodeTooManyRows, CodeNoRows, CodeMaxAffected,
		CodeUnexpectedRows, CodeResultTooLarge, CodeInvalidReference,
		CodeEffectsMissing, CodePoolTimeout, CodeDatabaseUnreachable, CodeConflict, CodeTimeout,
		CodeDeadlineExceeded, CodeCanceled, CodeExpired, CodeUpstreamStatus, CodeUpstreamUnreachable,
		CodeAuthFailed, CodeDialDenied, CodeResponseTooLarge, CodeCacheAway, CodeNotKept, CodeResponseInvalid, CodeAmbiguous, CodeBreakerOpen,
		CodeRateLimited, CodePoison, CodeExhausted, CodeWorkerLost, CodeHandedBack, CodeFailed, CodeInternal,
	}
}

// Class says what follows a failed run.
type Class string

const (
	ClassPermanent Class = "permanent" // archived at once
	ClassRetryable Class = "retryable" // backs off and counts an attempt
	ClassThrottled Class = "throttled" // parked until a time; counts none
	ClassAmbiguous Class = "ambiguous" // unknown, for a person
)
