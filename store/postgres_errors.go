package store

import (
	"strings"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/job"
)

func (postgres) diagnose(err error) fault {
	code := pgconn.Code(err)
	private := fault{class: job.ClassPermanent, message: pgMessage(err), private: true}
	switch code {
	case "42703":
		private.code, private.stale = job.CodeUnknownColumn, true
		return private
	case "42P01", "3F000":
		private.code, private.stale = job.CodeUnknownTable, true
		return private
	case "42501":
		private.code = job.CodePermission
		return private
	case "25006":
		return fault{class: job.ClassRetryable, code: job.CodeReadOnly, message: "the server takes no writes at present"}
	case "57014":
		return fault{class: job.ClassRetryable, code: job.CodeTimeout, message: "the statement ran longer than statement_timeout, or was canceled on the server"}
	case "25P02", "25P03":
		return fault{class: job.ClassRetryable, code: job.CodeConflict, message: "the server rolled the transaction back", transient: true}
	case "44000", "P0001":
		private.code = job.CodeConstraint
		return private
	}
	if pgconn.Transient(err) {
		return fault{class: job.ClassRetryable, code: job.CodeConflict, message: "another transaction stood in the way", transient: true}
	}
	if pgconn.Unreachable(err) {
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "no connection to the database, or it was lost", transient: true, undone: pgconn.Connecting(err)}
	}
	switch {
	case strings.HasPrefix(code, "23"):
		private.code, private.duplicate = job.CodeConstraint, code == "23505"
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "21"), strings.HasPrefix(code, "54"), code == "42804", code == "42883", code == "428C9":
		private.code = job.CodeInvalidValue
	case strings.HasPrefix(code, "53"):
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "the database is out of resources"}
	case strings.HasPrefix(code, "42"), strings.HasPrefix(code, "0A"):
		private.code = job.CodeInvalid
	default:
		return fault{class: job.ClassRetryable, code: job.CodeInternal, message: "the database failed in a way that is not known"}
	}
	return private
}
